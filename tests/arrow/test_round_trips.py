"""What is read as Arrow and written again is the same: random tables with a column of each type."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings, strategies as st

import psycoxide

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: the extra `test` has it")

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.integers(-(2**31), 2**31 - 1)
DATES = st.dates(max_value=dt.date(9000, 1, 1))
STAMPS = st.datetimes(max_value=dt.datetime(9000, 1, 1))
FLOATS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: float(f"{number:.6g}"))
PAIRS = st.tuples(FLOATS, FLOATS)


def decimals(digits: int, scale: int) -> Any:
    return st.integers(-(10**digits) + 1, 10**digits - 1).map(lambda n: f"{n}e-{scale}")


def written(strategy: Any, form: str = "{}") -> Any:
    """Values as texts that the server reads."""
    return strategy.map(lambda value: form.format(value))


def points(least: int, form: str) -> Any:
    some = st.lists(PAIRS, min_size=least, max_size=4)
    return some.map(lambda pairs: form.format(",".join(f"({x},{y})" for x, y in pairs)))


def ranges(bounds: Any, form: str = "{}") -> Any:
    """Ranges: with both bounds, one, or none; empty ones."""
    ordered = st.tuples(bounds, bounds).map(lambda pair: [form.format(one) for one in sorted(pair)])
    return st.one_of(
        ordered.map(lambda pair: f'["{pair[0]}","{pair[1]}")'),
        ordered.map(lambda pair: f'("{pair[0]}","{pair[1]}"]'),
        ordered.map(lambda pair: f'["{pair[0]}",)'),
        ordered.map(lambda pair: f'(,"{pair[0]}"]'),
        st.sampled_from(["empty", "(,)"]),
    )


def multiranges(bounds: Any) -> Any:
    return st.lists(ranges(bounds), max_size=3).map(lambda some: "{" + ",".join(some) + "}")


def quoted(value: str) -> str:
    """Within an array, a row or an hstore."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def arrays(items: Any) -> Any:
    some = st.lists(st.none() | items, max_size=4)
    return some.map(
        lambda list: "{" + ",".join("NULL" if v is None else quoted(v) for v in list) + "}"
    )


INTERVALS = st.tuples(
    st.integers(-9999, 9999), st.integers(-9999, 9999), st.integers(-(10**15), 10**15)
).map(lambda parts: f"{parts[0]} mons {parts[1]} days {parts[2]} microseconds")
TIMES = written(st.times())
MOODS = st.sampled_from(["sad", "ok", "happy"])
PLACES = st.tuples(st.none() | NUMBERS, st.none() | decimals(5, 2), st.none() | TEXT).map(
    lambda parts: "(" + ",".join("" if v is None else quoted(str(v)) for v in parts) + ")"
)
HSTORES = st.dictionaries(TEXT, st.none() | TEXT, max_size=3).map(
    lambda pairs: ",".join(
        f"{quoted(key)}=>{'NULL' if value is None else quoted(value)}"
        for key, value in pairs.items()
    )
)
JSON = st.recursive(
    st.sampled_from(["null", "true", "12.50", '"a\\nb"', '"\N{SNOWMAN}"']),
    lambda inner: st.lists(inner, max_size=2).map(lambda some: f'{{"a": [{", ".join(some)}]}}'),
    max_leaves=3,
)
BITS = st.text("01", min_size=1, max_size=9)
ADDRESSES = st.sampled_from(["127.0.0.1", "10.0.0.0/8", "::1", "fe80::1/64", "192.168.1.77/24"])

