"""Subclasses whose `__init__` takes other arguments than the class, and hands on what it likes."""

from psycopg2 import extensions, extras


class Channel(extensions.Notify):
    def __init__(self, name):
        super().__init__(7, name.upper(), "hello")


show(Channel("a").pid)
show(Channel("a").channel)
show(Channel("a").payload)
show(list(Channel("a")))
show(Channel("a") == (7, "A"))


class Order(extensions.Xid):
    def __init__(self, number):
        super().__init__(42, f"order-{number}", bqual="accounts")


show(list(Order(3)))
show(str(Order(3)))
show(Order(3).gtrid)
attempt(lambda: Order("x" * 70))


class Message(extras.ReplicationMessage):
    def __init__(self, payload):
        super().__init__(conn.cursor(), payload)


show(Message("a").payload)
show(Message("a").data_size)
show(Message("a").send_time)
show(repr(Message("a")).partition(";")[2])
attempt(lambda: extras.ReplicationMessage(None, "a"))


class Text(extensions.QuotedString):
    def __init__(self, *words):
        super().__init__(" ".join(words))


show(Text("it's", "me").getquoted())


class Bytes(extensions.Binary):
    def __init__(self, *parts):
        super().__init__(b"".join(parts))


show(str(Bytes(b"a", b"b")))


class Items(extensions.SQL_IN):
    def __init__(self, *items):
        super().__init__(items)


show(Items(1, 2).getquoted())


class Whole(extensions.AsIs):
    def __init__(self, value, scale):
        super().__init__(value * scale)


show(Whole(2, 3).getquoted())


class Attached(extensions.lobject):
    """Always binary, always to read and write."""

    def __init__(self, conn, oid, mode, *rest):
        super().__init__(conn, oid, "rwb", *rest)
        self.asked = mode


lo = conn.lobject(0, "r", 0, None, Attached)
show(lo.mode)
show(lo.asked)
show(lo.write("a"))
lo.seek(0)
show(lo.read())
lo.close()


class Unopened(extensions.lobject):
    def __init__(self, *args):
        pass


lo = conn.lobject(lobject_factory=Unopened)
show(lo.closed)


class Labelled(extensions.cursor):
    def __init__(self, label, conn):
        super().__init__(conn)
        self.label = label


cur = Labelled("a", conn)
show(cur.label)
cur.execute("select 1")
show(cur.fetchone())


class Info(extensions.ConnectionInfo):
    def __init__(self, label, conn):
        super().__init__(conn)
        self.label = label


show(Info("a", conn).label)
show(Info("a", conn).dbname)


class Heading(extensions.Column):
    def __init__(self, name):
        super().__init__(name, 23)


show(Heading("n").name)
show(Heading("n").type_code)
