"""What there is in a database, in the shape of ADBC's GetObjects and GetTableSchema."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

Depth: TypeAlias = Literal["all", "catalogs", "db_schemas", "tables", "columns"]

# How far each depth goes.
DEPTHS = {"catalogs": 1, "db_schemas": 2, "tables": 3, "columns": 4, "all": 4}

TABLE_TYPES = {
    "r": "table",
    "p": "partitioned_table",
    "v": "view",
    "m": "materialized_view",
    "f": "foreign_table",
}

# Runs a query, and returns the first value of its first row.
Ask: TypeAlias = Callable[[str, "Mapping[str, Any] | None"], Any]

# Names are matched as by LIKE, without an escape character, as ADBC says. The system's schemas are
# only listed if a pattern is given. The schema of this session's temporary tables goes by its
# alias as well.
OBJECTS = r"""
WITH schemas AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE CASE WHEN %(schema)s::text IS NULL
        THEN oid = pg_my_temp_schema() OR nspname !~ '^pg_' AND nspname <> 'information_schema'
        ELSE nspname LIKE %(schema)s::text ESCAPE ''
            OR %(schema)s::text = 'pg_temp' AND oid = pg_my_temp_schema() END
), tables AS (
    SELECT c.oid, c.relnamespace, c.relname, c.relkind FROM pg_catalog.pg_class c
    JOIN schemas n ON n.oid = c.relnamespace
    WHERE c.relkind::text = ANY (string_to_array(%(kinds)s::text, NULL)) AND %(depth)s::int >= 3
    AND (%(table)s::text IS NULL OR c.relname LIKE %(table)s::text ESCAPE '')
)
SELECT json_build_object(
    'database', current_database(),
    'catalogs', (SELECT json_agg(datname ORDER BY datname) FROM pg_catalog.pg_database
        WHERE datallowconn
        AND (%(catalog)s::text IS NULL OR datname LIKE %(catalog)s::text ESCAPE '')),
    'schemas', (SELECT json_agg(json_build_array(oid::bigint, nspname) ORDER BY nspname)
        FROM schemas),
    'tables', (SELECT json_agg(
            json_build_array(oid::bigint, relnamespace::bigint, relname, relkind::text)
            ORDER BY relname)
        FROM tables),
    'columns', (SELECT json_agg(json_build_object(
                'table', a.attrelid::bigint,
                'column_name', a.attname,
                'ordinal_position', a.attnum,
                'remarks', col_description(a.attrelid, a.attnum),
                'xdbc_type_name', t.typname,
                'xdbc_nullable', CASE WHEN a.attnotnull THEN 0 ELSE 1 END,
                'xdbc_column_def', CASE WHEN a.attgenerated = ''
                    THEN pg_get_expr(d.adbin, d.adrelid) END,
                'xdbc_is_nullable', CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END,
                'xdbc_is_autoincrement', a.attidentity <> ''
                    OR coalesce(a.attgenerated = ''
                        AND pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%', false),
                'xdbc_is_generatedcolumn', a.attgenerated <> ''
            ) ORDER BY a.attnum)
        FROM tables c
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND %(depth)s::int >= 4
        AND (%(column)s::text IS NULL OR a.attname LIKE %(column)s::text ESCAPE '')),
    'constraints', (SELECT json_agg(json_build_object(
                'table', k.conrelid::bigint,
                'constraint_name', k.conname,
                'constraint_type', CASE k.contype WHEN 'p' THEN 'PRIMARY KEY'
                    WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' ELSE 'CHECK' END,
                'constraint_column_names', (
                    SELECT coalesce(json_agg(a.attname ORDER BY key.place), '[]')
                    FROM unnest(k.conkey) WITH ORDINALITY key (number, place)
                    JOIN pg_catalog.pg_attribute a
                        ON a.attrelid = k.conrelid AND a.attnum = key.number),
                'constraint_column_usage', CASE WHEN k.contype = 'f' THEN (
                    SELECT json_agg(json_build_object(
                            'fk_catalog', current_database(),
                            'fk_db_schema', other_schema.nspname,
                            'fk_table', other.relname,
                            'fk_column_name', a.attname) ORDER BY key.place)
                    FROM unnest(k.confkey) WITH ORDINALITY key (number, place)
                    JOIN pg_catalog.pg_attribute a
                        ON a.attrelid = k.confrelid AND a.attnum = key.number
                    JOIN pg_catalog.pg_class other ON other.oid = k.confrelid
                    JOIN pg_catalog.pg_namespace other_schema
                        ON other_schema.oid = other.relnamespace) END
            ) ORDER BY k.conname)
        FROM tables c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid
        WHERE k.contype IN ('p', 'u', 'f', 'c') AND %(depth)s::int >= 4)
)::text
"""

# A query with the columns of a table, and no rows. It reads no table: it needs no privilege, and
# NULL where there is no such table, which is no error, so that it spoils no transaction.
COLUMNS = r"""
SELECT 'SELECT ' || coalesce((
        SELECT string_agg(format('NULL::%%s AS %%I', format_type(atttypid, atttypmod), attname),
            ', ' ORDER BY attnum)
        FROM pg_catalog.pg_attribute
        WHERE attrelid = found.oid AND attnum > 0 AND NOT attisdropped), '') || ' LIMIT 0'
FROM (SELECT to_regclass(%(name)s::text)::oid AS oid) found WHERE oid IS NOT NULL
"""


def schema_of_objects(pa: Any) -> Any:
    """The schema of what GetObjects returns (`AdbcConnectionGetObjects` in adbc.h)."""
    usage = pa.struct(
        [
            ("fk_catalog", pa.string()),
            ("fk_db_schema", pa.string()),
            pa.field("fk_table", pa.string(), nullable=False),
            pa.field("fk_column_name", pa.string(), nullable=False),
        ]
    )
    constraint = pa.struct(
        [
            ("constraint_name", pa.string()),
            pa.field("constraint_type", pa.string(), nullable=False),
            pa.field("constraint_column_names", pa.list_(pa.string()), nullable=False),
            ("constraint_column_usage", pa.list_(usage)),
        ]
    )
    column = pa.struct(
        [
            pa.field("column_name", pa.string(), nullable=False),
            ("ordinal_position", pa.int32()),
            ("remarks", pa.string()),
            ("xdbc_data_type", pa.int16()),
            ("xdbc_type_name", pa.string()),
            ("xdbc_column_size", pa.int32()),
            ("xdbc_decimal_digits", pa.int16()),
            ("xdbc_num_prec_radix", pa.int16()),
            ("xdbc_nullable", pa.int16()),
            ("xdbc_column_def", pa.string()),
            ("xdbc_sql_data_type", pa.int16()),
            ("xdbc_datetime_sub", pa.int16()),
            ("xdbc_char_octet_length", pa.int32()),
            ("xdbc_is_nullable", pa.string()),
            ("xdbc_scope_catalog", pa.string()),
            ("xdbc_scope_schema", pa.string()),
            ("xdbc_scope_table", pa.string()),
            ("xdbc_is_autoincrement", pa.bool_()),
            ("xdbc_is_generatedcolumn", pa.bool_()),
        ]
    )
    table = pa.struct(
        [
            pa.field("table_name", pa.string(), nullable=False),
            pa.field("table_type", pa.string(), nullable=False),
            ("table_columns", pa.list_(column)),
            ("table_constraints", pa.list_(constraint)),
        ]
    )
    schema = pa.struct(
        [("db_schema_name", pa.string()), ("db_schema_tables", pa.list_(table))],
    )
    return pa.schema([("catalog_name", pa.string()), ("catalog_db_schemas", pa.list_(schema))])


def objects(
    ask: Ask,
    depth: str,
    *,
    catalog: str | None,
    schema: str | None,
    table: str | None,
    types: list[str] | None,
    column: str | None,
) -> list[dict[str, Any]]:
    """The catalogs with what is in them, as GetObjects nests them.

    Only the database of the connection has schemas. Raises ValueError for an unknown depth.
    """
    if depth not in DEPTHS:
        raise ValueError(f"depth is one of {', '.join(DEPTHS)}: got {depth!r}")
    level = DEPTHS[depth]
    kinds = "".join(kind for kind, name in TABLE_TYPES.items() if types is None or name in types)
    filters = {
        "depth": level,
        "catalog": catalog,
        "schema": schema,
        "table": table,
        "kinds": kinds,
        "column": column,
    }
    found = json.loads(ask(OBJECTS, filters))
    parts: dict[str, dict[int, list[dict[str, Any]]]] = {"columns": {}, "constraints": {}}
    for name, of_tables in parts.items():
        for part in found[name] or []:
            of_tables.setdefault(part.pop("table"), []).append(part)
    tables: dict[int, list[dict[str, Any]]] = {}
    for oid, owner, name, kind in found["tables"] or []:
        described: dict[str, Any] = {"table_name": name, "table_type": TABLE_TYPES[kind]}
        if level >= 4:
            for part_name, of_tables in parts.items():
                described[f"table_{part_name}"] = of_tables.get(oid, [])
        tables.setdefault(owner, []).append(described)
    schemas = [
        {"db_schema_name": name, "db_schema_tables": tables.get(oid, []) if level >= 3 else None}
        for oid, name in found["schemas"] or []
    ]
    return [
        {
            "catalog_name": name,
            "catalog_db_schemas": None
            if level < 2
            else schemas
            if name == found["database"]
            else [],
        }
        for name in found["catalogs"] or []
    ]
