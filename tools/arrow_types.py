"""Which Arrow type each PostgreSQL type becomes, with psycoxide and with others.

    .venv/bin/python tools/pgserver.py run -- .venv/bin/python tools/arrow_types.py --update

`--update` writes the table into docs/arrow-types.md, between its markers; `--check` says whether it
would differ; else it is printed. Each driver has a process of its own, and another one after a
value that ends it. "differs" marks a value whose text is not the one that psycoxide gave.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb_reader

PAGE = Path(__file__).resolve().parent.parent / "docs" / "arrow-types.md"
BEGIN = "<!-- written by tools/arrow_types.py --update -->\n"
END = "<!-- end -->"

# How many seconds a driver may take.
TIMEOUT = 60

# What a driver is called, and the package that says its version.
DRIVERS = {
    "psycoxide": "psycoxide",
    "adbc": "adbc-driver-postgresql",
    "connectorx": "connectorx",
    "rows": "polars",
    "duckdb": "duckdb",
}

# The types below that a server does not come with.
MADE = """
    drop schema if exists arrow_types cascade;
    create schema arrow_types;
    create extension if not exists hstore schema public;
    create type arrow_types.mood as enum ('sad', 'ok', 'happy');
    create type arrow_types.place as (x integer, name text);
    create domain arrow_types.positive as integer check (value > 0);
