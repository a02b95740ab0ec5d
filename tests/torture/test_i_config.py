"""I: secrets and configuration sources."""

import os

from support import PORT, base, check, child, connect, db, dial

SECRET = "Zx9-hush hush'q"


@check(timeout=20)
def test_i01_the_password_shows_nowhere():
    """the password shows nowhere: repr, dsn, parameters, info, errors, tracebacks of failed
    connects, logs
    """
    c = connect(user="u_scram", password="pencil")
    texts = [
        repr(c),
        str(c),
        c.dsn,
        repr(c.get_dsn_parameters()),
        repr(c.info.dsn_parameters),
        repr(c.cursor()),
    ]
    assert not any("pencil" in t for t in texts), texts
    c.close()
    for kw in (
        base(user="u_scram", password=SECRET),
        base(port=1, password=SECRET),
        base(password=SECRET, sslmode="bogus"),
        base(host="no.such.host.invalid", password=SECRET, connect_timeout=2),
    ):
        try:
            dial(**kw)
        except db.Error as e:
            text = str(e) + repr(e) + repr(e.args) + repr(getattr(e, "pgerror", ""))
            assert SECRET not in text and "hush" not in text, text
    from urllib.parse import quote

    for dsn in (
        f"postgresql://u_scram:{quote(SECRET, safe='')}@127.0.0.1:{PORT}/torture?nosuch=1",
        f"postgresql://u:{quote(SECRET, safe='')}@127.0.0.1:1/x",
    ):
        try:
            dial(dsn)
        except db.Error as e:
            assert "hush" not in str(e), str(e)


def run_conn(env=None, dsn="''", home=None, extra="", files=None, ok=True):
    e = dict((env or {}).items())
    if home:
        e["HOME"] = str(home)
    return child(
        f"""
        {extra}
        try:
            c = dial({dsn})
            p = c.get_dsn_parameters()
            print("OK", p.get("user"), p.get("dbname"), p.get("host"), p.get("port"),
                  c.info.parameter_status("application_name"))
        except db.Error as e: print("ERR", type(e).__name__, e)
    """,
        env=e,
        timeout=10,
    )


@check(timeout=30)
def test_i03_password_files_are_read_or_refused(tmp_path):
    """.pgpass: read for 0600, refused for 0644; wildcards, escapes, first match, PGPASSFILE,
    passfile=, non-ASCII
    """
    pp = tmp_path / ".pgpass"
    E = dict(
        PGHOST="127.0.0.1",
        PGPORT=str(PORT),
        PGUSER="u_weird",
        PGDATABASE="torture",
        PGSSLMODE="disable",
        PGPASSFILE="",
    )
    pw = "p@ss w'ord\\\"=%/?:#[]&é漢😀".replace("\\", "\\\\").replace(":", "\\:")

    def put(text, mode=0o600):
        pp.write_text(text)
        os.chmod(pp, mode)

    e = {k: v for k, v in E.items() if k != "PGPASSFILE"}
    e2 = dict(e, PGPASSFILE=str(pp))
    put(f"# comment\nother:1:*:*:no\n127.0.0.1:{PORT}:*:u_weird:{pw}\n*:*:*:*:wrong\n")
    assert run_conn(e2).out.startswith("OK u_weird")
    put(f"*:*:*:*:wrong\n127.0.0.1:{PORT}:*:u_weird:{pw}\n")
    assert run_conn(e2).out.startswith("ERR OperationalError")
    put(f"*:*:*:*:{pw}\n", 0o644)
    assert run_conn(e2).out.startswith("ERR OperationalError")
    put(f"*:*:*:*:{pw}\n")
    assert run_conn(e, dsn=f"passfile={str(pp)!r}").out.startswith("OK")
    put(
        "127.0.0.1:::\n\n:\n*:*\n" + "x" * 50_000 + "\n" + f"*:*:torture:u_weird:{pw}"
    )  # damaged lines; no newline at the end
    assert run_conn(e2).out.startswith("OK u_weird")


