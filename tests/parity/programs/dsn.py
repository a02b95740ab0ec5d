"""Dsn."""

for text in (
    "dbname=x",
    "dbname=x user='a b' password=p\\'q",
    "postgresql://u:p@h:1/d?sslmode=disable",
    "nonsense",
    "nonsense=1",
    "dbname",
    "dbname='x",
    "postgresql://h:port/x",
    "",
    "host=a,b port=1,2",
    "postgres://%zz@h/d",
    "postgresql://h/d?nonsense=1",
    "dbname = x",
    "postgresql:///d?host=/tmp",
):
    attempt(lambda: extensions.parse_dsn(text))
for args, kwargs in (
    ((), {}),
    (("dbname=x",), {"user": "u"}),
    (("dbname=x",), {"dbname": "it's"}),
    ((None,), {"dbname": "d"}),
    ((), {"database": "d"}),
    (("dbname=x",), {"nonsense": 1}),
    ((), {"user": None, "port": 5}),
):
    attempt(lambda: extensions.make_dsn(*args, **kwargs))
for args, kwargs in (
    (("nonsense",), {}),
    (("nonsense=1",), {}),
    ((), {"nonsense": 1}),
    (("port=x host=127.0.0.1",), {}),
    (("host=127.0.0.1 port=99999",), {}),
):
    attempt(lambda: psycopg2.connect(*args, **kwargs))
show(extensions.quote_ident('a"b', conn))
attempt(lambda: extensions.quote_ident("a", 1))
attempt(lambda: extensions.quote_ident(1, conn))
