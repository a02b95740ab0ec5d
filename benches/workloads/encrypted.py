"""The same over TCP and TLS: the cost of ciphers and handshakes."""

from __future__ import annotations

from typing import Any

from . import copying, fetching, roundtrips  # noqa: F401 (they fill ALL)
from .registry import ALL, Body, Workload, workload

PLAIN = {
    "tls_mixed": ALL["f_mixed"],
    "tls_text1k": ALL["f_text1k"],
    "tls_bytea": ALL["f_bytea"],
    "tls_simple": ALL["rt_simple"],
    "tls_copy_out": ALL["copy_out"],
    "tls_copy_in": ALL["copy_in"],
}


def encrypted(plain: Workload) -> Body:
    """The body of a workload, on connections over TLS."""

    def run(driver: Any) -> Any:
        driver.encrypt()
        return plain.body(driver.name)(driver)

    run.__module__ = __name__
    return run


for name, plain in PLAIN.items():
    workload(name, f"{plain.about}, over TLS", *plain.tables)(encrypted(plain))


@workload("tls_connect", "100 connections over TLS with SCRAM-SHA-256-PLUS")
def tls_connect(driver: Any) -> None:
    driver.encrypt()
    driver.connect().close()
    with driver.meter():
        for _ in range(100):
            driver.connect_bare().close()
