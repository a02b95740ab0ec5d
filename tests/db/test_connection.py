"""The connection: opening, telling about itself, closing."""

from __future__ import annotations

import gc
import select
import socket
import subprocess
import sys
import threading
import time
import weakref

import pytest

import psycoxide
from psycoxide import extensions


def test_connect_and_close(dsn):
    conn = psycoxide.connect(dsn)
    assert conn.closed == 0
    assert conn.status == extensions.STATUS_READY
    assert conn.server_version == conn.info.server_version >= 90000
    assert conn.protocol_version == 3
    version = conn.server_version
    conn.close()
    conn.close()
    assert conn.closed == 1
    assert (conn.server_version, conn.info.server_version) == (version, 0)
    with pytest.raises(psycoxide.InterfaceError, match="connection already closed"):
        conn.cursor()
    with pytest.raises(psycoxide.InterfaceError, match="connection already closed"):
        conn.commit()


def test_unknown_option_is_named(dsn):
    with pytest.raises(psycoxide.ProgrammingError, match='invalid connection option "tabel"'):
        psycoxide.connect(dsn, tabel="x")


def test_nobody_listens():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    with pytest.raises(psycoxide.OperationalError) as caught:
        psycoxide.connect(host="127.0.0.1", port=port, password="sesame-secret")
    text = str(caught.value)
    assert "127.0.0.1" in text and str(port) in text and "Connection refused" in text
    assert "sesame-secret" not in text + repr(caught.value)
    assert caught.value.pgcode is None


def test_unknown_database(dsn):
    with pytest.raises(psycoxide.OperationalError, match="no_such_database"):
        psycoxide.connect(dsn, dbname="no_such_database")


def test_silent_server_ends_with_connect_timeout(silent):
    started = time.monotonic()
    with pytest.raises(psycoxide.OperationalError, match="timeout"):
        psycoxide.connect(host="127.0.0.1", port=silent, connect_timeout=2)
    assert 1.5 < time.monotonic() - started < 10


def test_info(conn, dsn):
    info = conn.info
    assert info.dbname and info.user
    assert info.backend_pid == conn.get_backend_pid() > 0
    assert info.socket == conn.fileno()
    assert info.status == 0
    assert info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
    conn.cursor().execute("select 1")
    assert info.transaction_status == extensions.TRANSACTION_STATUS_INTRANS
    assert info.parameter_status("DateStyle").startswith("ISO")
    assert info.parameter_status("no such thing") is None
    assert "password" not in info.dsn_parameters
    assert info.dsn_parameters["dbname"] == info.dbname
    conn.close()
    assert info.status == 1
    assert info.host is None


def test_dsn_hides_the_password(dsn):
    parameters = extensions.parse_dsn(dsn)
    conn = psycoxide.connect(dsn, password=parameters.get("password", "unused-secret"))
    secret = conn.info.password
    assert secret
    assert secret not in conn.dsn
    assert secret not in repr(conn)
    assert "password=xxx" in conn.dsn
    conn.close()


def test_subclass_and_factories(dsn):
    class Connection(extensions.connection):
        def __init__(self, dsn, *args, **kwargs):
            super().__init__(dsn, *args, **kwargs)
            self.mine = 42

    class Cursor(extensions.cursor):
        pass

    conn = psycoxide.connect(dsn, connection_factory=Connection, cursor_factory=Cursor)
    assert isinstance(conn, Connection) and conn.mine == 42
    assert type(conn.cursor()) is Cursor
    conn.cursor_factory = None
    assert type(conn.cursor()) is extensions.cursor
    with pytest.raises(TypeError):
        conn.cursor(cursor_factory=lambda *args: None)
    conn.close()


def test_a_factory_gets_a_plain_string_and_may_use_another(connect, dsn):
    """What connect() has read of its string counts for that string alone."""
    seen = []

    class Renamed(extensions.connection):
        def __init__(self, dsn, async_=0):
            seen.append((type(dsn), async_))
            super().__init__(extensions.make_dsn(dsn, application_name="renamed"), async_)

    class After(extensions.connection):
        def __init__(self, dsn):
            other = extensions.make_dsn(dsn, application_name="other")
            self.other = extensions.connection(other)
            super().__init__(dsn)

    conn = connect(dsn, application_name="named", connection_factory=Renamed)
    assert conn.info.parameter_status("application_name") == "renamed"
    assert seen == [(str, 0)]
    conn = connect(dsn, application_name="named", connection_factory=After)
    assert conn.info.parameter_status("application_name") == "named"
    assert conn.other.info.parameter_status("application_name") == "other"
    conn.other.close()


def test_an_init_put_in_the_place_of_the_class_own_is_called(connect, dsn, monkeypatch):
    calls = []
    own = extensions.connection.__init__

    def init(self, *args):
        calls.append(args)
        own(self, *args)

    monkeypatch.setattr(extensions.connection, "__init__", init)
    conn = connect("", **extensions.parse_dsn(dsn))
    assert conn.status == extensions.STATUS_READY
    [[given]] = calls
    assert type(given) is str and extensions.parse_dsn(given) == extensions.parse_dsn(dsn)


