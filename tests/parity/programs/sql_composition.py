"""Sql composition."""

for thing in (
    sql.SQL("a {} {x} {{}}").format(sql.Identifier("t"), x=sql.Literal(None)),
    sql.SQL(", ").join([sql.Identifier("a"), sql.Placeholder("b")]),
    sql.Identifier("a", "b"),
    sql.Literal([1, "a"]),
    sql.Placeholder() * 3,
    sql.SQL("x") + sql.SQL("y"),
):
    show(repr(thing))
    attempt(lambda: thing.as_string(conn))
for bad in (
    lambda: sql.SQL(1),
    lambda: sql.SQL("{a}").format(1),
    lambda: sql.SQL("{0} {}").format(1, 2),
    lambda: sql.Identifier(1),
    lambda: sql.Placeholder("a)b"),
    lambda: sql.SQL("{!r}").format(1),
    lambda: sql.SQL("{}").format(),
    lambda: sql.Composed(1),
    lambda: sql.SQL("a") + "b",
):
    attempt(bad)
