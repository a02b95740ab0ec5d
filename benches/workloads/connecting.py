"""Opening and closing connections."""

from __future__ import annotations

from typing import Any

from meter import memory

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


@workload("conn_scram", "100 connections over TCP with SCRAM-SHA-256, one password")
def conn_scram(driver: Any) -> None:
    conn_unix.default(driver, 100, tcp=True)


@conn_scram.on("asyncpg")
async def conn_scram_asyncpg(driver: Any) -> None:
    await conn_unix_asyncpg(driver, 100, tcp=True)


@workload("conn_scram_first", "the same as 100 roles, each for the first time", "roles")
def conn_scram_first(driver: Any) -> None:
    driver.connect_bare(tcp=True).close()
    with driver.meter():
        for number in range(100):
            driver.tcp.update(user=f"bench_{number}", password=f"secret {number}")
            driver.connect_bare(tcp=True).close()


@workload("idle", "80 connections, opened and left idle: memory of each")
def idle(driver: Any) -> None:
    conns = [driver.connect_bare()]
    before = memory("VmRSS")
    with driver.meter():
        conns += [driver.connect_bare() for _ in range(80)]
    driver.figures["rss_each"] = (memory("VmRSS") - before) / 80
