"""Typecasters and row factories that use their own cursor in the middle of a fetch."""

WAYS = {
    "fetchone": lambda cur: [cur.fetchone() for _ in range(5)],
    "next": lambda cur: [next(cur) for _ in range(5)],
    "fetchmany": lambda cur: cur.fetchmany(4),
    "fetchall": lambda cur: cur.fetchall(),
    "iteration": lambda cur: list(cur),
}
DEEDS = {
    "execute": lambda cur: cur.execute("select generate_series(100, 120) as other"),
    "fetchone": lambda cur: show(cur.fetchone()),
    "next": lambda cur: show(next(cur)),
    "fetchmany": lambda cur: show(cur.fetchmany(2)),
    "scroll": lambda cur: cur.scroll(0, "absolute"),
    "execute and read": lambda cur: [
        cur.execute("select generate_series(100, 150) as other"),
        show([next(cur) for _ in range(20)]),
    ],
    "fail": lambda cur: 1 / 0,
    "row_factory": lambda cur: setattr(cur, "row_factory", lambda cur: [0]),
}
# psycopg2 counts the rows of a fetchall() first: these have it read past the end of its result.
FORWARD = {"fetchone", "next", "fetchmany"}


def kept(cur):
    return {
        name: getattr(cur, name, None) for name in ("index", "column_mapping", "_query_executed")
    }


def caster(when, deed):
    """One that does it once, at this value, and shows where the cursor stands."""
    done = []

    def cast(value, cur):
        show((value, cur.rownumber, cur.row_factory is None))
        if value == when and not done:
            done.append(1)
            deed(cur)
        return value

    return cast


for kind in ("cursor", "DictCursor", "RealDictCursor", "NamedTupleCursor"):
    factory = getattr(extras, kind, None) or extensions.cursor
    for way, take in WAYS.items():
        for name, deed in DEEDS.items():
            if way == "fetchall" and name in FORWARD:
                continue
            cur = conn.cursor(cursor_factory=factory)
            extensions.register_type(extensions.new_type((25,), "DOES", caster("2", deed)), cur)
            cur.execute("select i::text as value from generate_series(1, 9) i")
            attempt(lambda: take(cur))
            show((cur.rownumber, kept(cur)))
            attempt(cur.fetchone)
            attempt(lambda: cur.fetchmany(2))
            attempt(cur.fetchall)
            show(cur.rownumber)

# A row factory knows which row it is called for.
for take in WAYS.values():
    for value in ("i", "i::text", "array[i]"):
        cur = conn.cursor()
        numbers = []
        cur.row_factory = lambda cur: [numbers.append(cur.rownumber)] * len(cur.description)
        cur.execute(f"select {value} from generate_series(1, 9) i")
        attempt(lambda: take(cur))
        show((numbers, cur.rownumber))
        attempt(cur.fetchall)
        show(numbers)

# One that fails at one row only.
for take in WAYS.values():
    cur = conn.cursor()
    cur.row_factory = lambda cur: [0] if cur.rownumber != 3 else 1 // 0
    cur.execute("select i from generate_series(1, 60) i")
    attempt(lambda: take(cur))
    attempt(lambda: take(cur))
    show(cur.rownumber)
