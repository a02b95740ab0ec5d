"""A word that is no mode."""

cur = conn.cursor("n")
cur.execute("select generate_series(1, 5)")
attempt(lambda: cur.scroll(1, mode="absolut"))
attempt(cur.fetchall)
