"""E: notices, notifications, parameter status, session settings that change under the driver."""

import datetime as dt
import threading

import pytest
from fixtures.messages import error, message
from fixtures.scripted_server import ScriptedServer
from support import (
    check,
    connect,
    db,
    dial,
    errors,
    ext,
    extras,
    memory_bound,
    psql,
    sql,
    usable,
    wait_for,
    within,
)


@check(timeout=60)
def test_e01_a_flood_of_notices_ends(conn):
    """300 000 notices (70 MB) in one statement: ends, memory under 4x, at most 50 kept, the right
    answer
    """
    _flood(conn, 280)


@check(level="beyond", timeout=60, loops="both")
def test_e12_a_flood_of_notices_takes_no_memory(conn):
    """the same flood: memory independent of the number of notices (30 MB)"""
    _flood(conn, 30)


def _flood(conn, bound):
    cur = conn.cursor()
    with memory_bound(bound), within(40):
        cur.execute(
            "do $$ begin for i in 1..300000 loop "
            "raise notice 'n % %', i, repeat('z', 200); end loop; end $$"
        )
    assert len(conn.notices) == 50 and "300000" in conn.notices[-1]
    cur.execute("select 7")
    assert cur.fetchone() == (7,)


@check(timeout=40, loops="both")
def test_e02_no_notification_is_lost():
    """notifications inside and between statements, 4000 of them, plain and TLS: none lost, in
    order
    """
    for kw in ({}, dict(sslmode="require")):
        conn, src = connect(**kw), connect()
        conn.autocommit = src.autocommit = True
        cur, s = conn.cursor(), src.cursor()
        cur.execute("listen ch")
        stop = []

        def send():
            for i in range(0, 4000, 10):
                s.execute(
                    "do $$ begin for j in 0..9 loop "
                    f"perform pg_notify('ch', ({i} + j)::text); end loop; end $$"
                )
            stop.append(1)

        t = threading.Thread(target=send)
        t.start()
        while not stop:
            cur.execute("select g, repeat('x', 50) from generate_series(1, 200) g")
            assert len(cur.fetchall()) == 200
        t.join()

        def all_in():
            conn.poll()
            return len(conn.notifies) >= 4000

        assert wait_for(all_in, 5)
        assert [n.payload for n in conn.notifies] == [str(i) for i in range(4000)]
        assert {n.pid for n in conn.notifies} == {src.info.backend_pid}
        conn.close()
        src.close()


ENCS = (
    ("LATIN1", "é§ü"),
    ("EUC_JP", "日本語"),
    ("WIN1251", "Привет"),
    ("UTF8", "é漢😀"),
    ("SJIS", "表示ソ"),
    ("BIG5", "功許蓋"),
    ("GBK", "誠慲"),
    ("GB18030", "誠慲😀"),
    ("UHC", "안녕"),
    ("KOI8R", "Привет"),
    ("LATIN9", "€uro"),
)


def _roundtrip(cur, text, enc):
    cur.execute(
        "select %s::text, length(%s::text), encode(convert_to(%s::text, 'UTF8'), 'hex')",
        (text, text, text),
    )
    assert cur.fetchone() == (text, len(text), text.encode().hex()), enc


@check(timeout=30)
def test_e03_set_client_encoding_counts_both_ways():
    """set_client_encoding in mid-session, 11 encodings: both directions follow, injection-safe
    second bytes
    """
    conn = connect()
    for enc, text in ENCS:
        conn.set_client_encoding(enc)
        cur = conn.cursor()
        _roundtrip(cur, text, enc)
        _roundtrip(cur, text + "\\' or 1=1 --" + text, enc)
        conn.rollback()
    conn.set_client_encoding("LATIN1")
    cur = conn.cursor()
    with pytest.raises(UnicodeEncodeError):
        cur.execute("select %s", ("漢",))
    conn.rollback()
    conn.set_client_encoding("UTF8")
    assert usable(conn)


@check(level="beyond", timeout=30)
def test_e13_client_encoding_changed_by_sql_is_followed():
    """client_encoding changed by SQL, undone by rollback: the driver follows ParameterStatus"""
    conn = connect()
    cur = conn.cursor()
    for enc, text in ENCS:
        cur.execute(f"set client_encoding to '{enc}'")
        _roundtrip(cur, text, enc)
    conn.rollback()
    assert conn.encoding.upper() in ("UTF8", "UTF-8")
    _roundtrip(cur, "é漢😀", "after rollback")


NASTY = [
    "\\",
    "\\\\",
    "'",
    "\\'",
    "'' \\",
    "\\' OR 1=1 --",
    "E'\\''",
    "$$x$$",
    "%",
    "%s",
    "\n\\n",
    "é\\",
    "\\x41",
    "\\000",
]


