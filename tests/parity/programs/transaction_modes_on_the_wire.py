"""What BEGIN says, and what is set instead, in every mode."""

for level in (None, 1, 2, 3, 4):
    for readonly in (None, True, False):
        for deferrable in (None, True, False):
            c = psycopg2.connect(dsn)
            c.isolation_level, c.readonly, c.deferrable = level, readonly, deferrable
            c.cursor().execute("select 1")
            c.commit()
            c.close()
            c = psycopg2.connect(dsn)
            c.autocommit = True
            c.isolation_level, c.readonly, c.deferrable = level, readonly, deferrable
            c.cursor().execute("show transaction_read_only")
            c.autocommit = False
            c.cursor().execute("select 3")
            c.rollback()
            c.close()

c = psycopg2.connect(dsn)
for arguments in (
    {"autocommit": True},
    {"isolation_level": "serializable", "readonly": True, "deferrable": True},
    {"readonly": False},
    {"isolation_level": "DEFAULT"},
    {"readonly": "default", "deferrable": "default"},
    {"autocommit": False},
    {"isolation_level": None, "autocommit": True},
    {"isolation_level": 2},
    {"isolation_level": 7},
    {"isolation_level": "nonsense"},
    {"readonly": "nonsense"},
    {"nonsense": 1},
    {},
    {"autocommit": False, "isolation_level": None},
):
    attempt(lambda: c.set_session(**arguments))
    show((c.autocommit, c.isolation_level, c.readonly, c.deferrable, c.status))
    c.cursor().execute("select 1")
    show((c.status, c.info.transaction_status))
    c.rollback()
c.set_session(isolation_level="default", autocommit=False)
for level in (0, 1, 2, 3, 4, None, 5, -1, "read committed"):
    c.cursor().execute("select 1")
    attempt(lambda: c.set_isolation_level(level))
    show((c.autocommit, c.isolation_level, c.status, c.info.transaction_status))
attempt(lambda: c.set_session(True, True, True, True))
attempt(lambda: c.set_session(None, None, None, 1))
attempt(c.reset)
show((c.autocommit, c.isolation_level, c.readonly, c.deferrable, c.status))
c.cursor().execute("select 1")
c.reset()
c.close()
attempt(c.reset)
attempt(lambda: c.set_session(readonly=True))
attempt(lambda: setattr(c, "autocommit", True))
attempt(lambda: c.autocommit)
attempt(lambda: c.isolation_level)
attempt(lambda: setattr(c, "isolation_level", 1))
