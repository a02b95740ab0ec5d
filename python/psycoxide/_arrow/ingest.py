"""Writing Arrow data to a table: which statements that takes.

`statements()` is a generator that knows no connection: it yields what is to be run, and is sent
what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from psycoxide._arrow.progress import Report
from psycoxide._exceptions import ProgrammingError
from psycoxide._psycopg import ArrowEncoder

if TYPE_CHECKING:
    from psycoxide._arrow.progress import Progress

Mode: TypeAlias = Literal["create", "append", "replace", "create_append"]
OnConflict: TypeAlias = Literal["update", "nothing"]

MODES = ("create", "append", "replace", "create_append")

# Where rows are kept that may be in conflict with those of the table; also the savepoint's name.
SCRATCH = '"_psycoxide_ingest"'

# Client encodings in which UTF-8 reaches the server as it is.
UTF8 = ("UTF8", "SQL_ASCII")

# The columns of a table, and their types with all that these are made of. As JSON, so that no
# typecaster or row factory of the program sees it. `rngmultitypid` came with PostgreSQL 14.
DESCRIBE = """\
WITH RECURSIVE columns AS (
    SELECT attname, atttypid, attnum FROM pg_catalog.pg_attribute
    WHERE attrelid = %s::text::pg_catalog.regclass AND attnum > 0 AND NOT attisdropped
), types (oid) AS (
    SELECT atttypid FROM columns
    UNION
    SELECT part.oid FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid
    CROSS JOIN LATERAL (
        SELECT t.typelem WHERE t.typcategory = 'A'
        UNION ALL SELECT t.typbasetype WHERE t.typtype = 'd'
        UNION ALL SELECT rngsubtype FROM pg_catalog.pg_range WHERE rngtypid = t.oid
        UNION ALL SELECT rngtypid FROM pg_catalog.pg_range r
            WHERE t.typtype = 'm' AND (pg_catalog.to_jsonb(r)->>'rngmultitypid')::oid = t.oid
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
            AND NOT a.attisdropped
    ) part (oid)
)
SELECT pg_catalog.json_build_object(
    'encoding', pg_catalog.pg_client_encoding(),
    'columns', (SELECT pg_catalog.json_agg(
            pg_catalog.json_build_array(attname, atttypid::bigint) ORDER BY attnum)
        FROM columns),
    'types', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
            t.oid::bigint, pg_catalog.format_type(t.oid, NULL), t.typname,
            CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typelem <> 0
                    AND t.typname NOT IN ('int2vector', 'oidvector') THEN 'a'
                WHEN t.typtype IN ('c', 'd', 'e', 'm', 'r') THEN t.typtype::text
                ELSE 'b' END,
            CASE t.typtype WHEN 'd' THEN t.typbasetype
                WHEN 'r' THEN (SELECT rngsubtype FROM pg_catalog.pg_range WHERE rngtypid = t.oid)
                WHEN 'm' THEN (SELECT rngtypid FROM pg_catalog.pg_range r
                    WHERE (pg_catalog.to_jsonb(r)->>'rngmultitypid')::oid = t.oid)
                ELSE t.typelem END::bigint,
            (SELECT coalesce(pg_catalog.json_agg(
                        pg_catalog.json_build_array(a.attname, a.atttypid::bigint, a.atttypmod)
                        ORDER BY a.attnum), '[]')
                FROM pg_catalog.pg_attribute a
                WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0
                AND NOT a.attisdropped)))
        FROM types JOIN pg_catalog.pg_type t USING (oid))
)::text"""


class Fetch(NamedTuple):
    """A query. Its answer is the first value of its first row."""

    query: str
    params: tuple[str, ...] | None = None


class Execute(NamedTuple):
    """A statement. Its answer is the number of rows."""

    query: str


class Send(NamedTuple):
    """A COPY FROM STDIN of the data. Its answer is the number of rows."""

    query: str


Step: TypeAlias = "Fetch | Execute | Send"
Steps: TypeAlias = Generator[Step, Any, int]


def quoted(name: str) -> str:
    """An identifier."""
    if not isinstance(name, str):
        raise TypeError(f"names are str: got {type(name).__qualname__}")
    if not name or "\0" in name:
        raise ProgrammingError(f"not a name: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


class Chunks:
    """The data, as a file that a COPY reads. Says how far it came."""

    def __init__(self, encoder: ArrowEncoder, progress: Progress | None) -> None:
        self._encoder = encoder
        self._report = None if progress is None else Report(progress)

    def read(self, size: int = -1) -> bytes:
        """The next data, of any size; empty at the end."""
        chunk = self._encoder.read()
        self.report(chunk)
        return chunk

    def report(self, chunk: bytes) -> None:
        """Tells of this chunk; the last one is empty."""
        if self._report is not None:
            self._report.reached(*self._encoder.progress, not chunk)


class Ingest:
    """An ingest that is checked as far as that goes without the server."""

    def __init__(
        self,
        table: str,
        data: object,
        mode: str,
        *,
        catalog_name: str | None = None,
        db_schema_name: str | None = None,
        temporary: bool = False,
        on_conflict: str | None = None,
        key: Iterable[str] | None = None,
    ) -> None:
        if mode not in MODES:
            raise ProgrammingError(f"mode is one of {', '.join(MODES)}: got {mode!r}")
        if on_conflict not in (None, "update", "nothing"):
            raise ProgrammingError(f'on_conflict is "update" or "nothing": got {on_conflict!r}')
        if isinstance(key, str):
            raise ProgrammingError("key is a list of names of columns: got a str")
        self.key: list[str] = [] if key is None else list(key)
        if on_conflict == "update" and not self.key:
            raise ProgrammingError('on_conflict="update" needs the key: the names of its columns')
        if temporary and db_schema_name is not None:
            raise ProgrammingError("a temporary table has no schema of your choice")
        quoted(table)
        listed(self.key)
        self.table = table
        self.mode = mode
        self.database = catalog_name
        self.schema: Any = "pg_temp" if temporary else db_schema_name
        self.temporary = temporary
        self.on_conflict = on_conflict
        self.encoder: ArrowEncoder = ArrowEncoder(data)
        self.columns: list[str] = self.encoder.columns
        self._check_columns()

    def _check_columns(self) -> None:
        columns = self.columns
        if not columns:
            raise ProgrammingError("the data have no columns")
        listed(columns)
        if twice := sorted({name for name in columns if columns.count(name) > 1}):
            raise ProgrammingError(f"several columns of the data have one name: {listed(twice)}")
        if unknown := [name for name in self.key if name not in columns]:
            raise ProgrammingError(f"the data have no columns of the key: {listed(unknown)}")

    def steps(self) -> Steps:
        """What is to be run, in one transaction. Returns the number of rows written."""
        if self.database is not None:
            current = yield Fetch("SELECT pg_catalog.current_database()::text")
            if current != self.database:
                raise ProgrammingError(
                    f"the connection is to the database {current!r}, not {self.database!r}: "
                    "leave catalog_name out, or connect to that one"
                )
        if self.mode != "append" and self.schema is None:
            # A table that is made is not the one of its name that is found first.
            self.schema = yield Fetch("SELECT pg_catalog.current_schema()::text")
        table = quoted(self.table)
        if self.schema is not None:
            table = f"{quoted(self.schema)}.{table}"
        if self.mode != "append":
            yield from self._create(table)
        description = yield Fetch(DESCRIBE, (table,))
        found = json.loads(description)
        types = dict(found["columns"] or [])
        if missing := [name for name in self.columns if name not in types]:
            raise ProgrammingError(f"the table {table} has no columns {listed(missing)}")
        text = found["encoding"] not in UTF8
        own = [(*each[:5], [tuple(part) for part in each[5]]) for each in found["types"]]
        binary = self.encoder.prepare([types[name] for name in self.columns], own, text)
        options = "FORMAT binary" if binary else "FORMAT text, ENCODING 'UTF8'"
        columns = listed(self.columns)
        if self.on_conflict is None:
            rows = yield Send(f"COPY {table} ({columns}) FROM STDIN ({options})")
        else:
            rows = yield from self._merge(table, columns, options)
        return int(rows)

    def _create(self, table: str) -> Generator[Step, Any, None]:
        if self.mode == "create_append":
            # Then it does not matter whether there are types for all columns.
            found = yield Fetch("SELECT pg_catalog.to_regclass(%s::text)::text", (table,))
            if found is not None:
                return
        types = zip(self.columns, self.encoder.column_types())
        parts = [f"{quoted(name)} {kind}" for name, kind in types]
        if self.key:
            parts.append(f"PRIMARY KEY ({listed(self.key)})")
        if self.mode == "replace":
            yield Execute(f"DROP TABLE IF EXISTS {table}")
        unless = "IF NOT EXISTS " if self.mode == "create_append" else ""
        yield Execute(f"CREATE TABLE {unless}{table} ({', '.join(parts)})")

    def _merge(self, table: str, columns: str, options: str) -> Generator[Step, Any, int]:
        scratch = f"pg_temp.{SCRATCH}"
        yield Execute(
            f"CREATE TEMPORARY TABLE {SCRATCH} ON COMMIT DROP AS "
            f"SELECT {columns} FROM {table} WITH NO DATA"
        )
        yield Send(f"COPY {scratch} ({columns}) FROM STDIN ({options})")
        others = [name for name in self.columns if name not in self.key]
        target = f"({listed(self.key)}) " if self.key else ""
        action = "NOTHING"
        if self.on_conflict == "update" and others:
            action = "UPDATE SET " + ", ".join(
                f"{quoted(name)} = EXCLUDED.{quoted(name)}" for name in others
            )
        # As COPY does, for a column that is GENERATED ALWAYS AS IDENTITY.
        rows = yield Execute(
            f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
            f"SELECT {columns} FROM {scratch} ON CONFLICT {target}DO {action}"
        )
        yield Execute(f"DROP TABLE {scratch}")
        return int(rows)
