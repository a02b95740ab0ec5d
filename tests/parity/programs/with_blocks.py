"""With blocks."""

cur = conn.cursor()
cur.execute("create temporary table w (a int)")
conn.commit()
with conn:
    with conn.cursor() as c:
        c.execute("insert into w values (1)")
show(c.closed)
try:
    with conn, conn.cursor() as c:
        c.execute("insert into w values (2)")
        raise KeyError("mine")
except KeyError as error:
    show(str(error))
cur.execute("select a from w")
show(cur.fetchall())
conn.rollback()


def nested():
    with conn:
        with conn:
            pass


attempt(nested)
cur.execute("drop table w")
conn.commit()
