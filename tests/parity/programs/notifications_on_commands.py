"""When notifications arrive: on any command, on commit, and by poll()."""

conn = psycopg2.connect(dsn)
conn.autocommit = True
cur = conn.cursor()
cur.execute("listen one")
cur.execute("notify one")
show([(n.channel, n.payload, n.pid == conn.info.backend_pid) for n in conn.notifies])
cur.execute("notify one, 'again'")
show([(n.channel, n.payload) for n in conn.notifies])
conn.autocommit = False
cur.execute("notify one, 'in a transaction'")
show(len(conn.notifies))
conn.commit()
show(len(conn.notifies))
cur.execute("notify one, 'never'")
conn.rollback()
show(len(conn.notifies))
conn.poll()
show(len(conn.notifies))
del conn.notifies[:]


class Box:
    def __init__(self):
        self.seen = []

    def append(self, thing):
        self.seen.append(thing)


conn.notifies = box = Box()
conn.notices = notices = Box()
cur.execute("notify one, 'to the box'")
cur.execute("do $$ begin raise notice 'n1'; raise warning 'n2'; end $$")
conn.commit()
show([(type(n).__name__, n.payload, repr(n).split(",", 1)[1]) for n in box.seen])
show(notices.seen)
conn.notices = []
cur.execute("do $$ begin for i in 1..60 loop raise notice '%', i; end loop; end $$")
show((len(conn.notices), conn.notices[0], conn.notices[-1]))
conn.notices = None
cur.execute("do $$ begin raise notice 'lost'; end $$")
show(conn.notices)
n = extensions.Notify(1, "a")
show(
    (
        n == (1, "a"),
        n == extensions.Notify(1, "a", ""),
        n != extensions.Notify(1, "b"),
        tuple(n),
        n[0],
        len(n),
        hash(n) == hash((1, "a")),
    )
)
conn.rollback()
conn.close()
