"""Typecasters in three scopes, made by hand and by the helpers."""

conn = psycopg2.connect(dsn)
cur = conn.cursor()


def ask(cursor, text):
    cursor.execute(f"select {text}")
    return cursor.fetchone()[0]


upper = extensions.new_type((25,), "UPPER", lambda value, c: value and value.upper())
uppers = extensions.new_array_type((1009,), "UPPERS", upper)
other = conn.cursor()
extensions.register_type(upper, cur)
show((ask(cur, "'a'::text"), ask(other, "'a'::text"), ask(cur, "array['a']::text[]")))
extensions.register_type(uppers, conn)
show(
    (
        ask(cur, "array['a', null]::text[]"),
        ask(other, "array['b']::text[]"),
        ask(other, "'b'::text"),
    )
)
extensions.register_type(upper, conn)
show((ask(other, "'a'::text"), ask(conn.cursor(), "'a'::text")))
plain = extensions.new_type((25,), "PLAIN", lambda value, c: value)
extensions.register_type(plain, other)
show((ask(other, "'a'::text"), ask(cur, "'a'::text")))
named = conn.cursor("named")
extensions.register_type(plain, named)
named.execute("select 'a'::text union all select 'b'")
show(named.fetchall())
show((sorted(conn.string_types), sorted(cur.string_types or {}), named.string_types is None))
seen = []


def spy(value, cursor):
    seen.append((value, type(cursor).__name__, cursor is other))
    return value


extensions.register_type(extensions.new_type((23,), "SPY", spy), conn)
ask(other, "7")
ask(other, "null::int")
show(seen)
for text in (
    "'x'::text",
    "null::text",
    "1.5::numeric",
    "true",
    "'\\x00'::bytea",
    "'1 day'::interval",
):
    attempt(lambda: ask(other, text))
    conn.rollback()
attempt(lambda: extensions.new_type((1,), "X", 7))
attempt(lambda: extensions.new_type("1", "X", None))
attempt(lambda: extensions.new_type((1,), 7, None))
attempt(lambda: extensions.new_array_type((1,), "X", None))
attempt(lambda: extensions.register_type(None))
attempt(lambda: extensions.register_type(upper, 7))
show((upper == 25, upper == 26, upper.name, upper.values, repr(upper).split(" at ")[0]))
attempt(lambda: upper("x", cur))
attempt(lambda: upper(None, cur))
attempt(lambda: upper("x"))
attempt(lambda: uppers("{x,NULL}", cur))
extras.register_uuid(conn_or_curs=conn)
show(ask(other, "'6f1e0f6a-5d6b-4a3e-9d5c-1f2e3d4c5b6a'::uuid"))
extras.register_default_json(conn, loads=lambda text: ("loaded", text))
show((ask(other, "'{\"a\": 1}'::json"), ask(other, "'{\"a\": 1}'::jsonb")))
extras.register_default_jsonb(cur, loads=lambda text: ("b", text))
show((ask(cur, "'[1]'::jsonb"), ask(other, "'[1]'::jsonb")))
conn.rollback()
conn.close()
