"""Encodings."""

cur = conn.cursor()
show(conn.encoding)
names = "latin1 UTF8 utf-8 SQL_ASCII win1252 EUC_JP Windows950 ISO_8859_15 nonsense"
for name in names.split():
    attempt(lambda: conn.set_client_encoding(name))
    show(conn.encoding)
    attempt(lambda: cur.mogrify("%s", ("\u00e9",)))
    attempt(lambda: cur.mogrify("%s", ("\u20ac",)))
    attempt(lambda: (cur.execute("select %s", ("\u00e9",)), cur.fetchone())[1])
    conn.rollback()
conn.set_client_encoding("UTF8")