@check(timeout=30)
def test_i04_service_files_are_read(tmp_path):
    """pg_service.conf: service=, PGSERVICE, PGSERVICEFILE; explicit > service > environment;
    errors are clear
    """
    sf = tmp_path / "svc.conf"
    sf.write_text(
        f"# c\n[a]\nhost=127.0.0.1\nport={PORT}\nuser=u_scram\npassword=pencil\ndbname=torture\n"
        "sslmode=disable\napplication_name=fromsvc\n[b]\nnosuchkey=1\n[c]\nhost\n"
    )
    env = dict(PGSERVICEFILE=str(sf), PGAPPNAME="fromenv", PGUSER="envuser")
    assert run_conn(dict(env, PGSERVICE="a")).out.split()[:2] == ["OK", "u_scram"]
    o = run_conn(env, dsn="service='a', application_name='explicit'").out.split()
    assert o[0] == "OK" and o[5] == "explicit"
    assert run_conn(env, dsn="service='a'").out.split()[5] == "fromsvc"
    for bad in ("b", "c", "nope"):
        assert run_conn(env, dsn=f"service={bad!r}").out.startswith("ERR"), bad


@check(timeout=40)
def test_i05_environment_variables_are_read():
    """PG* environment: host, port, user, password, database, sslmode, appname, options, tz,
    datestyle, encoding, timeout
    """
    E = dict(
        PGHOST="127.0.0.1",
        PGPORT=str(PORT),
        PGUSER="u_scram",
        PGPASSWORD="pencil",
        PGDATABASE="torture",
        PGSSLMODE="require",
        PGAPPNAME="env app",
        PGOPTIONS="-c statement_timeout=4321 -c my.thing=a\\ b",
        PGTZ="Asia/Tokyo",
        PGDATESTYLE="German",
        PGCLIENTENCODING="LATIN1",
        PGCONNECT_TIMEOUT="5",
    )
    p = child(
        """
        import datetime
        c = dial("")
        k = c.cursor()
        def show(n): k.execute("show " + n); return k.fetchone()[0]
        print([show(n) for n in ("statement_timeout", "my.thing", "timezone", "application_name",
                                 "client_encoding")])
        k.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()"); print(k.fetchone())
        k.execute("select '2024-03-04'::date, 'é'::text, length('é')")
        print(k.fetchone() == (datetime.date(2024, 3, 4), 'é', 1))
        c2 = dial("user=torture sslmode=disable application_name=dsn")
        print(c2.info.user, c2.info.parameter_status("application_name"))
        c3 = dial("user=torture", application_name="kw")
        print(c3.info.parameter_status("application_name"))
    """,
        env=E,
        timeout=15,
    )
    assert p.out.splitlines() == [
        "['4321ms', 'a b', 'Asia/Tokyo', 'env app', 'LATIN1']",
        "(True,)",
        "True",
        "torture dsn",
        "kw",
    ], p.out
    p = run_conn(dict(PGHOST="127.0.0.1", PGPORT="notaport"))
    assert p.out.startswith("ERR")


@check(timeout=20)
def test_i06_the_driver_logs_nothing():
    """the statement and its parameters are not written to stdout, stderr or a log by the driver;
    nor is the password
    """
    p = child(
        """
        c = connect(user="u_scram", password="pencil")
        k = c.cursor()
        try: k.execute("select %s::int", ("hush-param",))
        except db.Error: c.rollback()
        k.execute("do $$ begin raise notice 'hush-notice'; end $$")
        try: connect(user="u_scram", password="wrong-hush")
        except db.Error: pass
        import logging; print("end")
    """,
        env=dict(RUST_LOG="trace", RUST_BACKTRACE="full"),
        timeout=10,
    )
    assert p.out.strip() == "end" and "hush" not in p.err and "pencil" not in p.err, (p.out, p.err)


