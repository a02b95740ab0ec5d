"""Mistakes: type checkers must report each line that says so, and no other.

Not run: test_typing.py has it checked. Behind `expect:` stand mypy's code and pyright's rule.
"""

from __future__ import annotations

import psycoxide
from psycoxide import errors, extensions, extras, pool, rows, sql
from psycoxide.extras import DictCursor

conn = psycoxide.connect("dbname=test")
cur = conn.cursor()
dicts = psycoxide.connect(cursor_factory=DictCursor)
real = conn.cursor(cursor_factory=extras.RealDictCursor)

# ---- names that there are not ----------------------------------------------------------------

psycoxide.conect("")  # expect: attr-defined reportAttributeAccessIssue
conn.comit()  # expect: attr-defined reportAttributeAccessIssue
cur.fetchal()  # expect: attr-defined reportAttributeAccessIssue
extensions.regster_adapter  # expect: attr-defined reportAttributeAccessIssue
extras.RealDictCurser  # expect: attr-defined reportAttributeAccessIssue
errors.UniqueViolatoin  # expect: attr-defined reportAttributeAccessIssue
conn.info.server_versoin  # expect: attr-defined reportAttributeAccessIssue
psycoxide.Error().diag.constraint  # expect: attr-defined reportAttributeAccessIssue
rows.class_row(Exception)(cur)((1,)).arg  # expect: attr-defined reportAttributeAccessIssue
rows.record_row(cur)((1,)).id  # expect: attr-defined reportAttributeAccessIssue
sql.Identifer("a")  # expect: attr-defined reportAttributeAccessIssue
pool.SimpleConnectionPool(1, 2).getcon()  # expect: attr-defined reportAttributeAccessIssue
conn.cursor(cursor_factory=DictCursor).scrol(1)  # expect: attr-defined reportAttributeAccessIssue

# ---- what cannot be set ----------------------------------------------------------------------

conn.isolation_level = object()  # expect: assignment reportAttributeAccessIssue
conn.isolation_level = 1.5  # expect: assignment reportAttributeAccessIssue
conn.readonly = "yes"  # expect: assignment reportAttributeAccessIssue
conn.deferrable = "off"  # expect: assignment reportAttributeAccessIssue
conn.autocommit = "on"  # expect: assignment reportAttributeAccessIssue
conn.notices = None  # expect: assignment reportAttributeAccessIssue
conn.cursor_factory = dict  # expect: assignment reportAttributeAccessIssue
conn.closed = 1  # expect: misc reportAttributeAccessIssue
conn.async_ = 1  # expect: misc reportAttributeAccessIssue
cur.arraysize = None  # expect: assignment reportAttributeAccessIssue
cur.rowcount = 3  # expect: misc reportAttributeAccessIssue
cur.tzinfo_factory = str  # expect: assignment reportAttributeAccessIssue

# ---- factories -------------------------------------------------------------------------------

psycoxide.connect(cursor_factory=dict)  # expect: type-var reportArgumentType
psycoxide.connect(connection_factory=dict)  # expect: type-var reportArgumentType
psycoxide.connect("", extras.DictCursor)  # expect: type-var reportArgumentType
psycoxide.connect(cursor_factory=extras.DictConnection)  # expect: type-var reportArgumentType
dicts.cursor().fetchal()  # expect: attr-defined reportAttributeAccessIssue
conn.cursor(cursor_factory=list)  # expect: type-var reportArgumentType
conn.cursor(cursor_factory=lambda conn: DictCursor(conn))  # expect: arg-type reportArgumentType
conn.lobject(lobject_factory=dict)  # expect: type-var reportArgumentType

# ---- arguments -------------------------------------------------------------------------------

cur.execute(["select 1"])  # expect: arg-type reportArgumentType
cur.execute("select %s", 1)  # expect: arg-type reportArgumentType
cur.executemany("select %s", [1, 2])  # expect: list-item reportArgumentType
cur.scroll(1, "backwards")  # expect: arg-type reportArgumentType
cur.copy_from("file name", "t")  # expect: arg-type reportArgumentType
cur.copy_to("file name", "t")  # expect: arg-type reportArgumentType
conn.set_session(readonly="yes")  # expect: arg-type reportArgumentType
conn.lobject(0, 1)  # expect: call-overload reportArgumentType
conn.lobject(0, "rb").write(1)  # expect: arg-type reportArgumentType
extensions.register_adapter(dict, str)  # expect: arg-type reportArgumentType
extensions.register_adapter(dict, lambda value: value)  # expect: arg-type reportArgumentType
extensions.register_type(extensions.UNICODE, "conn")  # expect: arg-type reportArgumentType
extensions.quote_ident("a", None)  # expect: arg-type reportArgumentType
extras.execute_values(conn, "values %s", [])  # expect: call-overload reportArgumentType
extras.register_hstore(None)  # expect: arg-type reportArgumentType
extras.DateRange("2026-01-01")  # expect: arg-type reportArgumentType
rows.dict_row(conn)  # expect: arg-type reportArgumentType
rows.args_row(1)  # expect: arg-type reportArgumentType
rows.dict_row(cur)(1)  # expect: arg-type reportArgumentType
sql.SQL("{}").format("a")  # expect: arg-type reportArgumentType
sql.SQL(1)  # expect: arg-type reportArgumentType
pool.ThreadedConnectionPool(1, 2).putconn("conn")  # expect: arg-type reportArgumentType

# ---- results ---------------------------------------------------------------------------------

cur.fetchone()[0]  # expect: index reportOptionalSubscript
rows.record_row(cur)((1,))[1.5]  # expect: call-overload reportArgumentType
rows.dict_row(cur)((1,))[0]  # expect: index reportArgumentType
[row["name"] for row in cur]  # expect: call-overload reportArgumentType
[row[0] for row in real]  # expect: index reportArgumentType
text: str = conn.lobject(0, "rb").read()  # expect: assignment reportAssignmentType
number: int = cur.mogrify("select 1")  # expect: assignment reportAssignmentType
name: str = psycoxide.Error().pgcode  # expect: assignment reportAssignmentType
count: int = rows.tuple_row(cur)((1,))  # expect: assignment reportAssignmentType
