"""Adapt and register."""


class Mine:
    def __conform__(self, protocol):
        return extensions.AsIs("41 + 1") if protocol is extensions.ISQLQuote else None


class Sub(str):
    pass


class Loud(dict):
    pass


cur = conn.cursor()
for value in (Mine(), Sub("x"), [Mine()], Loud()):
    attempt(lambda: cur.mogrify("%s", (value,)))
extensions.register_adapter(Loud, lambda d: extensions.AsIs("'loud'"))
attempt(lambda: cur.mogrify("%s", (Loud(),)))
attempt(lambda: extensions.adapt(object()))
attempt(lambda: extensions.adapt("x").getquoted())
attempt(lambda: extensions.adapt(Mine()).getquoted())
attempt(lambda: extensions.register_adapter(1, 2))
extensions.register_adapter(Sub, lambda s: None)
attempt(lambda: cur.mogrify("%s", (Sub("x"),)))
extensions.register_adapter(Sub, lambda s: extensions.AsIs(1 / 0))
attempt(lambda: cur.mogrify("%s", (Sub("x"),)))
for a in (
    extensions.adapt("a"),
    extensions.adapt(b"a"),
    extensions.adapt(1),
    extensions.adapt(1.5),
    extensions.adapt(None),
    extensions.adapt(True),
    extensions.adapt([1]),
    extensions.adapt((1,)),
    extensions.adapt(dt.date(2024, 1, 1)),
):
    show(type(a).__name__)
    attempt(lambda: str(a))
    attempt(lambda: a.getquoted())