# The name of a type, and its values as texts.
TYPES: dict[str, Any] = {
    "bool": st.sampled_from(["true", "false"]),
    "int2": written(st.integers(-(2**15), 2**15 - 1)),
    "int4": written(NUMBERS),
    "int8": written(st.integers(-(2**63), 2**63 - 1)),
    "oid": written(st.integers(0, 2**32 - 1)),
    "xid": written(st.integers(0, 2**32 - 1)),
    "xid8": written(st.integers(0, 2**64 - 1)),
    "float4": written(st.floats(width=32)),
    "float8": written(st.floats()),
    "numeric(12,3)": decimals(12, 3),
    "numeric(38,38)": decimals(38, 38),
    "numeric(60,10)": decimals(60, 10),
    "numeric(100,2)": decimals(100, 2),
    "numeric": decimals(38, 18),
    "money": st.integers(-(10**16), 10**16).map(lambda n: f"{n}.{abs(n) % 100:02}"),
    "text": TEXT,
    "varchar(12)": TEXT,
    "char(12)": TEXT,
    "name": TEXT,
    '"char"': st.sampled_from(["a", "~", ""]),
    "bytea": written(st.binary(max_size=9).map(bytes.hex), "\\x{}"),
    "bit(3)": st.text("01", min_size=3, max_size=3),
    "varbit": BITS,
    "date": written(DATES),
    "time": TIMES,
    "timetz": written(st.times(), "{}+05:30"),
    "timestamp": written(STAMPS),
    "timestamptz": written(STAMPS, "{}+00"),
    "interval": INTERVALS,
    "uuid": written(st.uuids()),
    "json": JSON,
    "jsonb": JSON,
    "inet": ADDRESSES,
    "cidr": st.sampled_from(["10.0.0.0/8", "::1/128", "192.168.1.0/24"]),
    "macaddr": st.just("08:00:2b:01:02:03"),
    "macaddr8": st.just("08:00:2b:01:02:03:04:05"),
    "point": written(PAIRS),
    "line": st.just("{1,-1.5,2}"),
    "lseg": written(st.tuples(PAIRS, PAIRS)),
    "box": written(st.tuples(PAIRS, PAIRS)),
    "path": points(1, "[{}]") | points(1, "({})"),
    "polygon": points(1, "({})"),
    "circle": st.tuples(PAIRS, st.integers(0, 99)).map(lambda of: f"<{of[0]},{of[1]}>"),
    "pg_lsn": st.just("16/B374D848"),
    "tsvector": st.sampled_from(["", "'a':1 'fat':2,4C"]),
    "tsquery": st.sampled_from(["", "'fat' & !'rat':A"]),
    "jsonpath": st.just('$."a"[*]?(@ > 1)'),
    "regtype": st.sampled_from(["integer", "text[]"]),
    "int4range": ranges(NUMBERS.filter(lambda number: number < 2**31 - 1)),
    # With the digits after the point that a decimal128 has for numeric.
    "numrange": ranges(st.integers(-(10**9), 10**9), "{}e-18"),
    "tsrange": ranges(STAMPS),
    "tstzrange": ranges(STAMPS.map(lambda stamp: stamp.replace(tzinfo=dt.timezone.utc))),
    "daterange": ranges(DATES),
    "mood": MOODS,
    "positive": written(st.integers(1, 2**31 - 1)),
    "place": PLACES,
    "hstore": HSTORES,
    "bool[]": arrays(st.sampled_from(["t", "f"])),
    "int4[]": arrays(written(NUMBERS)),
    "numeric(8,2)[]": arrays(decimals(8, 2)),
    "text[]": arrays(TEXT),
    "bytea[]": arrays(written(st.binary(max_size=5).map(bytes.hex), "\\x{}")),
    "timestamptz[]": arrays(written(STAMPS, "{}+00")),
    "interval[]": arrays(INTERVALS),
    "uuid[]": arrays(written(st.uuids())),
    "inet[]": arrays(ADDRESSES),
    "jsonb[]": arrays(JSON),
    "int4range[]": arrays(ranges(st.integers(-999, 999))),
    "mood[]": arrays(MOODS),
    "place[]": arrays(PLACES),
}
SINCE_14 = {
    "int4multirange": multiranges(st.integers(-999, 999)),
    "datemultirange": multiranges(DATES),
}
# Types whose Arrow type is that of another one as well, which a table is made with; and those whose
# Arrow type no type of the server is made for.
WIDER = {"char(12)"}
STRUCTS = {"place", "place[]"}
SCHEMA = "round_trips"


