"""Errors."""

import copy
import pickle

cur = conn.cursor()
try:
    cur.execute("insert into pg_class (oid) values (null)")
except psycopg2.Error as error:
    for name in (
        "severity",
        "severity_nonlocalized",
        "sqlstate",
        "message_primary",
        "message_detail",
        "message_hint",
        "statement_position",
        "internal_position",
        "internal_query",
        "context",
        "schema_name",
        "table_name",
        "column_name",
        "datatype_name",
        "constraint_name",
        "source_function",
    ):
        show(getattr(error.diag, name))
    show(error.args)
    show(repr(error))
    show(error.cursor is cur)
    e2 = pickle.loads(pickle.dumps(error))
    show(type(e2).__name__)
    show(e2.pgcode)
    show(str(e2))
    show(e2.cursor)
    show(copy.copy(error).pgcode)
show(psycopg2.errors.lookup("40001").__name__)
attempt(lambda: psycopg2.errors.lookup("nope"))
attempt(lambda: psycopg2.extensions.Diagnostics(None))
show(str(psycopg2.Error()))
show(psycopg2.Error().pgcode)
show(psycopg2.Error().diag.sqlstate)
