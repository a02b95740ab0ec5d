"""Section 2: Python values on their way into PostgreSQL and back."""

from __future__ import annotations

import datetime as dt
import decimal
import random
import uuid
from typing import Any
from xml.etree import ElementTree

from show import Show

import psycoxide
from psycoxide import extensions, extras

UTC = dt.timezone.utc
XML_OID = 142

# (PostgreSQL type, the value written, the value read if it is another one)
SAME = object()
PAIRS: list[tuple[str, Any, Any]] = [
    ("boolean", True, SAME),
    ("integer", 2**31 - 1, SAME),
    ("bigint", -(2**63), SAME),
    ("double precision", 0.1, SAME),
    ("numeric", decimal.Decimal("12345678901234567890.0123456789"), SAME),
    ("text", "it's 100% \\ naïve: 漢字 😀", SAME),
    ("char(6)", "padded"[:3], "pad   "),
    ("bytea", bytes(range(0, 256, 15)), SAME),
    ("date", dt.date(2024, 2, 29), SAME),
    ("time", dt.time(23, 59, 59, 999999), SAME),
    ("timetz", dt.time(12, 30, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))), SAME),
    ("timestamp", dt.datetime(1999, 12, 31, 23, 59, 59, 1), SAME),
    ("timestamptz", dt.datetime(2024, 5, 17, 12, 34, 56, tzinfo=UTC), SAME),
    ("interval", dt.timedelta(days=-3, hours=7, microseconds=5), SAME),
    ("integer[]", [1, None, 3], SAME),
    ("text[]", [["a", 'b"c'], ["d,e", "{f}"]], SAME),
    ("date[]", [dt.date(2000, 1, 1), dt.date(2000, 1, 2)], SAME),
    ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678"), SAME),
    ("json", extras.Json({"a": [1, 2.5, None, "x"]}), {"a": [1, 2.5, None, "x"]}),
    ("jsonb", extras.Json([True, {"b": "€"}]), [True, {"b": "€"}]),
    ("int4range", extras.NumericRange(1, 10), SAME),
    ("numrange", extras.NumericRange(decimal.Decimal("0.5"), None, "()"), SAME),
    ("daterange", extras.DateRange(dt.date(2024, 1, 1), dt.date(2024, 2, 1)), SAME),
    ("tstzrange", extras.DateTimeTZRange(dt.datetime(2024, 1, 1, tzinfo=UTC), None), SAME),
    ("inet", extras.Inet("192.168.1.7/24"), "192.168.1.7/24"),
    ("tour.place", ("Zoë's", (3, 4)), SAME),
    ("text", None, SAME),
]


def run(show: Show, dsn: str) -> None:
    conn = psycoxide.connect(dsn)
    pairs(show, conn)
    xml(show, dsn, conn)
    hstore(show, conn)
    conn.close()


def pairs(show: Show, conn: Any) -> None:
    """Each value goes into a column of its type and is read back out of it."""
    show.step("Each value is written to a column of its type, and read back from it.")
    cursor = conn.cursor()
    cursor.execute("create type tour.point as (x int, y int)")
    cursor.execute("create type tour.place as (name text, at tour.point)")
    extras.register_uuid(conn_or_curs=conn)
    extras.register_composite("tour.point", conn)
    extras.register_composite("tour.place", conn)
    columns = ", ".join(f"c{i} {kind}" for i, (kind, _in, _out) in enumerate(PAIRS))
    cursor.execute(f"create temporary table pairs ({columns})")
    values = tuple(value for _kind, value, _out in PAIRS)
    cursor.execute("insert into pairs values %s", (values,))
    cursor.execute("select * from pairs")
    row = cursor.fetchone()
    show.table(
        ["PostgreSQL", "Python → SQL", "SQL → Python"],
        [
            (kind, cursor.mogrify("%s", (value,)).decode(), plain(back))
            for (kind, value, _out), back in zip(PAIRS, row)
        ],
    )
    different = [
        (kind, back)
        for (kind, value, out), back in zip(PAIRS, row)
        if (bytes(back) if kind == "bytea" else back) != (value if out is SAME else out)
    ]
    kinds = len({kind for kind, _in, _out in PAIRS})
    show.check(f"{len(PAIRS)} values of {kinds} types come back as they went", different, [])
    conn.commit()


def plain(value: Any) -> str:
    """A value as text: a memoryview by its bytes, and names without their modules."""
    text = f"memoryview({bytes(value)!r})" if isinstance(value, memoryview) else repr(value)
    return text.replace("datetime.", "")


class ElementAdapter:
    """Writes an ElementTree element as SQL. An adapter has getquoted(), which returns bytes, and
    prepare(conn) if it needs the connection."""

    def __init__(self, element: ElementTree.Element) -> None:
        self.text = extensions.adapt(ElementTree.tostring(element, encoding="unicode"))

    def prepare(self, conn: extensions.connection) -> None:
        self.text.prepare(conn)

    def getquoted(self) -> bytes:
        quoted: bytes = self.text.getquoted()
        return to_xml % quoted


def cast_xml(text: str | None, cursor: extensions.cursor) -> ElementTree.Element | None:
    """Reads an xml column; None is SQL's NULL."""
    return None if text is None else ElementTree.fromstring(text)


