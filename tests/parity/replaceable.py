"""What a program can put something else in the place of: the globals that psycopg2's Python code
looks up whenever it runs.

`walk()` finds them in the installed psycopg2, by the names that its byte code loads. `USES` has for
each a few statements that need it; `NOT_COMPARED` has the rest, by the reason. Run as a program
(`replaceable.py DRIVER DSN`) it tells for each use whether the replacement was called, and what the
statements came to.
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import driver_program

MODULES = ("", "extensions", "extras", "_json", "_range", "_ipaddress", "pool", "sql", "tz")

HSTORE = "extras.register_hstore(conn, oid=OID, array_oid=OID + 1)"
COMPOSITE = "extras.register_composite('replaced_pair', conn)"
RANGE = "extras.register_range('replaced_range', 'R', conn)"
JSON = "extras.register_default_json(conn, loads=lambda s: 1)"
UUID = "extras.register_uuid(None, conn)"
INET = "extras.register_inet(None, conn)"
ADDRESS = "extras.register_ipaddress(conn)"
DICTS = (
    "c = conn.cursor(cursor_factory=extras.DictCursor); c.execute('select 1 as a'); "
    "show(c.fetchone())"
)
REAL = (
    "c = conn.cursor(cursor_factory=extras.RealDictCursor); c.execute('select 1 as a'); "
    "show(c.fetchall())"
)
NAMED = (
    "c = conn.cursor(cursor_factory=extras.NamedTupleCursor); c.execute('select 1 as \"a b\"'); "
    "show(c.fetchone())"
)
LOGGED = (
    "import io; c = psycopg2.connect(dsn, connection_factory=extras.{}); f = io.StringIO(); "
    "c.initialize(f); k = c.cursor(); k.execute('select 1'); "
    "show(f.getvalue().splitlines()[0]); c.close()"
)
VALUES = "extras.execute_values(cur, 'select * from (values %s) v', [(1,), (2,)], fetch=True)"
SLOT = (
    "c = psycopg2.connect(dsn, connection_factory=extras.{}ReplicationConnection); k = c.cursor(); "
    "attempt(lambda: k.start_replication('a b', options={{'o': 'v'}})); c.close()"
)
POOL = "p = psycopg2.pool.{}ConnectionPool(1, 1, dsn); k = p.getconn(); p.putconn(k); p.closeall()"

# By the module, then by the name: what to run.
USES: dict[str, dict[str, list[str]]] = {
    "": {
        "_connect": ["psycopg2.connect(dsn).close()", "psycopg2.connect(dsn, async_=True).close()"],
        "connect": [POOL.format("Simple"), POOL.format("Threaded")],
    },
    "extensions": {
        "make_dsn": ["psycopg2.connect(dsn).close()", "psycopg2.connect(dsn, user='x y')"],
        "parse_dsn": [
            "show(extensions.make_dsn('dbname=a'))",
            "show(extensions.make_dsn('dbname=a', user='b'))",
            "show(extensions.make_dsn(user='b'))",
            "show(extensions.make_dsn('dbname=a', user='b', nonsense=1))",
        ],
        "adapt": [
            "show(cur.mogrify('%s', ((1, None, 'a'),)))",
            "show(cur.mogrify('%s %s', (1, [(2,)])))",
            "show(extensions.SQL_IN((1, 2)).getquoted())",
            "show(sql.Literal(1).as_string(conn))",
            "a = extras.HstoreAdapter({'a': 'b'}); a.prepare(conn); show(a.getquoted())",
            "show(cur.mogrify('%s', (extras.NumericRange(1, 2),)))",
            "a = extras.Inet('::1'); a.prepare(conn); show(a.getquoted())",
            "show(extras.Json({'a': 1}).getquoted())",
        ],
        "adapters": ["extensions.register_adapter(type('T', (), {}), extensions.AsIs)"],
        "ISQLQuote": [],
        "register_type": [HSTORE, COMPOSITE, UUID, INET, JSON, RANGE, ADDRESS],
        "register_adapter": [HSTORE, UUID, RANGE, ADDRESS],
        "new_type": [HSTORE, COMPOSITE, UUID, INET, JSON, RANGE],
        "new_array_type": [HSTORE, COMPOSITE, UUID, INET, JSON, RANGE],
        "quote_ident": [
            "show(sql.Identifier('a', 'b c').as_string(conn))",
            SLOT.format("Logical"),
        ],
        "encodings": [
            "show(sql.Literal('a').as_string(conn))",
            VALUES,
            LOGGED.format("LoggingConnection"),
        ],
        "connection": ["show(sql.Literal('a').as_string(conn))"],
        "cursor": ["show(sql.Literal('a').as_string(cur))"],
    },
    "extras": {
        "CompositeCaster": [COMPOSITE],
        "DictCursor": [
            "show(psycopg2.connect(dsn, connection_factory=extras.DictConnection).cursor())"
        ],
        "DictRow": [DICTS],
        "HstoreAdapter": [
            HSTORE,
            "extras.register_hstore(conn)",
            f"{HSTORE}; show(cur.mogrify('%s', ({{'a': 'b'}},)))",
        ],
        "Inet": [f"show({INET}('::1', cur))"],
        "LoggingCursor": [LOGGED.format("LoggingConnection")],
        "MinTimeLoggingCursor": [
            LOGGED.format("MinTimeLoggingConnection").replace("(f)", "(f, -1)")
        ],
        "NamedTupleCursor": [
            "show(psycopg2.connect(dsn, connection_factory=extras.NamedTupleConnection).cursor())"
        ],
        "RealDictCursor": [
            "show(psycopg2.connect(dsn, connection_factory=extras.RealDictConnection).cursor())"
        ],
        "RealDictRow": [REAL],
        "UUID_adapter": [f"import uuid; {UUID}; show(cur.mogrify('%s', (uuid.UUID(int=1),)))"],
        "_cursor": [COMPOSITE, RANGE, "extras.register_json(conn, name='json')"],
        "_paginate": ["extras.execute_batch(cur, 'select %s', [(1,), (2,)], page_size=1)", VALUES],
        "_re_clean": [NAMED, COMPOSITE],
        "_solve_conn_curs": [
            COMPOSITE,
            RANGE,
            "extras.register_json(conn, name='json')",
            "extras.HstoreAdapter.get_oids(conn)",
        ],
        "_split_sql": [VALUES],
        "quote_ident": [
            SLOT.format("Logical"),
            "c = psycopg2.connect(dsn, connection_factory=extras.LogicalReplicationConnection); "
            "k = c.cursor(); attempt(lambda: k.drop_replication_slot('a b')); c.close()",
        ],
    },
    "_json": {
        "QuotedString": ["show(extras.Json({'a': 1}).getquoted())"],
        "_create_json_typecasters": [JSON],
        "_get_json_oids": ["extras.register_json(conn, name='json')"],
        "new_array_type": [JSON],
        "new_type": [JSON],
        "register_json": [JSON, "extras.register_default_jsonb(conn, loads=str)"],
        "register_type": [JSON],
    },
    "_range": {
        "Range": [RANGE],
        "RangeAdapter": [RANGE],
        "RangeCaster": [RANGE],
        "adapt": [
            "show(cur.mogrify('%s', (extras.NumericRange(1, 2),)))",
            "import datetime as d; day = d.date(2020, 1, 1); "
            "show(cur.mogrify('%s', (extras.DateRange(day),)))",
        ],
        "new_array_type": [RANGE],
        "new_type": [RANGE],
        "register_adapter": [RANGE],
        "register_type": [RANGE],
    },
    "_ipaddress": {
        "QuotedString": [
            f"import ipaddress as i; {ADDRESS}; cur.mogrify('%s', (i.ip_network('::'),))"
        ],
        "_make_casters": [f"psycopg2._ipaddress._casters = None; {ADDRESS}"],
        "adapt_ipaddress": [
            f"import ipaddress as i; {ADDRESS}; cur.mogrify('%s', (i.ip_network('::'),))"
        ],
        "cast_interface": [
            f"psycopg2._ipaddress._casters = None; {ADDRESS}; cur.execute(\"select '::'::inet\"); "
            "show(cur.fetchone())"
        ],
        "cast_network": [
            f"psycopg2._ipaddress._casters = None; {ADDRESS}; cur.execute(\"select '::'::cidr\"); "
            "show(cur.fetchone())"
        ],
        "new_array_type": [f"psycopg2._ipaddress._casters = None; {ADDRESS}"],
        "new_type": [f"psycopg2._ipaddress._casters = None; {ADDRESS}"],
        "register_adapter": [ADDRESS],
        "register_type": [ADDRESS],
    },
    "pool": {
        "PoolError": ["p = psycopg2.pool.SimpleConnectionPool(0, 0, dsn); attempt(p.getconn)"]
    },
    "sql": {
        "Composed": ["show((sql.SQL('a') + sql.SQL('b')).as_string(conn))"],
        "SQL": ["show(sql.SQL('a{}').format(sql.SQL('b')).as_string(conn))"],
        "_formatter": ["show(sql.SQL('a{}').format(sql.SQL('b')).as_string(conn))"],
    },
    "tz": {},
}

# What is looked up and not compared, and why.
NOT_COMPARED: dict[str, set[str]] = {
    "a module, class or function of the standard library: to be replaced where it is, not under "
    "the private name that psycopg2 has for it": {
        "extras.OrderedDict", "extras._logging", "extras._os", "extras._re", "extras._time",
        "extras.namedtuple", "_json.json", "_ipaddress.ipaddress", "tz.datetime", "tz.time",
        "extras._ext",
    },
    "a constant": {
        "extensions.STATUS_IN_TRANSACTION", "extensions.TRANSACTION_STATUS_IDLE",
        "extensions.TRANSACTION_STATUS_UNKNOWN", "extras.REPLICATION_LOGICAL",
        "extras.REPLICATION_PHYSICAL", "_json.JSONARRAY_OID", "_json.JSONBARRAY_OID",
        "_json.JSONB_OID", "_json.JSON_OID", "tz.DSTDIFF", "tz.DSTOFFSET", "tz.STDOFFSET",
        "tz.ZERO", "_ipaddress._casters",
    },
    "written by psycopg2, not read": {
        "extensions.INET", "extensions.INETARRAY", "extensions.UUID", "extensions.UUIDARRAY",
    },
    "an exception: the native module raises its own, as psycopg2's does": {
        ".DataError", ".InterfaceError", ".ProgrammingError", "_range.InterfaceError",
        "_range.ProgrammingError",
    },
    "the protocol, which is compared by identity": {
        "extensions.ISQLQuote", "_json.ISQLQuote", "_range.ISQLQuote",
    },
    "a class that names itself, to call the method that it inherits or to know its own kind": {
        "extras.LoggingConnection", "pool.AbstractConnectionPool", "sql.Composable",
        "tz.FixedOffsetTimezone",
    },
    "the native adapter under a private name": {"extras._A"},
    "psycopg2's way to escape, of which psycoxide has a native one": {"extensions._param_escape"},
}  # fmt: skip


def walk(driver: str) -> set[str]:
    """`module.name` of each global that the functions of the driver's modules look up."""
    found = set()
    for short in MODULES:
        module = importlib.import_module(f"{driver}.{short}" if short else driver)
        for code in codes_of(module):
            found.update(f"{place}.{name}" for place, name in looked_up(module, short, code))
    return found


