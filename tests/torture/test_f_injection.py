"""F: what looks like a name, an option or a piece of text cannot become SQL."""

import contextlib
import io

import pytest
from support import check, connect, db, ext, psql, sql

EVIL = [
    'x"; drop table canary; --',
    "x'; drop table canary; --",
    "x\\'; drop table canary; --",
    "x); drop table canary; --",
    'x" from stdin; drop table canary; --',
    "$$; drop table canary; --",
    "/* x */ ; drop table canary; --",
    "x\n; drop table canary",
]


def uses(conn, cur, evil):
    """Every place that takes a name or a text and writes it into a statement."""
    yield lambda: conn.cursor(evil).execute("select 1")
    yield lambda: conn.cursor(evil, withhold=True).execute("select 1")
    yield lambda: cur.copy_from(io.StringIO("1\n"), evil)
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", columns=[evil])
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", sep=evil)
    yield lambda: cur.copy_from(io.StringIO("1\n"), "canary", null=evil)
    yield lambda: cur.copy_to(io.StringIO(), evil)
    yield lambda: cur.copy_to(io.StringIO(), "canary", columns=[evil])
    yield lambda: cur.callproc("now", {evil: 1})
    yield lambda: conn.set_client_encoding(evil)
    yield lambda: conn.set_session(isolation_level=evil)
    yield lambda: conn.tpc_begin(evil)
    yield lambda: conn.tpc_recover()
    yield lambda: cur.execute(sql.SQL("select 1 as {}").format(sql.Identifier(evil)))
    yield lambda: cur.execute(sql.SQL("select {}").format(sql.Literal(evil)))
    yield lambda: cur.execute("select %s", (evil,))
    yield lambda: cur.execute("select %s", ([evil, [evil]],))
    yield lambda: cur.execute("select %s", (evil.encode(),))
    yield lambda: cur.execute("select 1 as " + ext.quote_ident(evil, cur))


@check("F23", timeout=60)
def test_f23():
    """names of cursors, tables, columns, procedures' arguments, encodings, levels, transactions,
    and every kind of parameter: none becomes a statement of its own
    """
    psql("drop table if exists canary; create table canary (x int); insert into canary values (7)")
    for evil in EVIL:
        number = len(list(uses(None, None, evil)))
        for index in range(number):
            conn = connect()
            use = list(uses(conn, conn.cursor(), evil))[index]
            with contextlib.suppress(db.Error, ValueError, TypeError, LookupError):
                use()
            with contextlib.suppress(db.Error):
                conn.commit()
            conn.close()
    assert psql("select x from canary where x = 7") == "7"
    with pytest.raises(db.Error):
        connect().cursor().execute("select 'a' %s", ("'; drop table canary; --",))
    assert psql("select x from canary where x = 7") == "7"
