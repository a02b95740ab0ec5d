"""Intervals as the server writes them in the two styles that psycopg2 reads."""

conn = psycopg2.connect(dsn)
INTERVALS = [
    "0",
    "1 day",
    "-1 day",
    "1 year 2 months 3 days 04:05:06.789",
    "-1 year -2 months +3 days",
    "25:00:00",
    "-00:00:00.000001",
    "100 years",
    "1 mon -1 day 23:59:59.999999",
    "-3 days 2 hours",
    "999999 hours",
]
cur = conn.cursor()
for style in ("postgres", "postgres_verbose", "sql_standard", "iso_8601"):
    cur.execute("set intervalstyle to %s", (style,))
    for text in INTERVALS:
        if style in ("postgres_verbose", "sql_standard"):
            continue  # psycopg2 misreads them: see docs/differences.md.
        attempt(lambda: (cur.execute("select %s::interval", (text,)), cur.fetchone())[1])
        attempt(
            lambda: (cur.execute("select array[%s, null]::interval[]", (text,)), cur.fetchone())[1]
        )
        conn.rollback()
        cur.execute("set intervalstyle to %s", (style,))
conn.close()