def codes_of(module: ModuleType) -> Iterator[CodeType]:
    pending: list[Any] = list(vars(module).values())
    seen = set()
    while pending:
        value = pending.pop()
        value = getattr(value, "__func__", value)
        value = getattr(value, "__wrapped__", value)
        if isinstance(value, property):
            pending += [value.fget, value.fset]
        elif isinstance(value, FunctionType) and value.__module__ == module.__name__:
            pending.append(value.__code__)
        elif isinstance(value, CodeType):
            yield value
            pending += [const for const in value.co_consts if isinstance(const, CodeType)]
        elif isinstance(value, type) and value.__module__ == module.__name__ and value not in seen:
            seen.add(value)
            pending += vars(value).values()


def looked_up(module: ModuleType, short: str, code: CodeType) -> Iterator[tuple[str, str]]:
    names = vars(module)
    instructions = list(dis.get_instructions(code))
    for here, following in zip(instructions, instructions[1:] + instructions[-1:]):
        if here.opname != "LOAD_GLOBAL":
            continue
        name = here.argval
        if hasattr(builtins, name) and name not in names:
            continue
        owner = names.get(name)
        package = module.__name__.partition(".")[0]
        if isinstance(owner, ModuleType) and owner.__name__.partition(".")[0] == package:
            if following.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR"):
                yield owner.__name__.partition(".")[2], following.argval
        else:
            yield short, name