class Place(NamedTuple):
    """Where the tables are, and the types that there are."""

    cur: Any
    types: dict[str, Any]

    def __repr__(self) -> str:
        return f"<{len(self.types)} types>"


@pytest.fixture(scope="module")
def place(dsn: str) -> Iterator[Place]:
    conn = psycoxide.connect(dsn)
    conn.autocommit = True
    cur = conn.cursor()
    cur.execute("create extension if not exists hstore schema public")
    cur.execute(
        f"""
        drop schema if exists {SCHEMA} cascade;
        create schema {SCHEMA};
        set search_path = {SCHEMA}, public;
        set lc_monetary = 'C';
        create type mood as enum ('sad', 'ok', 'happy');
        create domain positive as int check (value > 0);
        create type place as (x int, y numeric(5, 2), t text)
        """
    )
    yield Place(cur, TYPES | (SINCE_14 if conn.server_version >= 140000 else {}))
    cur.execute(f"drop schema {SCHEMA} cascade")
    conn.close()


def read(cur: Any, query: str, *, arrives: bool) -> Any:
    """A query's table, decoded from the binary formats or converted from texts."""
    cur.arrow = True if arrives else None
    cur.execute(query)
    table = cur.fetch_arrow_table()
    cur.arrow = None
    return table


@st.composite
def tables(draw: Any, types: dict[str, Any]) -> Any:
    names = draw(st.lists(st.sampled_from(list(types)), min_size=1, max_size=8))
    rows = draw(st.lists(st.tuples(*(st.none() | types[name] for name in names)), max_size=6))
    cuts = draw(st.lists(st.integers(0, len(rows)), max_size=2))
    return names, rows, sorted(cuts)


@settings(max_examples=120)
@given(st.data(), st.booleans())
def test_what_is_read_and_written_again_is_the_same(place, data, arrives):
    cur = place.cur
    types, rows, cuts = data.draw(tables(place.types))
    columns = ["n int"] + [f"c{number} {kind}" for number, kind in enumerate(types)]
    for name in ("origin", "again", "made"):
        cur.execute(f"drop table if exists {name}")
    cur.execute(f"create table origin ({', '.join(columns)})")
    cur.execute(f"create table again ({', '.join(columns)})")
    texts = ", ".join(["%s"] + [f"%s::{kind}" for kind in types])
    for number, row in enumerate(rows):
        cur.execute(f"insert into origin values ({texts})", (number, *row))

    table = read(cur, "select * from origin order by n", arrives=arrives)
    places = [0, *cuts, len(rows)]
    sliced = pa.concat_tables([table.slice(a, b - a) for a, b in itertools.pairwise(places)])

    # Into a table of the same types: what the server writes is the same, to the character. What
    # Arrow has no place for is dropped: the lower bounds of arrays, which these arrays do not have.
    assert cur.adbc_ingest("again", sliced, "append") == len(rows)
    lines = []
    for name in ("origin", "again"):
        cur.execute(f"select t::text from {name} t order by n")
        lines.append(cur.fetchall())
    assert lines[0] == lines[1]

    # Into a table that is made for the data: its values become the same in Arrow.
    if STRUCTS.intersection(types):
        return
    assert cur.adbc_ingest("made", sliced, "create") == len(rows)
    made = read(cur, "select * from made order by n", arrives=arrives)
    assert made.schema.names == table.schema.names
    for name, of_made, of_table in zip(["int4", *types], made.schema, table.schema):
        assert name in WIDER or str(of_made.type) == str(of_table.type)
    # NaN is not equal to itself, as a text it is.
    assert repr(made.to_pylist()) == repr(table.to_pylist())