"""

TYPES = [
    ("boolean", "true"),
    ("smallint", "1::smallint"),
    ("integer", "1"),
    ("bigint", "1::bigint"),
    ("real", "1.5::real"),
    ("double precision", "1.5::double precision"),
    ("oid", "3000000000::oid"),
    ("xid", "'3000000000'::xid"),
    ("numeric(10,2)", "12.34::numeric(10,2)"),
    ("numeric(50,20)", "12.34::numeric(50,20)"),
    ("numeric", "12.34::numeric"),
    ("numeric, 17 digits after the point", "0.12345678901234567::numeric"),
    ("numeric NaN", "'NaN'::numeric"),
    ("money", "12.34::money"),
    ("text", "'a'::text"),
    ("char(3)", "'a'::char(3)"),
    ('"char"', "'a'::\"char\""),
    ("name", "'a'::name"),
    ("xml", "'<a/>'::xml"),
    ("bytea", "'\\x0102'::bytea"),
    ("bit(4)", "B'0101'"),
    ("varbit", "B'0101'::varbit"),
    ("date", "'2024-02-29'::date"),
    ("date infinity", "'infinity'::date"),
    ("time", "'12:30'::time"),
    ("timetz", "'12:30+02'::timetz"),
    ("timestamp", "'2024-02-29 12:30'::timestamp"),
    ("timestamp infinity", "'infinity'::timestamp"),
    ("timestamptz", "'2024-02-29 12:30+00'::timestamptz"),
    ("interval", "'1 mon 2 days'::interval"),
    ("uuid", "'00112233-4455-6677-8899-aabbccddeeff'::uuid"),
    ("json", '\'{"b": 1.0, "a": 2}\'::json'),
    ("jsonb", '\'{"b": 1.0, "a": 2}\'::jsonb'),
    ("inet", "'10.0.0.1/8'::inet"),
    ("cidr", "'10.0.0.0/8'::cidr"),
    ("macaddr", "'08:00:2b:01:02:03'::macaddr"),
    ("pg_lsn", "'1/2'::pg_lsn"),
    ("regclass", "'pg_class'::regclass"),
    ("tsvector", "'a b'::tsvector"),
    ("point", "'(1,2)'::point"),
    ("polygon", "'((0,0),(1,1),(1,0))'::polygon"),
    ("integer[]", "array[1, null, 3]"),
    ("integer[][]", "array[[1, 2], [3, 4]]"),
    ("text[]", "array['a', null]"),
    ("numeric(10,2)[]", "array[1.5]::numeric(10,2)[]"),
    ("int4range", "'[1,3)'::int4range"),
    ("int4multirange", "'{[1,3),[5,7)}'::int4multirange"),
    ("enum", "'ok'::arrow_types.mood"),
    ("enum[]", "array['ok', 'sad']::arrow_types.mood[]"),
    ("composite type", "row(1, 'a')::arrow_types.place"),
    ("domain over integer", "1::arrow_types.positive"),
    ("hstore", "'a=>1, b=>NULL'::public.hstore"),
    ("row (record)", "row(1, 'a')"),
    ("void", "pg_sleep(0)"),
]


def parameters(dsn: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in shlex.split(dsn))


def uri(dsn: str) -> str:
    given = parameters(dsn)
    user, password = quote(given["user"]), quote(given.get("password", ""))
    return f"postgresql://{user}:{password}@{given['host']}:{given['port']}/{given['dbname']}"


def table(driver: str, dsn: str, query: str) -> Any:
    """The result of a query as a pyarrow.Table, by a driver."""
    if driver == "psycoxide":
        psycoxide: Any = import_module("psycoxide")
        with psycoxide.connect(dsn) as conn, conn.cursor() as cursor:
            cursor.arrow = True
            cursor.execute(query)
            return cursor.fetch_arrow_table()
    if driver == "adbc":
        dbapi: Any = import_module("adbc_driver_postgresql.dbapi")
        with dbapi.connect(uri(dsn)) as theirs, theirs.cursor() as cur:
            cur.execute(query)
            return cur.fetch_arrow_table()
    if driver == "connectorx":
        connectorx: Any = import_module("connectorx")
        return import_module("pyarrow").table(
            connectorx.read_sql(uri(dsn), query, return_type="arrow")
        )
    if driver == "duckdb":
        return duckdb_reader.connect(uri(dsn)).execute(duckdb_reader.of(query)).to_arrow_table()
    polars: Any = import_module("polars")
    psycopg2: Any = import_module("psycopg2")
    rows = psycopg2.connect(dsn)
    return polars.read_database(query, rows)


def one(driver: str, dsn: str, value: str) -> dict[str, str]:
    """The Arrow type and the text of a value."""
    result = table(driver, dsn, f"select {value} as c")
    if driver == "rows":
        cell = result["c"].to_list()[0]
        cell = bytes(cell) if isinstance(cell, memoryview) else cell
        return {"type": str(result.schema["c"]), "value": str(cell)}
    kind, cell = result.schema.field("c").type, result["c"].to_pylist()[0]
    name = str(kind)
    if getattr(kind, "extension_name", None) == "arrow.opaque":
        storage = str(kind.storage_type)
        name = "opaque bytes" if "binary" in storage else f"opaque {storage}"
    return {"type": name, "value": str(cell)}


def answers(driver: str, dsn: str, begin: int) -> None:
    """Print what comes of each value, from one on, a line of JSON each."""
    for _, value in TYPES[begin:]:
        try:
            answer = one(driver, dsn, value)
        except BaseException as error:
            panics = type(error).__name__ == "PanicException"
            answer = {"type": "panics" if panics else "error", "value": ""}
        print(json.dumps(answer), flush=True)


def asked(driver: str, dsn: str) -> list[dict[str, str]]:
    """The answers of a process, and of the next one where that died of a value."""
    found: list[dict[str, str]] = []
    environment = os.environ | {"PSYCOXIDE_TEST_DSN": dsn, "RUST_BACKTRACE": "0"}
    while len(found) < len(TYPES):
        command = [sys.executable, __file__, "--from", driver, str(len(found))]
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=TIMEOUT
        )
        found += [json.loads(line) for line in done.stdout.splitlines()]
        if len(found) < len(TYPES):
            found.append({"type": "ends the process", "value": ""})
    return found


def written(dsn: str) -> str:
    """The table, as Markdown."""
    heads = [f"{name} {importlib.metadata.version(p)}" for name, p in DRIVERS.items()]
    heads[-2] = "polars from rows " + importlib.metadata.version("polars")
    heads[-1] = f"duckdb {duckdb_reader.VERSION}"
    lines = ["| PostgreSQL | " + " | ".join(heads) + " |", "| --- " * (len(heads) + 1) + "|"]
    columns = [asked(driver, dsn) for driver in DRIVERS]
    for (name, _), found in zip(TYPES, zip(*columns)):
        ours = found[0]
        cells = []
        for answer in found:
            differs = ours["value"] and answer["value"] and answer["value"] != ours["value"]
            shown = answer["value"].replace("|", "\\|")[:60]
            note = f" *differs:* `{shown}`" if differs else ""
            cells.append(answer["type"].replace("|", "\\|") + note)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--from", dest="begin", nargs=2, metavar=("DRIVER", "NUMBER"))
    given = parser.parse_args()
    dsn = os.environ["PSYCOXIDE_TEST_DSN"]
    if given.begin:
        answers(given.begin[0], dsn, int(given.begin[1]))
        return 0
    duckdb_reader.install()
    psycopg2: Any = import_module("psycopg2")
    conn = psycopg2.connect(dsn)
    conn.autocommit = True
    conn.cursor().execute(MADE)
    text = written(dsn)
    conn.cursor().execute("drop schema arrow_types cascade")
    if not given.update and not given.check:
        print(text, end="")
        return 0
    page = PAGE.read_text()
    before, rest = page.split(BEGIN, 1)
    new = before + BEGIN + text + END + rest.split(END, 1)[1]
    if given.check:
        return int(new != page)
    PAGE.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
