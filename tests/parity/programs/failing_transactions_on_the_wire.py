"""Errors in and around transactions, with blocks included."""

c = psycopg2.connect(dsn)


def look():
    show((c.closed, c.status, c.info.transaction_status, c.autocommit))


def run(query):
    c.cursor().execute(query)


attempt(lambda: run("select 1/0"))
look()
attempt(lambda: run("select 1"))
c.commit()
look()
c.commit()
c.rollback()
run("create temporary table parent (a int primary key deferrable initially deferred)")
c.commit()
run("insert into parent values (1), (1)")
attempt(c.commit)
look()
run("select 1")
c.rollback()


def block(query, ending=None):
    with c:
        run(query)
        if ending:
            raise ending


attempt(lambda: block("select 1"))
look()
attempt(lambda: block("select 1/0"))
look()
attempt(lambda: block("select 1", KeyError("k")))
look()
attempt(lambda: block("insert into parent values (1), (1)"))
look()


def nested():
    with c:
        run("select 1")
        with c:
            run("select 2")


attempt(nested)
look()
c.autocommit = True
attempt(lambda: block("select 1"))
look()
attempt(lambda: block("select 1/0"))
look()
attempt(lambda: block("select 1", KeyError("k")))
attempt(nested)
attempt(lambda: run("select 1/0"))
look()


def inside():
    with c:
        attempt(lambda: setattr(c, "autocommit", False))
        run("select 1")
        attempt(lambda: setattr(c, "autocommit", False))
        look()


attempt(inside)
look()
c.autocommit = False


def ended_inside():
    with c:
        run("select 1")
        c.commit()
        run("select 2")
        c.rollback()


attempt(ended_inside)
look()
with c:
    pass
look()


def closed_inside():
    with c:
        run("select 1")
        c.close()


attempt(closed_inside)
attempt(lambda: block("select 1"))


class Loud(extensions.connection):
    def commit(self):
        show("commit")
        super().commit()

    def rollback(self):
        show("rollback")
        super().rollback()


c = psycopg2.connect(dsn, connection_factory=Loud)
attempt(lambda: block("select 1"))
attempt(lambda: block("select 1/0"))
c.close()
