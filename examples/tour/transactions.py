"""Section 4: what is kept, what is undone, who sees what, and what to do about a conflict."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from show import Show

import psycoxide
from psycoxide import errors, extensions


def run(show: Show, dsn: str) -> None:
    conn, witness = psycoxide.connect(dsn), psycoxide.connect(dsn)
    witness.autocommit = True
    with conn, conn.cursor() as cursor:
        cursor.execute("create table tour.account (name text primary key, balance int)")
        cursor.executemany("insert into tour.account values (%s, %s)", [("ann", 100), ("bob", 100)])
    blocks(show, conn, witness)
    decorator(show, conn, witness)
    autocommit(show, conn)
    levels(show, conn, witness)
    serialization(show, dsn, witness)
    conn.close()
    witness.close()


def balances(conn: Any) -> dict[str, int]:
    with conn.cursor() as cursor:
        cursor.execute("select name, balance from tour.account order by name")
        return dict(cursor.fetchall())


def pay(conn: Any, payer: str, payee: str, amount: int) -> None:
    change = "update tour.account set balance = balance + %s where name = %s"
    with conn.cursor() as cursor:
        cursor.execute(change, (-amount, payer))
        cursor.execute(change, (amount, payee))


class Refused(Exception):
    """Raised half-way through a payment."""


def blocks(show: Show, conn: Any, witness: Any) -> None:
    show.step(
        "[b]with conn:[/b] is a transaction: committed at its end, rolled back by an exception."
    )
    with conn:
        pay(conn, "ann", "bob", 30)
        show.value("inside, another connection sees", balances(witness))
    show.value("after the block it sees       ", balances(witness))
    show.check("a block that ends is committed", balances(witness), {"ann": 70, "bob": 130})
    try:
        with conn:
            pay(conn, "ann", "bob", 1000)
            show.value("inside, we ourselves see      ", balances(conn))
            raise Refused
    except Refused:
        show.value("after the exception           ", balances(conn))
    show.check("a block that raises is undone", balances(conn), {"ann": 70, "bob": 130})
    show.check("the connection stays open after a block", conn.closed, 0)
    conn.rollback()


def transactional(conn: Any, tries: int = 3) -> Callable[..., Any]:
    """Make each call of a function one transaction, which is tried again if the server says that
    it lost a race (SQLSTATE 40001)."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            for attempt in range(1, tries + 1):
                try:
                    with conn:
                        return function(conn, *args, **kwargs)
                except errors.SerializationFailure:
                    if attempt == tries:
                        raise

        return inside

    return decorate


def decorator(show: Show, conn: Any, witness: Any) -> None:
    show.step("The same as a decorator, with a retry for later:")
    show.code(transactional)

    @transactional(conn)
    def settle(conn: Any, amount: int) -> None:
        pay(conn, "bob", "ann", amount)
        if balances(conn)["bob"] < 0:
            raise Refused

    settle(30)
    show.check("a decorated call is committed", balances(witness), {"ann": 100, "bob": 100})
    try:
        settle(500)
    except Refused:
        show.check("a decorated call that raises is undone", balances(witness)["bob"], 100)


def autocommit(show: Show, conn: Any) -> None:
    show.step("[b]VACUUM[/b] refuses to run inside a transaction; autocommit opens none.")
    cursor = conn.cursor()
    try:
        cursor.execute("vacuum tour.account")
    except errors.ActiveSqlTransaction as error:
        show.value("in a transaction:", str(error).strip())
    conn.rollback()
    conn.autocommit = True
    cursor.execute("vacuum tour.account")
    show.value("with autocommit: ", cursor.statusmessage)
    show.check("autocommit runs outside any transaction", cursor.statusmessage, "VACUUM")
    idle = extensions.TRANSACTION_STATUS_IDLE
    show.check("… and leaves none open", conn.info.transaction_status, idle)
    conn.autocommit = False


def levels(show: Show, conn: Any, witness: Any) -> None:
    show.step("Isolation levels, as the server reports them:")
    names = ["read uncommitted", "read committed", "repeatable read", "serializable"]
    told = []
    for name in names:
        conn.set_session(isolation_level=name)
        with conn, conn.cursor() as cursor:
            cursor.execute("show transaction_isolation")
            told.append(cursor.fetchone()[0])
    show.table(["set_session(isolation_level=…)", "the server says"], zip(names, told))
    show.check("each isolation level reaches the server", told, names)

    seen = {}
    for name in ("read committed", "repeatable read"):
        conn.set_session(isolation_level=name)
        before = balances(conn)["ann"]
        with witness.cursor() as cursor:
            cursor.execute("update tour.account set balance = balance + 1 where name = 'ann'")
        seen[name] = balances(conn)["ann"] - before
        conn.rollback()
    show.check("read committed sees what others commit meanwhile", seen["read committed"], 1)
    show.check("repeatable read does not", seen["repeatable read"], 0)

    conn.set_session(isolation_level="default", readonly=True)
    try:
        pay(conn, "ann", "bob", 1)
    except errors.ReadOnlySqlTransaction as error:
        show.check("a read-only session may not write", error.pgcode, "25006")
    conn.rollback()
    conn.set_session(readonly=False)


def serialization(show: Show, dsn: str, witness: Any) -> None:
    show.step("Write skew: each of two doctors may leave if the other stays on call. Both look,")
    show.console.print(
        "  both see two on call, both leave. Serializable transactions do not let them."
    )
    first, second = psycoxide.connect(dsn), psycoxide.connect(dsn)
    for conn in (first, second):
        conn.set_session(isolation_level="SERIALIZABLE")
    with witness.cursor() as cursor:
        cursor.execute("create table tour.doctor (name text, on_call bool)")
        cursor.execute("insert into tour.doctor values ('ann', true), ('bob', true)")
    attempts: list[str] = []

    @transactional(first)
    def ann_leaves(conn: Any) -> bool:
        attempts.append("ann")
        left = leave(conn, "ann")
        if len(attempts) == 1:  # bob comes in between our look and our commit
            with second:
                leave(second, "bob")
        return left

    plain, caught = ann_leaves.__wrapped__, None
    try:
        with first:
            plain(first)
    except errors.SerializationFailure as error:
        caught = error
        show.value("without a retry:", str(error).splitlines()[0])
    show.check(
        "a serialization failure is raised as its class", getattr(caught, "pgcode", 0), "40001"
    )

    with witness.cursor() as cursor:
        cursor.execute("update tour.doctor set on_call = true")
    attempts.clear()
    left = ann_leaves()
    show.value("with the decorator:", f"{len(attempts)} attempts, ann left: {left}")
    with witness.cursor() as cursor:
        cursor.execute("select name from tour.doctor where on_call")
        show.check("the retry sees bob gone, and ann stays", cursor.fetchall(), [("ann",)])
    show.check("it took two attempts", (len(attempts), left), (2, False))
    first.close()
    second.close()


def leave(conn: Any, name: str) -> bool:
    """Go off call if someone else is on call. Returns whether we went."""
    with conn.cursor() as cursor:
        cursor.execute("select count(*) from tour.doctor where on_call and name <> %s", (name,))
        if cursor.fetchone()[0] == 0:
            return False
        cursor.execute("update tour.doctor set on_call = false where name = %s", (name,))
    return True