to_xml = b"%s::xml"


def xml(show: Show, dsn: str, conn: Any) -> None:
    """Teaches the driver a type that it does not know, in both directions."""
    global to_xml
    show.step("[b]xml[/b] is plain text to the driver until you teach it: an adapter one way,")
    show.console.print("  a typecaster the other, the latter in any of three scopes.")
    show.code(ElementAdapter)
    show.code(cast_xml)
    cursor = conn.cursor()
    if not parses_xml(conn):
        # xml's input function needs libxml; text's does not, and the two are stored alike.
        show.step("This server was built without libxml and cannot parse xml: the adapter makes")
        show.console.print("  its xml values with a function that takes the text as it is.")
        cursor.execute(
            "create function tour.unchecked_xml(cstring) returns xml "
            "language internal strict immutable as 'textin'"
        )
        conn.commit()
        to_xml = b"tour.unchecked_xml(%s)"

    note = ElementTree.fromstring('<note lang="fr"><to>Zoë</to><body>a &lt; b</body></note>')
    query = "select %s"
    try:
        cursor.execute(query, (note,))
    except psycoxide.ProgrammingError as error:
        show.check("an unknown type cannot be adapted", "can't adapt type" in str(error))
    extensions.register_adapter(type(note), ElementAdapter)
    show.value("SQL:", cursor.mogrify(query, (note,)).decode())

    element, came = type(note), []

    def read(reader: Any) -> type:
        reader.execute(query, (note,))
        value = reader.fetchone()[0]
        came.append(ElementTree.tostring(value) if isinstance(value, element) else value.encode())
        return type(value)

    other = psycoxide.connect(dsn)
    show.check("before: xml comes as str", read(cursor), str)
    caster = extensions.new_type((XML_OID,), "ELEMENT", cast_xml)
    extensions.register_type(caster, cursor)
    show.check("registered on a cursor: elements there", read(cursor), element)
    show.check("… and str on its neighbour", read(conn.cursor()), str)
    extensions.register_type(caster, conn)
    show.check("registered on a connection: elements on its cursors", read(conn.cursor()), element)
    show.check("… and str on another connection", read(other.cursor()), str)
    extensions.register_type(caster)
    show.check("registered globally: elements everywhere", read(other.cursor()), element)
    same = {ElementTree.canonicalize(text) for text in came}
    show.check("as str or as element, the note is the one sent", same, {canonical(note)})
    del extensions.string_types[XML_OID]
    other.close()
    conn.commit()


def canonical(element: ElementTree.Element) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(element))


def parses_xml(conn: Any) -> bool:
    try:
        with conn, conn.cursor() as cursor:
            cursor.execute("select '<a/>'::xml")
    except psycoxide.errors.FeatureNotSupported:
        return False
    return True


def hstore(show: Show, conn: Any) -> None:
    """dict and hstore, with the operators whose names other drivers take for placeholders."""
    show.step("[b]dict ↔ hstore[/b]: 2,000 products with attributes, and the operators that look")
    show.console.print("  inside, all through parameters.")
    cursor = conn.cursor()
    cursor.execute("create extension if not exists hstore")
    extras.register_hstore(conn)
    products = make_products(2000)
    cursor.execute("create temporary table product (id int, attrs hstore)")
    extras.execute_values(cursor, "insert into product values %s", products)
    cursor.execute("select id, attrs from product order by id")
    show.check("2,000 dictionaries come back as they went", cursor.fetchall() == products)

    questions = [
        ("?", "attrs ? %s", "fragile", lambda a: "fragile" in a),
        ("?&", "attrs ?& %s", ["colour", "size"], lambda a: {"colour", "size"} <= a.keys()),
        ("?|", "attrs ?| %s", ["fragile", "origin"], lambda a: {"fragile", "origin"} & a.keys()),
        ("@>", "attrs @> %s", {"colour": "red", "size": "XL"}, is_red_xl),
    ]
    rows, wrong = [], []
    for operator, condition, parameter, in_python in questions:
        cursor.execute(f"select count(*) from product where {condition}", (parameter,))
        found = cursor.fetchone()[0]
        if found != sum(bool(in_python(attrs)) for _id, attrs in products):
            wrong.append(operator)
        rows.append((operator, cursor.query.decode().split("where ")[1], found))
    show.table(["operator", "as sent", "products"], rows)
    show.check("?, ?&, ?| and @> count what Python counts", wrong, [])
    conn.commit()


def is_red_xl(attrs: dict[str, str | None]) -> bool:
    return attrs.get("colour") == "red" and attrs.get("size") == "XL"


def make_products(count: int) -> list[tuple[int, dict[str, str | None]]]:
    chance = random.Random(2024)
    choices: dict[str, list[str | None]] = {
        "colour": ["red", "green", "blue"],
        "size": ["S", "M", "L", "XL"],
        "fragile": ["yes"],
        "origin": ["São Paulo", "Kraków", 'the "old" shop', None],
    }
    return [
        (
            i,
            {
                key: chance.choice(values)
                for key, values in choices.items()
                if chance.random() < 0.5
            },
        )
        for i in range(count)
    ]