SECRETIVE = """
    import logging, pickle, traceback, warnings
    logging.basicConfig(level=logging.DEBUG)
    warnings.simplefilter("always")
    def tell(e):
        while e is not None:
            print(repr(e), e, e.args, getattr(e, "pgerror", None), getattr(e, "diag", None))
            print(traceback.format_exception_only(type(e), e), vars(e))
            e = e.__cause__ or e.__context__
    def look(c):
        print(repr(c), c, c.dsn, c.get_dsn_parameters(), c.info.dsn_parameters, c.notices, vars(c))
        print([(name, getattr(c.info, name)) for name in dir(c.info)
               if name[0] != "_" and name not in ("password",)])
        k = c.cursor()
        print(repr(k), vars(k) if hasattr(k, "__dict__") else "", k.query)
        try: pickle.dumps(c)
        except Exception as e: tell(e)
    for how in {attempts!r}:
        try:
            c = dial(*how[0], **how[1])
            look(c)
            try: c.cursor().execute("select 1/0")
            except db.Error as e: tell(e)
            c.close()
            look(c)
        except (db.Error, ValueError, TypeError, AttributeError) as e: tell(e)
    print("told", flush=True)
"""


@check(level="beyond", timeout=40)
def test_i02_no_secret_is_in_any_text(tmp_path):
    """passwords, keys' passwords, keys of SCRAM, secrets of OAuth, wherever they stand (keywords,
    URI, list of hosts, service, password file, environment), right, wrong or malformed: in no text
    """
    good, hush = base(user="u_scram", password="pencil"), "hush-hush"
    where = f"127.0.0.1:{PORT}/torture"
    service, passfile = tmp_path / "service.conf", tmp_path / "pass"
    service.write_text(f"[a]\nhost=127.0.0.1\nport={PORT}\npassword={hush}\n[b]\n{hush}\n")
    passfile.write_text(f"*:*:*:*:{hush}\n")
    passfile.chmod(0o600)
    attempts = [
        ((), good),
        ((f"postgresql://u_scram:pencil@{where}",), {}),
        ((f"postgresql://u_scram@{where}?password=pencil",), {}),
        ((f"postgresql://u_scram:{hush}@{where}",), {}),
        ((f"postgresql://u_scram:{hush}@{where}?nosuch=1",), {}),
        ((f"postgresql://u_scram:{hush}@[::1/torture",), {}),
        ((f"postgresql://u_scram:{hush}%zz@{where}",), {}),
        ((f"postgresql://u_scram:{hush}@127.0.0.1:99999999/torture",), {}),
        ((f"host=127.0.0.1 password={hush} nosuch",), {}),
        ((f"host=127.0.0.1 password='{hush}",), {}),
        ((f"host=127.0.0.1 password={hush} port=x",), {}),
        ((), base(host="127.0.0.1,::1", port=f"{PORT},1", user="u_scram", password=hush)),
        ((), base(user="u_scram", password=hush, sslmode="verify-full", sslrootcert="/nowhere")),
        ((), base(user="u_scram", password=hush, channel_binding="require")),
        ((), base(user="u_scram", passfile=str(passfile))),
        ((), dict(service="a", user="u_scram", dbname="torture")),
        ((), dict(service="b", user="u_scram")),
        ((), dict(good, sslpassword=hush)),
        ((), base(user="u_cert", sslmode="require", sslpassword=hush, sslkey="/nowhere")),
        ((), dict(good, oauth_client_secret=hush)),
        ((), dict(good, oauth_client_secret=hush, oauth_issuer="x y", sslmode="bogus")),
        ((), dict(base(user="u_scram"), scram_client_key=hush, scram_server_key=hush)),
    ]
    env = {"PGSERVICEFILE": str(service)}
    for more in ({}, {"PGPASSWORD": hush, "PGSSLMODE": "bogus"}):
        source = SECRETIVE.replace("{attempts!r}", repr(attempts))
        done = child(source, env={**env, **more}, timeout=30)
        assert done.out.endswith("told\n"), done.err
        for secret in ("pencil", hush):
            shown = [line for line in (done.out + done.err).splitlines() if secret in line]
            assert not shown, shown[:3]