@check(timeout=30, loops="both")
def test_e04_quoting_follows_standard_conforming_strings(conn):
    """standard_conforming_strings off (and back) in mid-session: quoting stays right, for text,
    bytes, arrays
    """
    cur = conn.cursor()
    for v in ("off", "on", "off"):
        cur.execute(f"set standard_conforming_strings to {v}")
        cur.execute("set escape_string_warning to off")
        for s in NASTY:
            cur.execute(
                "select %s::text, %s::bytea, %s::text[]", (s, db.Binary(s.encode()), [s, s])
            )
            a, b, c = cur.fetchone()
            assert (a, bytes(b), c) == (s, s.encode(), [s, s]), (v, s)
        cur.execute("select 1 as x where %s = %s", (NASTY[5], "z"))
        assert cur.fetchall() == []
        cur.execute(sql.SQL("select {}::text").format(sql.Literal(NASTY[3])))
        assert cur.fetchone() == (NASTY[3],)
        conn.commit()


# Ways to turn standard_conforming_strings {v}.
FLIPS = {
    "set_config()": "select set_config('standard_conforming_strings', '{v}', false)",
    "a DO block": (
        "do $$ begin perform set_config('standard_conforming_strings', '{v}', false); end $$"
    ),
    "functions": """
        create or replace function pg_temp.flip() returns void language plpgsql as
        $$ begin perform set_config('standard_conforming_strings', '{v}', false); end $$;
        create or replace function pg_temp.other() returns int language sql
        set standard_conforming_strings to {v} as 'select 1';
        select pg_temp.flip(), pg_temp.other()""",
    "one of several statements": "select 1; set standard_conforming_strings to {v}; select 2",
    "SET SESSION": "set session standard_conforming_strings = '{v}'",
    "SET LOCAL": "set local standard_conforming_strings = '{v}'",
    "pg_settings": (
        "update pg_settings set setting = '{v}' where name = 'standard_conforming_strings'"
    ),
}


def quoting_is_right(cur, where):
    """What would end a literal in one of the two modes, sent and read, by one and by many."""
    for text in NASTY:
        cur.execute("select %s::text, %s::bytea", (text, db.Binary(text.encode())))
        a, b = cur.fetchone()
        assert (a, bytes(b)) == (text, text.encode()), (where, text)
    cur.execute("create temp table if not exists many (x text); truncate many")
    cur.executemany("insert into many values (%s)", [(text,) for text in NASTY])
    extras.execute_values(cur, "insert into many values %s", [(text,) for text in NASTY])
    cur.execute("select x from many")
    assert sorted(x for (x,) in cur) == sorted(NASTY * 2), where
    named = cur.connection.cursor("n")
    named.execute("select %s::text", (NASTY[3],))
    assert named.fetchall() == [(NASTY[3],)], where
    named.close()


@check(timeout=60)
def test_e09_quoting_follows_however_the_setting_is_turned():
    """standard_conforming_strings turned by functions, DO blocks, SET LOCAL, pg_settings, inside
    several statements, undone by rollbacks and savepoints, set by role and options: quoting follows
    """
    conn = connect()
    cur = conn.cursor()
    cur.execute("set escape_string_warning to off")
    conn.commit()
    for name, flip in FLIPS.items():
        for value in ("off", "on", "off"):
            cur.execute(flip.replace("{v}", value))
            quoting_is_right(cur, (name, value))
            other = "on" if value == "off" else "off"
            cur.execute(f"savepoint s; set local standard_conforming_strings to {other}")
            quoting_is_right(cur, (name, value, "in a savepoint"))
            cur.execute("rollback to s")
            quoting_is_right(cur, (name, value, "after the savepoint"))
        conn.rollback()
        quoting_is_right(cur, (name, "after the rollback"))
        conn.commit()
    for undo in ("reset standard_conforming_strings", "reset all", "discard all"):
        conn.autocommit = True
        cur.execute("set standard_conforming_strings to off")
        cur.execute(undo)
        conn.autocommit = False
        quoting_is_right(cur, undo)
        conn.rollback()
    conn.close()
    psql(
        "create role r_e09 superuser login; alter role r_e09 set standard_conforming_strings to off"
    )
    try:
        for how in ({"user": "r_e09"}, {"options": "-c standard_conforming_strings=off"}):
            conn = connect(**how)
            cur = conn.cursor()
            cur.execute("set escape_string_warning to off")
            quoting_is_right(cur, how)
            conn.reset()
            quoting_is_right(conn.cursor(), (how, "after reset()"))
            conn.close()
    finally:
        psql("drop role r_e09")


