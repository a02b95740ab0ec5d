"""Lobjects."""

lo = conn.lobject()
show(lo.mode)
show(lo.write("h\u00e9llo"))
show(lo.seek(0))
show(lo.read())
show(lo.tell())
lo.seek(1)
show(lo.read(2))
lo.truncate(3)
show(lo.seek(0, 2))
oid = lo.oid
lo.close()
attempt(lo.read)
lo = conn.lobject(oid, "rb")
show(lo.read())
attempt(lambda: lo.write(b"x"))
conn.rollback()
attempt(lo.read)
attempt(lambda: conn.lobject(oid, "x"))
attempt(lambda: conn.lobject(12345678))
conn.rollback()
conn.autocommit = True
attempt(conn.lobject)
conn.autocommit = False