def replacement(original: Any, calls: list[str]) -> Any:
    """What does the same, and tells that it was used."""
    if isinstance(original, dict):

        class Watched(dict):  # type: ignore[type-arg]
            def __getitem__(self, key: Any) -> Any:
                calls.append("[]")
                return super().__getitem__(key)

            def __setitem__(self, key: Any, value: Any) -> None:
                calls.append("[]=")
                super().__setitem__(key, value)

        return Watched(original)
    if isinstance(original, type):

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            calls.append(original.__name__)
            super(made, self).__init__(*args, **kwargs)

        made = type(original.__name__, (original,), {"__init__": __init__})
        return made
    if callable(original):

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(original.__name__)
            return original(*args, **kwargs)

        return call
    return Watcher(original, calls)


class Watcher:
    """Any other object, whose attributes are counted."""

    def __init__(self, original: Any, calls: list[str]) -> None:
        self._original, self._calls = original, calls

    def __getattr__(self, name: str) -> Any:
        self._calls.append(name)
        return getattr(self._original, name)


def main(driver: str, dsn: str) -> None:
    if driver == "psycoxide":
        import psycoxide

        psycoxide.install_as_psycopg2()
    import psycopg2
    import psycopg2._ipaddress
    import psycopg2.extras
    import psycopg2.pool
    import psycopg2.sql

    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    answers = {}
    for short, uses in USES.items():
        module = importlib.import_module(f"psycopg2.{short}" if short else "psycopg2")
        for name, programs in uses.items():
            original = getattr(module, name)
            for program in programs:
                calls: list[str] = []
                setattr(module, name, replacement(original, calls))
                more = {"cur": connection.cursor(), "OID": 54321}
                told = driver_program.run_script(connection, {"script": program}, dsn, more)
                setattr(module, name, original)
                answers[f"{short}.{name}: {program}"] = {"used": bool(calls), **told}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
