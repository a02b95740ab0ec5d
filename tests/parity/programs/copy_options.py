"""The options of COPY, and what goes wrong."""

import io

cur = conn.cursor()
cur.execute('create temporary table "Odd name" (a int, "B c" text, d text)')
conn.commit()
attempt(lambda: cur.copy_from(io.StringIO("1|x|\\N\n"), "Odd name", sep="|"))
attempt(lambda: cur.copy_from(io.StringIO("2,y\n"), "Odd name", sep=",", columns=["a", "B c"]))
attempt(lambda: cur.copy_from(io.StringIO("3'z\n"), "Odd name", sep="'", columns=("a", "B c")))
attempt(lambda: cur.copy_from(io.StringIO("4\tnil\tnil\n"), "Odd name", null="nil"))
attempt(lambda: cur.copy_from(io.StringIO("5\tit's\t\\\\\n"), "Odd name", null="it's"))
attempt(lambda: cur.copy_from(io.StringIO("6\tx\ty"), "Odd name", size=1))
for columns in (["a", "nope"], "a", None, iter(["a"])):
    attempt(lambda: cur.copy_from(io.StringIO(""), "Odd name", columns=columns))
    conn.rollback()
for sep in ("", "ab", "\n", "\\", "\u00e9"):
    attempt(lambda: cur.copy_from(io.StringIO("1"), "Odd name", sep=sep))
    conn.rollback()
attempt(lambda: cur.copy_from(io.StringIO("1\tx\ty\n2\n"), "Odd name"))
conn.rollback()
attempt(lambda: cur.copy_from(io.BytesIO(b"1\t\xff\ty\n"), "Odd name"))
conn.rollback()
attempt(lambda: cur.copy_to(io.StringIO(), "Odd name", columns=["nope"]))
conn.rollback()
attempt(lambda: cur.copy_expert("copy (select 1", io.StringIO()))
conn.rollback()
attempt(lambda: cur.copy_expert("insert into nowhere values (1)", io.StringIO()))
conn.rollback()
attempt(lambda: cur.copy_expert("copy (select 1) to stdout with (format binary)", io.StringIO()))
conn.rollback()
out = io.BytesIO()
attempt(lambda: cur.copy_expert("copy (select 1) to stdout with (format binary)", out))
show(out.getvalue())
show((cur.rowcount, cur.statusmessage, cur.description, cur.query))
attempt(cur.fetchone)
attempt(
    lambda: cur.copy_expert(
        psycopg2.sql.SQL("copy {} to stdout").format(psycopg2.sql.Identifier("Odd name")), out
    )
)
attempt(lambda: cur.copy_expert(b"copy (select 2) to stdout", out))
named = conn.cursor("named")
attempt(lambda: named.copy_expert("copy (select 2) to stdout", out))
conn.rollback()
