"""Notices and notifications."""

cur = conn.cursor()
conn.notices.clear() if hasattr(conn.notices, "clear") else None
cur.execute("do $$ begin raise notice 'one'; raise warning 'two'; end $$")
show(list(conn.notices))
cur.execute("listen differ")
conn.commit()
cur.execute("notify differ, 'x'")
conn.commit()
conn.poll()
show([(n.channel, n.payload, n.pid == conn.get_backend_pid()) for n in conn.notifies])
show(len(conn.notifies[0]))
n = extensions.Notify(1, "c", "p")
show(repr(n))
show(n == (1, "c"))
show(n == extensions.Notify(1, "c", "q"))
show(hash(n) == hash((1, "c", "p")) or None)
del conn.notifies[:]
cur.execute("unlisten *")
conn.commit()
