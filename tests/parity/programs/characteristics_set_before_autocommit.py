"""Autocommit after what BEGIN would have carried was set."""

for option in ("readonly", "deferrable"):
    c = psycopg2.connect(dsn)
    setattr(c, option, True)
    c.autocommit = True
    cur = c.cursor()
    cur.execute(
        "select current_setting('transaction_read_only'), current_setting('transaction_deferrable')"
    )
    show(cur.fetchone())
    c.close()
