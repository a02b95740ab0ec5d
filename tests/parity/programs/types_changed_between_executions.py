"""The same statement again and again, with other typecasters each time."""

conn = psycopg2.connect(dsn)
cur = conn.cursor()
types = extensions.string_types
STATEMENT = "select 7, 'a'::text, 8, 1.5::numeric, null::int, array[1, 2], 'b'::text"


def ask(cursor=cur, text=STATEMENT):
    for _ in range(3):
        cursor.execute(text)
    return cursor.fetchall()


def tagged(tag, number):
    return extensions.new_type((number,), tag, lambda value, c: (tag, value))


show(ask())
usual = types[23]
extensions.register_type(tagged("one", 23))
show(ask())
types[23] = tagged("two", 23)
show(ask())
types[23] = usual
show(ask())
# A caster that is not written in Python either.
types[23] = types[1700]
show(ask())
del types[23]
show(ask())
# The same number, the same caster, another place in the dictionary.
types[23] = usual
show(ask())
for unknown in (25, 1700):
    kept = types.pop(unknown)
    show(ask())
    types[unknown] = kept
show(ask())
# What a number that equals the type's stands for.
kept = types.pop(1700)
types[1700.0] = types[701]
show(ask())
del types[1700]
types[1700] = kept
show(ask())
# In the other scopes, and back.
extensions.register_type(tagged("connection", 23), conn)
show(ask())
extensions.register_type(tagged("cursor", 23), cur)
show(ask())
show(ask(conn.cursor()))
del conn.string_types[23]
show(ask())
show(ask(conn.cursor()))
# A result keeps the casters that it was executed with.
other = conn.cursor()
other.execute(STATEMENT)
extensions.register_type(tagged("late", 23))
show(other.fetchall())
show(ask(other))
types[23] = usual
# Many statements in turn, more than any memory holds.
texts = [f"select {number}, 'x'::text as column_{number}" for number in range(9)]
for _ in range(3):
    for text in texts:
        other.execute(text)
        show((other.fetchall(), other.description[1][0]))
types[23] = tagged("all", 23)
for text in texts + texts[:3]:
    show(ask(other, text))
types[23] = usual
# Another encoding: the same columns, other bytes.
for encoding in ("LATIN1", "EUC_JP", "UTF8", "SQL_ASCII", "UTF8"):
    conn.set_client_encoding(encoding)
    show((encoding, ask(other, "select 'plain'::text, 1")))
conn.set_client_encoding("LATIN1")
show(ask(other, "select chr(233), 1"))
conn.set_client_encoding("UTF8")
show(ask(other, "select chr(233), 1"))
# A caster that runs the very statement that it is chosen for.
inner = conn.cursor()


def nested(value, cursor):
    types[23] = usual
    inner.execute("select 5")
    return (value, inner.fetchone())


types[23] = extensions.new_type((23,), "NESTED", nested)
show(ask(other, "select 5"))
show(ask(other, "select 5"))
conn.rollback()
conn.close()
