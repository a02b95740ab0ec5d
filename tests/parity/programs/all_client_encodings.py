"""Every client encoding that psycopg2 has a name for, with text both ways."""

conn = psycopg2.connect(dsn)
SAMPLES = [
    "abc'\\",
    "\u00e9",
    "\u00df\u20ac",
    "\u043f\u0440\u0438\u0432\u0435\u0442",
    "\u65e5\u672c\u8a9e",
    "\ud55c\uad6d\uc5b4",
    "\u4e2d\u6587",
    "\u0e44\u0e17\u0e22",
    "\u05e2\u05d1",
    "\u0395\u03bb",
]

cur = conn.cursor()
for name in sorted(extensions.encodings):
    # Arrays in encodings whose second bytes may be ASCII are misread by psycopg2.
    safe = extensions.encodings[name] not in ("cp932", "big5", "cp950", "johab")
    try:
        conn.set_client_encoding(name)
    except psycopg2.Error as error:
        show((name, type(error).__name__))
        conn.rollback()
        continue
    show((name, conn.encoding))
    for text in SAMPLES:
        if extensions.encodings[name] == "johab" and not text.isascii():
            continue  # What its codec writes the server does not take for text.
        try:
            text.encode(extensions.encodings[name])
        except UnicodeEncodeError:
            attempt(lambda: cur.mogrify("select %s", (text,)))
            continue
        show(cur.mogrify("select %s, %%(x)s", (text,)))
        attempt(lambda: (cur.execute("select %s, length(%s)", (text, text)), cur.fetchall())[1])
        conn.rollback()
        if safe:
            attempt(lambda: (cur.execute("select array[%s]::text[]", (text,)), cur.fetchall())[1])
            conn.rollback()
conn.set_client_encoding("UTF8")
conn.close()
