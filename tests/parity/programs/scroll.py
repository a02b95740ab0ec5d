"""Scroll."""

cur = conn.cursor()
cur.execute("select generate_series(1, 5)")
for action in (
    lambda: cur.scroll(2),
    cur.fetchone,
    lambda: cur.scroll(-1),
    cur.fetchone,
    lambda: cur.scroll(0, "absolute"),
    cur.fetchone,
    lambda: cur.scroll(10),
    lambda: cur.scroll(-10),
    lambda: cur.scroll(5, mode="absolute"),
    lambda: cur.scroll(1, "sideways"),
    lambda: cur.scroll("x"),
    cur.fetchone,
):
    attempt(action)
