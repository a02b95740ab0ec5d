"""The rows of `extras`' cursors, taken in every way, and what programs change about them."""

import random
from collections import OrderedDict

ROWS = """select i as a, 'text ' || i as b, nullif(i % 3, 0) as c{more} from generate_series(1, {count}) i"""
KINDS = ("DictCursor", "RealDictCursor", "NamedTupleCursor")


def kept(cur):
    return {
        name: getattr(cur, name, None) for name in ("index", "column_mapping", "_query_executed")
    }


def seen(row):
    """A row with its class, and what it knows of its names."""
    items = getattr(row, "items", None)
    return [
        type(row).__name__,
        repr(row),
        repr(list(items()) if items else getattr(row, "_fields", None)),
    ]


def all_seen(rows):
    return [seen(row) for row in rows]


class Lower(extras.RealDictCursor):
    """Names of the program's own."""

    def _build_index(self):
        super()._build_index()
        self.column_mapping = [name.upper() for name in self.column_mapping]


class Few(extras.RealDictCursor):
    def _build_index(self):
        super()._build_index()
        self.column_mapping = self.column_mapping[:-1]


class Many(extras.RealDictCursor):
    def _build_index(self):
        super()._build_index()
        self.column_mapping = [*self.column_mapping, "more"]


class Indexed(extras.DictCursor):
    def _build_index(self):
        super()._build_index()
        self.index = OrderedDict((name.upper(), place) for name, place in self.index.items())


class Row(extras.DictRow):
    def __setitem__(self, key, value):
        super().__setitem__(key, ["set", value])


class RealRow(extras.RealDictRow):
    def __setitem__(self, key, value):
        super().__setitem__(key, value)


class Plain(extras.DictRow):
    """Made as its base is, and more."""

    def first(self):
        return self[0]

    def __getattr__(self, name):
        return self[name]


class PlainReal(extras.RealDictRow):
    def __getattr__(self, name):
        return self[name]


class Init(extras.DictRow):
    def __init__(self, cursor):
        super().__init__(cursor)
        show((cursor.rownumber, len(self)))


class InitReal(extras.RealDictRow):
    def __init__(self, *args):
        super().__init__(*args)
        show(len(self))


class New(extras.DictRow):
    def __new__(cls, *args):
        show(len(args))
        return super().__new__(cls)


class Attribute(extras.DictRow):
    def __setattr__(self, name, value):
        show(name)
        super().__setattr__(name, value)


class Contains(extras.RealDictRow):
    def __contains__(self, name):
        show(str(name))
        return super().__contains__(name)


class Deleted(extras.RealDictRow):
    def __delitem__(self, name):
        show(str(name))
        super().__delitem__(name)


class Meta(type):
    def __call__(cls, *args):
        return ["called", *super().__call__(*args)] if args else super().__call__()


class Called(extras.DictRow, metaclass=Meta):
    pass


def with_rows(base, row_class):
    class Own(base):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.row_factory = row_class

    return Own


class OwnBase(extras.DictCursorBase):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, row_factory=lambda cur: [None] * len(cur.description), **kwargs)

    def execute(self, query, vars=None):
        self._query_executed = True
        return super().execute(query, vars)

    def _build_index(self):
        show(self.description and [column.name for column in self.description])
        self._query_executed = False


def overriding(base):
    class One(base):
        def fetchone(self):
            row = super().fetchone()
            show(seen(row))
            return row and ("one", row)

    class Next(base):
        def __next__(self):
            row = super().__next__()
            show(seen(row))
            return row if base is extras.NamedTupleCursor else ("next", row)

    class Iter(base):
        def __iter__(self):
            return iter([("iter", row) for row in super().__iter__()])

    class Many(base):
        def fetchmany(self, size=None):
            return [("many", row) for row in super().fetchmany(size)]

        def fetchall(self):
            return [("all", row) for row in super().fetchall()]

    class Described(base):
        @property
        def index(self):
            return {"a": 2, "b": 1, "c": 0}

        @index.setter
        def index(self, value):
            show(value)

    return [One, Next, Iter, Many, Described]


FACTORIES = [getattr(extras, kind) for kind in KINDS]
FACTORIES += [Lower, Few, Many, Indexed, OwnBase]
FACTORIES += [
    with_rows(extras.DictCursor, made) for made in (Row, Plain, Init, New, Attribute, Called)
]
FACTORIES += [
    with_rows(extras.RealDictCursor, made)
    for made in (RealRow, PlainReal, InitReal, Contains, Deleted)
]
FACTORIES += [made for kind in KINDS for made in overriding(getattr(extras, kind))]


def walk(cur, seed):
    """All the ways to take rows, in an order chosen by chance."""
    steps = random.Random(seed)
    actions = [
        lambda: all_seen([next(cur)]),
        lambda: all_seen([cur.fetchone()]),
        lambda: all_seen([cur.fetchone() for _ in range(steps.randrange(40))]),
        lambda: all_seen(cur.fetchmany(steps.randrange(1 if cur.name else 0, 5))),
        lambda: all_seen(row for row, _ in zip(cur, range(steps.randrange(1, 40)))),
        lambda: kept(cur),
    ]
    for _ in range(25):
        attempt(steps.choice(actions))
        show(cur.rownumber)
    attempt(lambda: all_seen(cur.fetchall()))
    attempt(cur.fetchone)
    show(kept(cur))


