"""Execute_values and execute_batch."""

cur = conn.cursor()
cur.execute("create temporary table e (a int, b text)")
extras.execute_values(cur, "insert into e values %s", [(1, "a"), (2, "b")])
show(cur.query)
show(
    extras.execute_values(
        cur, "insert into e values %s returning a", [(3, "c"), (4, None)], fetch=True
    )
)
extras.execute_values(cur, "insert into e values %s", [{"x": 5}], template="(%(x)s, 'y')")
show(cur.query)
extras.execute_batch(cur, "insert into e values (%s, %s)", [(6, "f"), (7, "g")], page_size=1)
show(cur.query)
for query in ("insert into e", "insert %s into %s", "insert into e values %s %(x)s"):
    attempt(lambda: extras.execute_values(cur, query, [(1, "a")]))
extras.execute_values(cur, "insert into e values %s", [])
show(cur.rowcount)
