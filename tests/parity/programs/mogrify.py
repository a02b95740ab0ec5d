"""Mogrify."""

cur = conn.cursor()
for args in (
    ("select 1",),
    ("select %s", (1,)),
    ("select %s", ["a"]),
    ("select %(x)s", {"x": None}),
    ("%s", (dt.date(2024, 1, 1),)),
    (b"select %s", (1,)),
    (sql.SQL("select {}").format(sql.Identifier("a", 'b"c')),),
    (sql.SQL("{} {}").format(sql.Literal("x"), sql.Placeholder()), (1,)),
    (1,),
    (None,),
    ("select %s",),
    ("\u20ac %s", ("\u20ac",)),
):
    attempt(lambda: cur.mogrify(*args))
