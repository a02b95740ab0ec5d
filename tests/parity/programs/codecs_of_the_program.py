"""Codecs of the program's own in `extensions.encodings`: raw bytes kept, and one that marks its work."""

import codecs
import io


def raw_encode(text, errors="strict"):
    return text.encode("ascii", "surrogateescape"), len(text)


def raw_decode(data, errors="strict"):
    return bytes(data).decode("ascii", "surrogateescape"), len(data)


def loud_encode(text, errors="strict"):
    return text.replace("~", "^").encode("utf-8"), len(text)


def loud_decode(data, errors="strict"):
    return bytes(data).decode("utf-8", errors).replace("^", "~"), len(data)


CODECS = {
    "test_raw": codecs.CodecInfo(raw_encode, raw_decode, name="test_raw"),
    "test_loud": codecs.CodecInfo(loud_encode, loud_decode, name="test_loud"),
}


def search(name):
    return CODECS.get(name)


def run(encoding, text):
    own = psycopg2.connect(dsn, client_encoding=encoding)
    show(own.encoding)
    cur = own.cursor()

    def one(query, values=None):
        cur.execute(query, values)
        return cur.fetchone()

    attempt(lambda: one("select %s", (text,)))
    attempt(lambda: one("select %s", ([text, "x", None, 'a"b\\c'],)))
    attempt(lambda: one("select array[array[%s, 'a b']]", (text,)))
    attempt(lambda: one("select array[%s]::varchar[], array[%s]::bytea[]", (text, text)))
    attempt(lambda: one("select %s::json", ('{"a": "' + text + '"}',)))
    attempt(lambda: one("select row(%s, 1)", (text,)))
    attempt(lambda: one(f'select 1 as "{text}"') and [c.name for c in cur.description])
    attempt(lambda: one("select 1") and cur.mogrify("%s", (text,)))
    attempt(lambda: one("do $$ begin raise notice '%', " + f"'{text} x'" + "; end $$"))
    own.rollback()
    show(own.notices)
    attempt(lambda: one(f'select "{text}", 1'))
    own.rollback()
    attempt(lambda: one(f"select 1 from (select '{text}'::int) x"))
    own.rollback()
    cur.execute(f'listen "{text}"; notify "{text}", \'{text}\'')
    own.commit()
    own.poll()
    show([(n.channel, n.payload) for n in own.notifies])
    cur.execute("create temporary table t (a text)")
    attempt(lambda: cur.copy_expert("copy t from stdin", io.StringIO(text + "\n")))
    attempt(lambda: one("select * from t"))
    copied = io.StringIO()
    attempt(lambda: cur.copy_expert("copy t to stdout", copied))
    show(copied.getvalue())
    adapted = extensions.adapt(text)
    adapted.prepare(own)
    attempt(lambda: (adapted.getquoted(), adapted.encoding))
    attempt(lambda: sql.Literal(text).as_string(own))
    # psycopg2 says of a value what the codec says, and of a message what it can make of it.
    attempt(lambda: one("select convert_from('\\xff', 'sql_ascii')"))
    own.rollback()
    attempt(lambda: one("do $$ begin raise notice '%', convert_from('\\xff', 'sql_ascii'); end $$"))
    show(own.notices[-1:])
    own.close()


codecs.register(search)
before = dict(extensions.encodings)
try:
    for name in ("SQLASCII", "SQL_ASCII"):
        extensions.encodings[name] = "test_raw"
    run("SQL_ASCII", "é日".encode().decode("ascii", "surrogateescape"))
    for names, codec in (
        (("SQLASCII", "SQL_ASCII"), "test_loud"),
        (("UTF8", "UTF-8"), "test_loud"),
        (("LATIN1", "LATIN-1"), "test_loud"),
        (("LATIN2", "LATIN-2"), "test_loud"),
    ):
        for name in names:
            extensions.encodings[name] = codec
        run(names[0], "a~é" if names[0] == "UTF8" else "a~b")
finally:
    extensions.encodings.update(before)
# The usual ones again, for what they cannot read.
run("SQL_ASCII", "a")
