"""Typecasters."""

cur = conn.cursor()


def cast(value, cursor):
    return None if value is None else "<" + value + ">"


T = extensions.new_type((25, 23), "MINE", cast)
show(T.name)
show(T.values)
show(T == 25)
show(T == 1)
A = extensions.new_array_type((1007,), "MINES", T)
extensions.register_type(T, cur)
extensions.register_type(A, cur)
cur.execute("select 'a'::text, 5, array[1, null, 3], 'v'::varchar, null::text")
show(cur.fetchall())
c2 = conn.cursor()
c2.execute("select 'a'::text")
show(c2.fetchall())
extensions.register_type(T, conn)
c2 = conn.cursor()
c2.execute("select 'a'::text")
show(c2.fetchall())
del conn.string_types[25]
del conn.string_types[23]


def bad(value, cursor):
    raise ZeroDivisionError("mine")


extensions.register_type(extensions.new_type((25,), "BAD", bad), cur)
cur.execute("select 'a'::text, 1")
attempt(cur.fetchall)
for action in (
    lambda: extensions.new_type([25], "X", cast),
    lambda: extensions.new_type((25,), "X", None),
    lambda: extensions.new_type((25,), 3, cast),
    lambda: extensions.register_type(1),
    lambda: extensions.register_type(T, 1),
    lambda: extensions.new_array_type((1,), "X", 3),
    lambda: T("x", cur),
    lambda: T(None, cur),
    lambda: extensions.INTEGER("12", cur),
    lambda: extensions.INTEGER("x", cur),
    lambda: extensions.DATE("x", cur),
    lambda: extensions.BINARY("\\x6", cur),
    lambda: extensions.DECIMAL("x", cur),
    lambda: extensions.BOOLEAN("maybe", cur),
    lambda: extensions.FLOAT("x", cur),
    lambda: extensions.INTERVAL("x", cur),
    lambda: extensions.PYTIMESTAMP("2024", cur),
    lambda: extensions.UNICODE("x", cur),
    lambda: extensions.INTEGERARRAY("{1,x}", cur),
    lambda: extensions.BYTES("x", cur),
):
    attempt(action)