def test_plain_connections_take_no_attributes(conn):
    with pytest.raises(AttributeError):
        conn.something = 1
    assert conn.Error is psycoxide.Error
    assert conn.ProgrammingError is psycoxide.ProgrammingError
    with pytest.raises(AttributeError):
        conn.nothing  # noqa: B018


def test_weak_references_and_collection(dsn):
    conn = psycoxide.connect(dsn)
    cur = conn.cursor()
    refs = weakref.ref(conn), weakref.ref(cur)
    conn.notices = [conn]
    conn.close()
    del conn, cur
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_cursor_keeps_its_connection(dsn):
    cur = psycoxide.connect(dsn).cursor()
    gc.collect()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)
    cur.connection.close()


def test_encoding(conn):
    assert conn.encoding == "UTF8"
    cur = conn.cursor()
    conn.set_client_encoding("latin-1")
    assert conn.encoding == "LATIN1"
    cur.execute("select %s, length(%s)", ("è€"[:1], "è"))
    assert cur.fetchone() == ("è", 1)
    with pytest.raises(UnicodeEncodeError):
        cur.execute("select %s", ("€",))
    with pytest.raises(psycoxide.DataError):
        conn.set_client_encoding("no such encoding")
    conn.rollback()
    conn.set_client_encoding("UTF8")
    cur.execute("set client_encoding to latin9")
    assert conn.encoding == "LATIN9"
    cur.execute("select '€'")
    assert cur.fetchone() == ("€",)


def test_the_name_that_was_asked_for_lasts_as_long_as_its_encoding(conn):
    conn.autocommit = True
    cur = conn.cursor()
    conn.set_client_encoding("Windows950")  # The server reports BIG5.
    assert conn.encoding == "WINDOWS950"
    # cp950, which is Windows950, has the character; Python's big5 does not.
    assert cur.mogrify("%s", ("€",)) == b"'\xa3\xe1'"
    cur.execute("set client_encoding to latin9")
    assert conn.encoding == "LATIN9"
    cur.execute("set client_encoding to big5")
    assert conn.encoding == "BIG5"
    with pytest.raises(UnicodeEncodeError):
        cur.mogrify("%s", ("€",))


def test_reset(conn):
    conn.set_session(isolation_level="serializable", readonly=True, autocommit=True)
    conn.cursor().execute("set datestyle to 'German'")
    conn.reset()
    assert conn.autocommit is False
    assert conn.isolation_level is None
    assert conn.readonly is None
    cur = conn.cursor()
    cur.execute("show datestyle")
    assert cur.fetchone()[0].startswith("ISO")


def test_datestyle_is_iso(dsn):
    conn = psycoxide.connect(dsn, options="-c datestyle=german")
    assert conn.info.parameter_status("DateStyle").startswith("ISO")
    conn.close()


def test_notices(conn):
    cur = conn.cursor()
    cur.execute("do $$ begin raise notice 'hello %', 1; end $$")
    assert conn.notices[-1].startswith("NOTICE:  hello 1\n")
    cur.execute("do $$ begin for i in 1..120 loop raise notice '%', i; end loop; end $$")
    assert len(conn.notices) == 50
    assert conn.notices[-1].startswith("NOTICE:  120\n")

    class Sink:
        def __init__(self):
            self.seen = []

        def append(self, text):
            self.seen.append(text)
            raise ValueError("ignored")

    conn.notices = sink = Sink()
    cur.execute("do $$ begin raise notice 'sunk'; end $$")
    assert sink.seen[0].startswith("NOTICE:  sunk\n")


def test_cancel_from_another_thread(conn):
    timer = threading.Timer(0.3, conn.cancel)
    timer.start()
    cur = conn.cursor()
    started = time.monotonic()
    with pytest.raises(extensions.QueryCanceledError):
        cur.execute("select pg_sleep(30)")
    assert time.monotonic() - started < 5
    timer.join()
    conn.rollback()
    cur.execute("select 1")
    assert cur.fetchone() == (1,)
    conn.cancel()