for more in (
    "",
    ", array[i, null] as d",
    ', i as a, i as "B"',
    ", case when i = 20 then date '20000-01-01' end as e",
):
    for seed, factory in enumerate(FACTORIES):
        for name in (None, "named"):
            cur = conn.cursor(name, cursor_factory=factory)
            show(kept(cur))
            attempt(lambda: cur.execute(ROWS.format(more=more, count=130)))
            show(kept(cur))
            if name:
                cur.itersize = 30
            walk(cur, seed)
            conn.rollback()

for factory in FACTORIES[:3]:
    for name in (None, "named"):
        # What the names are taken from, changed in the middle.
        for change in (
            lambda cur: setattr(cur, "index", OrderedDict(z=0)),
            lambda cur: cur.index.update(z=1),
            lambda cur: delattr(cur, "index"),
            lambda cur: setattr(cur, "column_mapping", ["x", "y", "z"]),
            lambda cur: setattr(cur, "column_mapping", ("x", "y", "z")),
            lambda cur: setattr(cur, "column_mapping", ["x", "y"]),
            lambda cur: setattr(cur, "column_mapping", ["x", "y", "z", "more"]),
            lambda cur: setattr(cur, "column_mapping", ["x", 2, ("z",)]),
            lambda cur: setattr(cur, "column_mapping", ["x", [], "z"]),
            lambda cur: cur.column_mapping.__setitem__(1, "other"),
            lambda cur: cur.column_mapping.clear(),
            lambda cur: setattr(cur, "column_mapping", None),
            lambda cur: delattr(cur, "column_mapping"),
            lambda cur: setattr(cur, "row_factory", None),
            lambda cur: setattr(cur, "row_factory", extras.DictRow),
            lambda cur: setattr(cur, "row_factory", extras.RealDictRow),
            lambda cur: setattr(cur, "row_factory", lambda cur: [0] * 3),
            lambda cur: setattr(cur, "Record", None),
        ):
            cur = conn.cursor(name, cursor_factory=factory)
            cur.execute(ROWS.format(more="", count=50))
            before = [next(iter(cur)) for _ in range(15)]
            attempt(lambda: change(cur))
            attempt(lambda: all_seen([next(iter(cur)), cur.fetchone()]))
            attempt(lambda: all_seen([next(cur)]))
            attempt(lambda: all_seen(cur.fetchmany(2)))
            attempt(lambda: all_seen(cur.fetchall()))
            show(all_seen(before[-2:]))
            show((cur.rownumber, kept(cur)))
            conn.rollback()

# Statements between the fetches, and ways round the class.
for factory in FACTORIES[:3]:
    cur = conn.cursor(cursor_factory=factory)
    for statement in (
        "select 1 as a, 2 as b",
        "select",
        "select 1 as a where false",
        "set datestyle to iso",
    ):
        for take in (
            next,
            cur.fetchone.__func__,
            cur.fetchmany.__func__,
            cur.fetchall.__func__,
            list,
        ):
            attempt(lambda: cur.execute(statement))
            attempt(lambda: take(cur))
            show(kept(cur))
            attempt(lambda: take(cur))
    rows = []
    for number in range(4):
        cur.execute(f"select i as n{number}, i as n from generate_series(1, 60) i")
        rows += [cur.fetchone() for _ in range(20)]
    show(all_seen(rows))
    attempt(lambda: cur.callproc("generate_series", [1, 3]))
    attempt(lambda: all_seen(cur))
    attempt(lambda: extensions.cursor.execute(cur, "select 1 as x, 2 as y, 3 as z"))
    attempt(lambda: all_seen([cur.fetchone()]))
    cur = conn.cursor(cursor_factory=factory)
    extensions.cursor.execute(cur, "select i as x, 2 as y, 3 as z from generate_series(1, 5) i")
    attempt(lambda: all_seen([cur.fetchone()]))
    attempt(lambda: all_seen(cur.fetchmany(2)))
    attempt(lambda: all_seen([next(cur)]))
    show(cur.rownumber)

# The classes themselves, changed by the program.
for name, cursor_class in (("DictRow", extras.DictCursor), ("RealDictRow", extras.RealDictCursor)):
    row_class = getattr(extras, name)
    for method in ("__init__", "__setitem__"):
        cur = conn.cursor(cursor_factory=cursor_class)
        cur.execute(ROWS.format(more="", count=40))
        show(all_seen(next(iter(cur)) for _ in range(12)))
        own = getattr(row_class, method)
        calls = []

        def counted(self, *args):
            calls.append(len(args))
            return own(self, *args)

        setattr(row_class, method, counted)
        attempt(lambda: all_seen([next(iter(cur)), cur.fetchone(), *cur.fetchmany(2)]))
        setattr(row_class, method, own)
        attempt(lambda: all_seen([next(iter(cur)), cur.fetchone(), *cur.fetchmany(2)]))
        show(calls)

# A named cursor whose transaction is over, with rows left on the client.
for factory in FACTORIES[:3]:
    for withhold in (False, True):
        cur = conn.cursor("named", cursor_factory=factory, withhold=withhold)
        cur.execute(ROWS.format(more="", count=9))
        attempt(lambda: all_seen([next(cur), next(iter(cur))]))
        conn.commit()
        attempt(lambda: next(cur))
        attempt(lambda: next(iter(cur)))
        attempt(cur.fetchone)
        attempt(cur.close)
        conn.rollback()
