"""Opening and closing connections."""

from __future__ import annotations

from typing import Any

from .registry import workload


@workload("conn_unix", "300 connections over the Unix socket, trusted")
def conn_unix(driver: Any, count: int = 300, tcp: bool = False) -> None:
    driver.connect_bare(tcp=tcp).close()
    with driver.meter():
        for _ in range(count):
            driver.connect_bare(tcp=tcp).close()


@conn_unix.on("asyncpg")
async def conn_unix_asyncpg(driver: Any, count: int = 300, tcp: bool = False) -> None:
    await (await driver.connect_bare(tcp=tcp)).close()
    with driver.meter():
        for _ in range(count):
            await (await driver.connect_bare(tcp=tcp)).close()


@workload("conn_scram", "100 connections over TCP with SCRAM-SHA-256")
def conn_scram(driver: Any) -> None:
    conn_unix.default(driver, 100, tcp=True)


@conn_scram.on("asyncpg")
async def conn_scram_asyncpg(driver: Any) -> None:
    await conn_unix_asyncpg(driver, 100, tcp=True)