def test_control_c_cancels_on_the_server(dsn, tmp_path):
    script = tmp_path / "long.py"
    script.write_text(
        "import os, signal, threading, time, psycoxide\n"
        f"conn = psycoxide.connect({dsn!r})\n"
        "cur = conn.cursor()\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "started = time.monotonic()\n"
        "try:\n"
        "    cur.execute('select pg_sleep(60)')\n"
        "except KeyboardInterrupt:\n"
        "    took = time.monotonic() - started\n"
        "    assert took < 1.5, took\n"
        "    conn.rollback()\n"
        "    cur.execute('select 42')\n"
        "    assert cur.fetchone() == (42,)\n"
        '    cur.execute("select count(*) from pg_stat_activity'
        " where query like 'select pg_sl%' and state = 'active' and pid = pg_backend_pid()\")\n"
        "    assert cur.fetchone() == (0,)\n"
        "    print('interrupted')\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.returncode) == ("interrupted\n", 0), done.stderr


def test_server_terminates_the_session(dsn):
    conn = psycoxide.connect(dsn)
    other = psycoxide.connect(dsn)
    other.autocommit = True
    other.cursor().execute("select pg_terminate_backend(%s)", (conn.get_backend_pid(),))
    time.sleep(0.2)
    with pytest.raises(psycoxide.OperationalError):
        conn.cursor().execute("select 1")
    assert conn.closed == 2
    with pytest.raises(psycoxide.InterfaceError):
        conn.cursor()
    other.close()


def test_threads_share_a_connection(conn):
    failures = []

    def work(number):
        try:
            cur = conn.cursor()
            for i in range(50):
                cur.execute("select %s, %s", (number, i))
                assert cur.fetchone() == (number, i)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_idle_connection_is_selectable(conn):
    conn.autocommit = True
    assert conn.poll() == extensions.POLL_OK
    conn.cursor().execute("listen ring")
    assert select.select([conn], [], [], 0) == ([], [], [])


def test_garbage_instead_of_a_server(scripted):
    def handler(session):
        session.take(8)
        session.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(psycoxide.OperationalError):
        psycoxide.connect(**scripted(handler=handler).options())


def test_control_c_while_connecting(run_python, silent):
    done = run_python(
        """
        import os, signal, sys, threading, time, psycoxide
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        started = time.monotonic()
        try:
            psycoxide.connect(host="127.0.0.1", port=sys.argv[1])
        except KeyboardInterrupt:
            print(time.monotonic() - started < 1.5)
        """,
        str(silent),
    )
    assert done.stdout == "True\n"


def test_other_threads_run_while_the_configuration_is_read(run_python, tmp_path):
    """The service file is a pipe, so reading it waits for the thread that writes."""
    done = run_python(
        """
        import os, sys, threading, psycoxide
        pipe = sys.argv[1]
        os.mkfifo(pipe)
        def write():
            with open(pipe, "w") as file:
                file.write("[one]\\nhost=/nowhere\\nport=4321\\n")
        threading.Timer(0.05, write).start()
        try:
            psycoxide.connect(service="one", servicefile=pipe)
        except psycoxide.OperationalError as error:
            print(str(error).splitlines()[0])
        """,
        str(tmp_path / "pipe"),
    )
    assert '"/nowhere/.s.PGSQL.4321" failed' in done.stdout, done.stderr


def test_what_changes_between_two_connections_counts(connect, dsn, monkeypatch, tmp_path):
    """The same string again: the environment and the password file are those of now."""
    plain = extensions.make_dsn(dsn, password=None, passfile=str(tmp_path / "pass"))
    options = {k: v for k, v in extensions.parse_dsn(plain).items() if k != "password"}

    def application():
        return connect(**options).info.dsn_parameters.get("application_name")

    monkeypatch.setenv("PGPASSWORD", extensions.parse_dsn(dsn).get("password", ""))
    monkeypatch.delenv("PGAPPNAME", raising=False)
    assert application() is None
    monkeypatch.setenv("PGAPPNAME", "one")
    assert application() == "one"
    monkeypatch.setenv("PGAPPNAME", "another")
    assert application() == "another"
    assert (
        connect(**options, application_name="given").info.dsn_parameters["application_name"]
        == "given"
    )
    assert application() == "another"
    monkeypatch.delenv("PGAPPNAME")
    assert application() is None


def test_a_string_without_secrets_is_read_again_where_it_matters(tmp_path, monkeypatch):
    """Nothing listens there: what counts is which options an attempt has."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    passfile = tmp_path / "pass"
    options = {"host": str(tmp_path), "user": "me", "dbname": "d", "passfile": str(passfile)}

    def attempt():
        conn = extensions.connection.__new__(extensions.connection)
        with pytest.raises(psycoxide.OperationalError):
            conn.__init__(extensions.make_dsn(**options))
        return conn.dsn

    assert attempt() == attempt() == extensions.make_dsn(**options)
    monkeypatch.setenv("PGSSLMODE", "nonsense")
    with pytest.raises(psycoxide.OperationalError, match='invalid sslmode value: "nonsense"'):
        psycoxide.connect(**options)
    monkeypatch.delenv("PGSSLMODE")
    attempt()
    options["password"] = "hush"
    assert "hush" not in attempt() and "password=xxx" in attempt()


def test_connect_calls_what_was_put_in_the_place_of_its_inner_function(monkeypatch):
    calls = []
    monkeypatch.setattr(psycoxide, "_connect", lambda *args, **kw: calls.append((args, kw)))
    assert psycoxide.connect("dbname=x", port=7, async_=1) is None
    psycoxide.connect(database="y")
    assert calls == [
        (("dbname=x port=7",), {"connection_factory": None, "async_": 1}),
        (("dbname=y",), {"connection_factory": None}),
    ]
