"""A program as users write it, which `mypy --strict` must accept, with the types that it must see.

Not run: tests/typing/test_typing.py has it checked.
"""

from __future__ import annotations

import datetime
from typing import Any

from typing_extensions import assert_type

import psycoxide
from psycoxide import errorcodes, errors, extensions, extras, pool, sql, tz


def errors_have_types(error: psycoxide.Error) -> None:
    assert_type(error.pgcode, "str | None")
    assert_type(error.pgerror, "str | None")
    assert_type(error.diag, extensions.Diagnostics)
    assert_type(error.diag.constraint_name, "str | None")
    assert_type(errors.lookup("23505"), "type[psycoxide.Error]")
    assert_type(errorcodes.lookup(errorcodes.UNIQUE_VIOLATION), str)


def except_clauses() -> None:
    try:
        psycoxide.connect("dbname=test", connect_timeout=3)
    except (errors.UniqueViolation, psycoxide.OperationalError) as error:
        print(error.diag.message_primary)


def connections_have_types(conn: extensions.connection) -> None:
    assert_type(conn.closed, int)
    assert_type(conn.status, int)
    assert_type(conn.info.server_version, int)
    assert_type(conn.get_parameter_status("TimeZone"), "str | None")
    conn.autocommit = True
    conn.set_session(isolation_level="serializable", readonly=True)
    with conn as same:
        assert_type(same, extensions.connection)


def cursors_have_types(cur: extensions.cursor) -> None:
    cur.execute("select %s", (1,))
    cur.execute(sql.SQL("select {}").format(sql.Identifier("a")), {"a": 1})
    assert_type(cur.fetchall(), "list[Any]")
    assert_type(cur.mogrify("select 1"), bytes)
    assert_type(cur.rowcount, int)
    assert_type(cur.description, "tuple[extensions.Column, ...] | None")
    with cur as same:
        assert_type(same, extensions.cursor)
    for row in cur:
        print(row)


class Subclassed(extensions.connection):
    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("cursor_factory", extras.DictCursor)
        return super().cursor(*args, **kwargs)


class Counting(extras.RealDictCursor):
    count = 0

    def execute(self, query: Any, vars: Any = None) -> Any:
        self.count += 1
        return super().execute(query, vars)


def the_rest() -> None:
    assert_type(extensions.make_dsn(host="x"), str)
    assert_type(extensions.parse_dsn("host=x"), "dict[str, str]")
    assert_type(extras.NumericRange(1, 2).isempty, bool)
    assert_type(sql.SQL(", ").join([sql.Placeholder()]), sql.Composed)
    assert_type(pool.ThreadedConnectionPool(1, 2, "dsn").getconn(), extensions.connection)
    assert_type(tz.LOCAL.utcoffset(datetime.datetime.now()), datetime.timedelta)
    extensions.register_adapter(dict, extras.Json)
    extensions.register_type(extensions.UNICODE)
    caster = extensions.new_type((1,), "T", lambda value, cur: value)
    extensions.register_type(extensions.new_array_type((2,), "T[]", caster))
