"""`postgresql+psycoxide` with `create_engine()`."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    exc,
    func,
    insert,
    select,
    text,
    update,
)

import psycoxide
from psycoxide.extras import execute_values
from psycoxide.sqlalchemy import PsycoxideDialect, connect

ITEMS = Table(
    "alchemy", MetaData(), Column("id", Integer, primary_key=True), Column("name", String)
)


def test_is_found_by_its_name(engine: Any) -> None:
    assert type(engine.dialect) is PsycoxideDialect
    assert (engine.name, engine.driver) == ("postgresql", "psycoxide")


def test_errors_are_those_of_the_driver(engine: Any) -> None:
    with engine.connect() as conn, pytest.raises(exc.ProgrammingError) as raised:
        conn.execute(text("select * from there_is_no_such_table"))
    assert isinstance(raised.value.orig, psycoxide.errors.UndefinedTable)
    assert raised.value.orig.pgcode == "42P01"


def test_refused_connection(url: Any) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(url.set(database="there_is_no_such_database"))
    with pytest.raises(exc.OperationalError, match="does not exist"):
        engine.connect()


def test_raw_connections_have_the_methods_of_psycopg2(engine: Any, table: str) -> None:
    raw = engine.raw_connection()
    try:
        assert isinstance(raw.driver_connection, psycoxide.extensions.connection)
        cursor = raw.cursor()
        execute_values(cursor, f"insert into {table} values %s", [(1, "tea"), (2, "ice")])
        lines = io.StringIO()
        cursor.copy_expert(f"copy {table} to stdout", lines)
        assert lines.getvalue() == "1\ttea\n2\tice\n"
    finally:
        raw.close()


def test_creator(make_engine: Any, dsn: str) -> None:
    engine = make_engine(creator=lambda: connect(dsn, application_name="creator"))
    with engine.connect() as conn:
        assert conn.execute(text("show application_name")).scalar() == "creator"
        assert conn.execute(text("select 'x'::bytea")).scalar() == b"x"


def test_connect_arguments(make_engine: Any) -> None:
    arguments = {"timeout": 10, "options": "-c statement_timeout=1234", "application_name": "it"}
    engine = make_engine(connect_args=arguments)
    with engine.connect() as conn:
        assert conn.execute(text("show statement_timeout")).scalar() == "1234ms"


def test_numbers_in_the_url(url: Any) -> None:
    dialect = PsycoxideDialect()
    _, options = dialect.create_connect_args(url.update_query_dict({"timeout": "2.5"}))
    assert options["timeout"] == 2.5


class TestTransactions:
    @pytest.mark.parametrize(
        "level", ["READ COMMITTED", "READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
    )
    def test_isolation_level(self, engine: Any, level: str) -> None:
        with engine.connect().execution_options(isolation_level=level) as conn:
            assert conn.get_isolation_level() == level
            shown = conn.execute(text("show transaction_isolation")).scalar()
            assert shown == level.lower()
        with engine.connect() as conn:
            assert conn.get_isolation_level() == "READ COMMITTED"

    def test_autocommit(self, engine: Any, table: str) -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            assert conn.get_isolation_level() == "AUTOCOMMIT" or conn.connection.autocommit
            conn.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            assert status(conn) == psycoxide.extensions.TRANSACTION_STATUS_IDLE
        with engine.connect() as conn:
            assert conn.execute(select(ITEMS)).all() == [(1, "tea")]

    def test_engine_wide_level(self, make_engine: Any) -> None:
        with make_engine(isolation_level="SERIALIZABLE").connect() as conn:
            assert conn.execute(text("show transaction_isolation")).scalar() == "serializable"

    def test_asking_for_the_level_leaves_no_transaction(self, engine: Any) -> None:
        with engine.connect() as conn:
            engine.dialect.get_isolation_level(conn.connection.dbapi_connection)
            assert status(conn) == psycoxide.extensions.TRANSACTION_STATUS_IDLE

    def test_read_only_and_deferrable(self, engine: Any) -> None:
        options = {"postgresql_readonly": True, "postgresql_deferrable": True}
        with engine.connect().execution_options(isolation_level="SERIALIZABLE", **options) as conn:
            assert conn.execute(text("show transaction_read_only")).scalar() == "on"
            assert conn.execute(text("show transaction_deferrable")).scalar() == "on"
        with engine.connect() as conn:
            assert conn.execute(text("show transaction_read_only")).scalar() == "off"

    def test_two_phases(self, engine: Any, table: str) -> None:
        with engine.connect() as conn:
            transaction = conn.begin_twophase()
            conn.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            transaction.prepare()
            with engine.connect() as other:
                assert transaction.xid in other.recover_twophase()
            transaction.commit()
            assert conn.execute(select(ITEMS.c.id)).all() == [(1,)]

    def test_recovered_transaction(self, engine: Any, table: str) -> None:
        with engine.connect() as conn:
            transaction = conn.begin_twophase()
            conn.execute(insert(ITEMS), {"id": 1, "name": "tea"})
            transaction.prepare()
            conn.connection.dbapi_connection.close()
            conn.invalidate()
        with engine.connect() as conn:
            conn.rollback_prepared(transaction.xid, recover=True)
            assert conn.execute(select(ITEMS)).all() == []


def status(conn: Any) -> int:
    """What the server said about the transaction."""
    value: int = conn.connection.dbapi_connection.get_transaction_status()
    return value


class TestLostConnections:
    def test_is_noticed_and_replaced(self, engine: Any) -> None:
        with engine.connect() as conn:
            kill(engine, conn)
            with pytest.raises(exc.DBAPIError) as raised:
                conn.execute(text("select 1"))
            assert raised.value.connection_invalidated
        with engine.connect() as conn:
            assert conn.execute(text("select 1")).scalar() == 1

    def test_an_error_of_a_statement_is_no_lost_connection(self, engine: Any) -> None:
        with engine.connect() as conn:
            with pytest.raises(exc.DBAPIError) as raised:
                # psycopg2's dialect looks for such words in the message.
                conn.execute(text("do $$ begin raise 'closed the connection'; end $$"))
            assert not raised.value.connection_invalidated

    def test_pre_ping(self, make_engine: Any) -> None:
        engine = make_engine(pool_pre_ping=True, pool_size=1, max_overflow=0)
        with engine.connect() as conn:
            lost = kill(make_engine(), conn)
        with engine.connect() as conn:
            assert conn.execute(text("select pg_backend_pid()")).scalar() != lost

    def test_a_ping_is_no_statement(self, make_engine: Any) -> None:
        engine = make_engine(isolation_level="AUTOCOMMIT")
        with engine.connect() as conn, engine.connect() as other:
            raw = conn.connection.dbapi_connection
            conn.execute(text("select 'the last one'"))
            assert engine.dialect.do_ping(raw)
            query = text("select query from pg_stat_activity where pid = :pid")
            last = other.execute(query, {"pid": raw.get_backend_pid()}).scalar()
            assert last == "select 'the last one'"

    def test_a_wrapper_is_asked_by_its_cursor(self, make_engine: Any) -> None:
        class Wrapper:
            def __init__(self, conn: Any) -> None:
                self.conn = conn

            def cursor(self) -> Any:
                raise psycoxide.OperationalError("not through me")

            def __getattr__(self, name: str) -> Any:
                return getattr(self.conn, name)

        engine = make_engine()
        with engine.connect() as conn, pytest.raises(psycoxide.OperationalError):
            engine.dialect.do_ping(Wrapper(conn.connection.dbapi_connection))

    def test_a_ping_begins_no_transaction(self, engine: Any) -> None:
        with engine.connect() as conn:
            assert engine.dialect.do_ping(conn.connection.dbapi_connection)
            assert status(conn) == psycoxide.extensions.TRANSACTION_STATUS_IDLE


def kill(engine: Any, conn: Any) -> int:
    """End the session of a connection, from another one; returns its process."""
    pid: int = conn.connection.dbapi_connection.get_backend_pid()
    with engine.connect() as other:
        other.execute(text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    return pid


class TestMany:
    def test_insert(self, engine: Any, table: str) -> None:
        with engine.begin() as conn:
            rows = [{"id": number, "name": f"item {number}"} for number in range(1234)]
            done = conn.execute(insert(ITEMS), rows, execution_options={"preserve_rowcount": True})
            assert done.rowcount == 1234
            assert conn.execute(text(f"select count(*) from {table}")).scalar() == 1234

    def test_insert_returning(self, engine: Any, table: str) -> None:
        with engine.begin() as conn:
            rows = [{"id": number, "name": "x"} for number in range(1234)]
            ids = conn.execute(
                insert(ITEMS).returning(ITEMS.c.id, sort_by_parameter_order=True), rows
            )
            assert ids.scalars().all() == list(range(1234))

    def test_update_counts_rows(self, engine: Any, table: str) -> None:
        with engine.begin() as conn:
            conn.execute(insert(ITEMS), [{"id": number, "name": "x"} for number in range(10)])
            statement = update(ITEMS).where(ITEMS.c.id == bindparam("key")).values(name="y")
            done = conn.execute(statement, [{"key": number} for number in range(5, 15)])
            assert done.rowcount == 5


class TestStreams:
    def test_rows_stay_on_the_server(self, engine: Any) -> None:
        with engine.connect().execution_options(yield_per=10) as conn:
            result = conn.execute(select(func.generate_series(1, 95)))
            cursors = conn.connection.dbapi_connection.cursor()
            cursors.execute("select count(*) from pg_cursors where name like 'c\\_%'")
            assert cursors.fetchone() == (1,)
            assert [len(part) for part in result.partitions()] == [10] * 9 + [5]


def test_notices_are_logged(engine: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "sqlalchemy.dialects.postgresql"), engine.connect() as conn:
        conn.execute(text("do $$ begin raise notice 'tea is ready'; end $$"))
        assert conn.connection.dbapi_connection.notices == []
    assert any("tea is ready" in record.getMessage() for record in caplog.records)


def test_the_driver_does_not_import_it() -> None:
    code = (
        "import sys, psycoxide, psycoxide.aio, psycoxide.sync; print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