@check(timeout=40, loops="both")
def test_e07_odd_error_messages_are_read():
    """error messages: other encodings, 1 MB long, all diag fields, missing and unknown fields, no
    SQLSTATE
    """
    conn = connect(client_encoding="LATIN1")
    with pytest.raises(errors.RaiseException) as ei:
        conn.cursor().execute(
            "do $$ begin raise exception 'h\u00e9l\u00e0 %', repeat('\u00fc', 3) "
            "using hint='\u00e9', detail='\u00f1'; end $$"
        )
    e = ei.value
    assert "hélà üüü" in str(e) and e.diag.message_hint == "é" and e.diag.message_detail == "ñ"
    conn.rollback()
    with pytest.raises(errors.RaiseException) as ei:
        conn.cursor().execute("do $$ begin raise exception '%', repeat('long ', 200000); end $$")
    assert len(str(ei.value)) > 900_000
    assert usable(conn)
    cases = [
        (
            error(
                S="ERROR",
                C="23505",
                M="dup",
                D="d",
                H="h",
                P="7",
                s="sch",
                t="tab",
                c="col",
                n="con",
                F="f",
                L="1",
                R="r",
            ),
            errors.UniqueViolation,
            "23505",
        ),
        (error(S="ERROR", C="ZZ999", M="unknown class"), db.Error, "ZZ999"),
        (error(S="ERROR", M="no code"), db.Error, None),
        (error(), db.Error, None),
        (message(b"E", b"S\xff\xfe\0C42601\0M\xe9\xff bad utf8\0\0"), db.Error, "42601"),
        (
            error(S="ERROR", C="42601", M="m", z="future", Z="field"),
            errors.SyntaxError,
            "42601",
        ),
        (error(S="ERROR", C="4260", M="short"), db.Error, "4260"),
        (
            error(S="ERROR", C="22P02", M="pos", P="999999999999"),
            errors.InvalidTextRepresentation,
            "22P02",
        ),
    ]
    for body, cls, code in cases:
        with ScriptedServer(answers=lambda s, c: body) as srv:
            c = dial(**srv.options())
            with within(5), pytest.raises(cls) as ei:
                c.cursor().execute("select 1")
            e = ei.value
            assert e.pgcode == code and isinstance(str(e), str)
            for a in dir(e.diag):
                if not a.startswith("_"):
                    getattr(e.diag, a)
            import pickle

            pickle.loads(pickle.dumps(e))


@check(timeout=20)
def test_e08_odd_time_zones_are_the_same_instant(conn):
    """odd time zones: offsets with seconds, changes of TimeZone in mid-session: the same instant"""
    cur = conn.cursor()
    inst = dt.datetime(1890, 1, 1, 12, 0, 0, tzinfo=dt.timezone.utc)
    for tz in (
        "Europe/Amsterdam",
        "America/St_Johns",
        "Asia/Kolkata",
        "UTC",
        "<X>-14:59",
        "Africa/Monrovia",
    ):
        cur.execute("set timezone to %s", (tz,))
        cur.execute("select %s::timestamptz, '2024-07-01 00:00+00'::timestamptz", (inst,))
        a, b = cur.fetchone()
        assert a == inst and b == dt.datetime(2024, 7, 1, tzinfo=dt.timezone.utc), (tz, a, b)


@check(timeout=30)
def test_e10_the_state_is_true_after_resets():
    """SET LOCAL, rollback, functions, RESET ALL, DISCARD ALL: the connection's state is true"""
    conn = connect()
    cur = conn.cursor()
    cur.execute("set local datestyle to 'German'; set local standard_conforming_strings to off")
    conn.rollback()
    cur.execute("select %s::text, '2024-03-04'::date", ("a\\'b",))
    assert cur.fetchone() == ("a\\'b", dt.date(2024, 3, 4))
    conn.rollback()
    conn.autocommit = True
    cur.execute("set datestyle to 'SQL, DMY'")
    cur.execute("discard all")
    cur.execute("set datestyle to 'ISO'")
    cur.execute("select '2024-03-04'::date, %s::text", ("é漢",))
    assert cur.fetchone() == (dt.date(2024, 3, 4), "é漢")
    assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE


@check(timeout=30, loops="both")
def test_e11_the_transaction_status_is_true(conn):
    """transaction status stays true through user-typed BEGIN/COMMIT, errors, savepoints,
    autocommit changes
    """
    idle, inside, failed = (
        ext.TRANSACTION_STATUS_IDLE,
        ext.TRANSACTION_STATUS_INTRANS,
        ext.TRANSACTION_STATUS_INERROR,
    )
    st = conn.get_transaction_status
    cur = conn.cursor()
    assert st() == idle
    cur.execute("select 1")
    assert st() == inside
    cur.execute("commit")
    assert st() == idle
    conn.commit()
    with pytest.raises(errors.DivisionByZero):
        cur.execute("select 1/0")
    assert st() == failed
    with pytest.raises(errors.InFailedSqlTransaction):
        cur.execute("select 1")
    conn.rollback()
    assert st() == idle
    cur.execute("savepoint a")
    with pytest.raises(db.Error):
        cur.execute("select nope")
    cur.execute("rollback to a")
    assert st() == inside
    with pytest.raises(db.ProgrammingError):
        conn.autocommit = True
    conn.commit()
    conn.autocommit = True
    cur.execute("begin; select 1")
    assert st() == inside
    cur.execute("rollback")
    assert st() == idle
