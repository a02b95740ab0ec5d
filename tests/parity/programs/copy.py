"""Copy."""

import io

cur = conn.cursor()
cur.execute("create temporary table c (a int, b text)")
cur.copy_from(io.StringIO("1\ta\n2\t\\N\n3\t\u20ac\n"), "c")
show(cur.rowcount)
cur.copy_expert("copy c from stdin with (format csv)", io.BytesIO(b"4,x\n"))
show(cur.rowcount)
f = io.StringIO()
cur.copy_to(f, "c", sep="|", null="-")
show(f.getvalue())
show(cur.rowcount)
f = io.BytesIO()
cur.copy_expert("copy c (b) to stdout", f)
show(f.getvalue())
attempt(lambda: cur.copy_from(io.StringIO("x\ty\n"), "c"))
conn.rollback()
attempt(lambda: cur.copy_from(io.StringIO(""), "no_such"))
conn.rollback()
attempt(lambda: cur.copy_from(None, "c"))
attempt(lambda: cur.copy_to(object(), "c"))
attempt(lambda: cur.copy_expert("select 1", io.StringIO()))
conn.rollback()
attempt(lambda: cur.copy_from(io.StringIO(""), "a.b"))
conn.rollback()


class Bad:
    def read(self, size=-1):
        raise ZeroDivisionError("mine")

    def write(self, data):
        raise ZeroDivisionError("mine")


cur.execute("create temporary table c (a int, b text)")
conn.commit()
attempt(lambda: cur.copy_from(Bad(), "c"))
conn.rollback()
cur.execute("drop table c")
conn.commit()
