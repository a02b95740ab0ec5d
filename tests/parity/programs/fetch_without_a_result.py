"""Fetch without a result."""

cur = conn.cursor()
attempt(cur.fetchone)
attempt(cur.fetchall)
attempt(cur.fetchmany)
attempt(lambda: next(cur))
cur.execute("create temporary table s (a int)")
attempt(cur.fetchone)
attempt(cur.fetchall)
attempt(cur.fetchmany)
attempt(lambda: cur.scroll(1))
