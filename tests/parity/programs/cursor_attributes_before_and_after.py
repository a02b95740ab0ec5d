"""Cursor attributes before and after."""

cur = conn.cursor()
for name in (
    "rowcount",
    "rownumber",
    "arraysize",
    "itersize",
    "name",
    "scrollable",
    "withhold",
    "description",
    "query",
    "statusmessage",
    "lastrowid",
    "closed",
    "tzinfo_factory",
    "row_factory",
    "string_types",
    "binary_types",
):
    show(getattr(cur, name) if name != "tzinfo_factory" else getattr(cur, name).__name__)
cur.execute("select generate_series(1, 10)")
show(cur.rowcount)
show(cur.rownumber)
show(cur.fetchone())
show(cur.rownumber)
show(cur.fetchmany(2))
show(cur.fetchmany(0))
show(cur.fetchmany(-1))
show(cur.rownumber)
show(cur.fetchall())
show(cur.fetchone())
show(cur.fetchmany())
show(cur.rownumber)
