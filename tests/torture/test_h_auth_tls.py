"""H: authentication and TLS."""

import base64
import contextlib
import gc
import hashlib
import os
import shutil
import ssl
import subprocess
import time

import pytest
from fixtures.messages import AUTHENTICATION_OK, authentication, error, failure, notice
from fixtures.scram import Scram
from fixtures.scripted_server import Ended, ScriptedServer
from support import (
    PORT,
    SOCK,
    base,
    cert,
    check,
    child,
    connect,
    db,
    dial,
    ext,
    fds,
    later,
    memory_bound,
    serving,
    usable,
    within,
)

HOST = "db.torture.test"


def tls_params(srv, **kw):
    d = srv.options(
        host=HOST, hostaddr="127.0.0.1", sslmode="verify-full", sslrootcert=cert("ca.crt")
    )
    d.update(kw)
    return {k: v for k, v in d.items() if v is not None}


@check(timeout=30, loops="either")
def test_h01_bytes_before_tls_are_refused():
    """bytes sent right behind the 'S' of the SSL reply (before TLS): connection refused
    (CVE-2021-23222)
    """
    for extra in (AUTHENTICATION_OK, failure(text="injected"), notice(text="injected"), b"\0"):

        def on_ssl(c):
            c.send(b"S" + extra)
            c.encrypt(c.server.tls)

        with ScriptedServer(on_ssl=on_ssl, tls=serving("server")) as srv:
            for mode in ("require", "verify-full"):
                with within(8), pytest.raises(db.OperationalError):
                    c = dial(**tls_params(srv, sslmode=mode, connect_timeout=5))
                    pytest.fail(f"connected; notices {c.notices}")
            assert not srv.startups, "startup packet sent after injected bytes"


@check(timeout=30, loops="either")
def test_h02_a_server_without_tls_learns_nothing():
    """sslmode=require/verify-*: a server without TLS gets nothing but the SSLRequest (no user, no
    password)
    """
    for reply in (b"N", failure(text="ssl off"), b"X", b"", b"\x16\x03\x01"):
        for mode in ("require", "verify-ca", "verify-full"):

            def on_ssl(c):
                c.send(reply)
                if not reply:
                    raise Ended("closed")
                c.connection.settimeout(0.5)
                with contextlib.suppress(Ended):
                    c.take(500)
                raise Ended("done")

            with ScriptedServer(on_ssl=on_ssl) as srv:
                with within(8), pytest.raises(db.OperationalError) as ei:
                    dial(
                        **tls_params(
                            srv,
                            sslmode=mode,
                            user="secretuser",
                            password="s3cret-pw",
                            connect_timeout=5,
                        )
                    )
                sent = b"".join(bytes(c.in_clear) for c in srv.sessions)
                assert b"secretuser" not in sent and b"s3cret-pw" not in sent
                assert "s3cret-pw" not in str(ei.value)


@check(timeout=30, loops="either")
def test_h03_the_sslmodes_negotiate_as_libpq():
    """sslmode=disable/allow/prefer, servers with and without TLS: libpq's negotiation table"""
    for mode, tls, want in (
        ("disable", False, "plain"),
        ("disable", True, "plain"),
        ("allow", True, "plain"),
        ("prefer", False, "plain"),
        ("prefer", True, "ssl"),
        ("require", True, "ssl"),
    ):
        with ScriptedServer(tls=serving("server") if tls else None) as srv:
            dial(**srv.options(sslmode=mode)).close()
            (got,) = srv.startups
            assert ("ssl" if got.encrypted else "plain") == want, (mode, tls)
    # real server: hostssl / hostnossl users
    connect(user="u_nossl", sslmode="prefer").close()
    connect(user="u_ssl", password="pencil", sslmode="allow").close()
    for kw in (
        dict(user="u_nossl", sslmode="require"),
        dict(user="u_ssl", password="pencil", sslmode="disable"),
        dict(user="u_reject", sslmode="prefer"),
    ):
        with pytest.raises(db.OperationalError):
            connect(**kw)


MATRIX = [  # server certificate, sslmode, extra, expected
    ("server", "verify-full", {}, True),
    ("server", "verify-ca", {}, True),
    ("server", "require", {}, True),
    ("server384", "verify-full", {}, True),
    ("server", "verify-full", dict(host="127.0.0.1"), True),
    ("server", "verify-full", dict(host="localhost"), True),
    ("wild", "verify-full", {}, True),
    ("wild", "verify-full", dict(host="a.b.torture.test"), False),
    ("wild", "verify-full", dict(host="torture.test"), False),
    ("noip", "verify-full", dict(host="127.0.0.1"), False),
    ("wrong", "verify-full", {}, False),
    ("wrong", "verify-ca", {}, True),
    ("badca", "verify-full", {}, False),
    ("badca", "verify-ca", {}, False),
    ("badca", "require", {}, False),
    ("badca", "require", dict(sslrootcert=""), True),
    ("badca", "verify-ca", dict(sslrootcert="bundle.crt"), True),
    ("expired", "verify-full", {}, False),
    ("expired", "verify-ca", {}, False),
    ("revoked", "verify-full", dict(sslcrl="ca.crl"), False),
    ("revoked", "verify-full", {}, True),
    ("noip", "verify-full", dict(sslcrl="ca.crl"), True),
    ("ecserver", "verify-full", {}, True),
    ("edserver", "verify-full", {}, True),
    ("server", "verify-full", dict(sslrootcert="/nonexistent"), False),
    ("server", "verify-ca", dict(sslrootcert="/nonexistent"), False),
    ("server", "verify-full", dict(host="DB.TORTURE.TEST"), True),
]


@check(timeout=60, loops="either")
def test_h04_certificates_are_accepted_or_refused():
    """certificate matrix: 27 cases of name, CA, expiry, revocation, key type; a refusal never
    falls back to plaintext
    """
    wrong = []
    for cname, mode, extra, want in MATRIX:
        extra = dict(extra)
        if extra.get("sslrootcert") == "":
            extra["sslrootcert"] = None
        for k in ("sslrootcert", "sslcrl"):
            if extra.get(k) and "/" not in extra[k]:
                extra[k] = cert(extra[k])
        with ScriptedServer(tls=serving(cname)) as srv:
            try:
                dial(**tls_params(srv, sslmode=mode, user="hushuser", **extra)).close()
                got = True
            except db.OperationalError as e:
                got, msg = False, str(e)
            if got != want:
                wrong.append((cname, mode, extra, "accepted" if got else msg.strip()[-90:]))
            if not got and any(c.startup or b"hushuser" in bytes(c.in_clear) for c in srv.sessions):
                wrong.append((cname, mode, "startup sent although refused"))
    assert not wrong, wrong


@check(timeout=20)
def test_h05_a_certificate_without_alternative_names():
    """a certificate without SAN, name in CN only: libpq accepts it (documented deviation allowed:
    refused with a clear message)
    """
    with ScriptedServer(tls=serving("cnonly")) as srv:
        try:
            dial(**tls_params(srv)).close()
        except db.OperationalError as e:
            assert (
                "name" in str(e).lower() or "san" in str(e).lower() or "host" in str(e).lower()
            ), e
        with pytest.raises(db.OperationalError):
            dial(**tls_params(srv, host="other.torture.test"))


@check(timeout=20, loops="either")
def test_h06_versions_of_tls_are_obeyed():
    """TLS versions: 1.1-only server refused; ssl_min_protocol_version and ssl_max_protocol_version
    are obeyed
    """
    V = ssl.TLSVersion
    with (
        ScriptedServer(tls=serving("server", newest=V.TLSv1_1, oldest=V.TLSv1)) as srv,
        pytest.raises(db.OperationalError),
    ):
        dial(**tls_params(srv, sslmode="require"))
    with ScriptedServer(tls=serving("server", newest=V.TLSv1_2, oldest=V.TLSv1_2)) as srv:
        dial(**tls_params(srv)).close()
        with pytest.raises(db.OperationalError):
            dial(**tls_params(srv, ssl_min_protocol_version="TLSv1.3"))
    with ScriptedServer(tls=serving("server", oldest=V.TLSv1_3)) as srv:
        with pytest.raises(db.OperationalError):
            dial(**tls_params(srv, ssl_max_protocol_version="TLSv1.2"))
        with pytest.raises(db.Error):
            dial(**tls_params(srv, ssl_min_protocol_version="TLSv9"))
        with pytest.raises(db.Error):
            dial(
                **tls_params(
                    srv, ssl_min_protocol_version="TLSv1.3", ssl_max_protocol_version="TLSv1.2"
                )
            )


@check(timeout=40, loops="either")
def test_h07_channel_binding_is_required():
    """channel_binding=require: works on the real server; any weaker offer (plain SCRAM, md5,
    cleartext, trust) is refused
    """

    def ctx():
        return serving("server")

    c = connect(user="u_ssl", password="pencil", sslmode="require", channel_binding="require")
    c.close()
    with pytest.raises(db.OperationalError):
        connect(user="u_scram", password="pencil", sslmode="disable", channel_binding="require")
    for a in (
        Scram(),
        lambda c: (c.send(authentication(5, b"salt")), c.take_message()),
        lambda c: (c.send(authentication(3)), c.take_message()),
        lambda c: None,
        Scram(mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"), is_false=True),
    ):
        with ScriptedServer(greet=a, tls=ctx()) as srv:
            later(3, srv.hang_up)
            with within(6), pytest.raises(db.OperationalError):
                dial(**tls_params(srv, password="pencil-secret", channel_binding="require"))
            assert b"pencil-secret" not in srv.received
    # a man in the middle who offers -PLUS with a certificate of his own binds to that one
    for name in ("server", "server384", "ecserver"):
        s = Scram(mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
        with ScriptedServer(greet=s, tls=serving(name)) as srv:
            dial(**tls_params(srv, password="pencil", channel_binding="require")).close()
        assert s.mechanism == "SCRAM-SHA-256-PLUS"
        der = subprocess.run(
            ["openssl", "x509", "-in", cert(name + ".crt"), "-outform", "DER"], capture_output=True
        ).stdout
        want = hashlib.new("sha384" if name == "server384" else "sha256", der).digest()
        bound = base64.b64decode(dict(x.split("=", 1) for x in s.client_final.split(","))["c"])
        assert bound == b"p=tls-server-end-point,," + want, name


@check(timeout=30, loops="either")
def test_h09_require_auth_refuses_less():
    """require_auth: a server asking for less (cleartext, md5, none) is refused before the password
    is sent
    """
    cases = [
        ("scram-sha-256", lambda c: (c.send(authentication(3)), c.take_message())),
        ("scram-sha-256", lambda c: (c.send(authentication(5, b"salt")), c.take_message())),
        ("scram-sha-256", lambda c: None),
        ("!password", lambda c: (c.send(authentication(3)), c.take_message())),
        ("md5", Scram()),
        ("none", Scram()),
    ]
    for ra, a in cases:
        with ScriptedServer(greet=a) as srv:
            later(2, srv.hang_up)
            with within(6), pytest.raises(db.OperationalError):
                dial(**srv.options(password="s3cret-pw", require_auth=ra))
            assert b"s3cret-pw" not in srv.received, ra
    connect(user="u_scram", password="pencil", require_auth="scram-sha-256").close()
    connect(user="u_md5", password="md5-pw", require_auth="md5,scram-sha-256").close()
    connect(require_auth="none").close()
    with pytest.raises(db.Error):
        connect(require_auth="bogus")


@check(level="beyond", timeout=40, loops="either")
def test_h11_endless_scram_iterations_are_ended():
    """SCRAM iteration count of 2^31-1 (CPU exhaustion): refused, or ended by connect_timeout,
    within 8 s (CVE-2026-42198, RUSTSEC-2026-0179)
    """
    for it in (2**31 - 1, 500_000_000):
        with ScriptedServer(greet=Scram(iterations=it)) as srv:
            p = child(
                f"""
                t0 = time.monotonic()
                try:
                    dial(**{srv.options(password="pencil", connect_timeout=3)!r})
                    print("connected")
                except db.OperationalError as e: print("OE", round(time.monotonic() - t0, 1))
            """,
                timeout=10,
            )
            assert p.out.startswith("OE"), p.out
    s = Scram(
        iterations=100_000
    )  # but a strong, real setting works (PostgreSQL 16 scram_iterations)
    with ScriptedServer(greet=s) as srv:
        dial(**srv.options(password="pencil")).close()


@check(timeout=30, loops="either")
def test_h12_every_way_to_authenticate():
    """trust, md5, cleartext, SCRAM, cert, peer-less socket; wrong, missing and empty password:
    OperationalError each
    """
    for kw in (
        dict(),
        dict(user="u_md5", password="md5-pw"),
        dict(user="u_clear", password="clear-pw"),
        dict(user="u_scram", password="pencil"),
        dict(user="u_md5", password="md5-pw", sslmode="require"),
        dict(user="u_scram", password="pencil", host=SOCK),
        dict(
            user="u_cert", sslmode="require", sslcert=cert("client.crt"), sslkey=cert("client.key")
        ),
    ):
        c = connect(**kw)
        assert usable(c)
        c.close()
    n0 = fds()
    for kw in (
        dict(user="u_md5", password="x"),
        dict(user="u_clear", password="x"),
        dict(user="u_scram", password="x"),
        dict(user="u_scram", password=""),
        dict(user="u_scram"),
        dict(user="u_scram", password="x" * 100_000),
        dict(user="nobody"),
        dict(dbname="nodb"),
        dict(user="u_reject"),
        dict(user="u_cert", sslmode="require"),
        dict(
            user="u_cert",
            sslmode="require",
            sslcert=cert("clientbad.crt"),
            sslkey=cert("clientbad.key"),
        ),
    ):
        with within(5), pytest.raises(db.OperationalError) as ei:
            connect(**kw)
        assert kw.get("password") in (None, "", "x") or kw["password"] not in str(ei.value)
    gc.collect()
    assert fds() <= n0 + 1


@check(timeout=20)
def test_h13_odd_passwords_log_in():
    """SASLprep and odd passwords: normalised form logs in; quotes, %, backslash, emoji in DSN,
    keywords and URL
    """
    connect(user="u_prep", password="I\u00adX \u2168").close()
    connect(user="u_prep", password="IX IX").close()
    with pytest.raises(db.OperationalError):
        connect(user="u_prep", password="ix ix")
    pw = "p@ss w'ord\\\"=%/?:#[]&é漢😀"
    connect(user="u_weird", password=pw).close()
    dial(ext.make_dsn(**base(user="u_weird", password=pw))).close()
    from urllib.parse import quote

    dial(
        f"postgresql://u_weird:{quote(pw, safe='')}@127.0.0.1:{PORT}/torture?sslmode=disable"
    ).close()
    dial(
        f"postgresql://127.0.0.1:{PORT}/torture?sslmode=disable&user=u_weird"
        f"&password={quote(pw, safe='')}"
    ).close()


@check(timeout=20)
def test_h14_client_keys_are_read_or_refused(tmp_path):
    """client key: world-readable key refused; encrypted key (PKCS#8, traditional) with
    sslpassword; wrong password; missing file
    """
    k = dict(user="u_cert", sslmode="require", sslcert=cert("client.crt"))
    loose = tmp_path / "loose.key"
    shutil.copy(cert("client.key"), loose)
    os.chmod(loose, 0o644)
    with pytest.raises(db.OperationalError):
        connect(sslkey=str(loose), **k)
    connect(sslkey=cert("client_enc8.key"), sslpassword="s3kr1t", **k).close()
    for bad in (
        dict(sslkey=cert("client_enc8.key"), sslpassword="nope-secret"),
        dict(sslkey="/nonexistent.key"),
        dict(sslkey=cert("server.key")),
    ):
        with within(5), pytest.raises(db.OperationalError) as ei:
            connect(**k, **bad)
        assert "nope-secret" not in str(ei.value)


@check(timeout=20)
def test_h19_an_old_encrypted_key_opens_or_is_refused():
    """client key in the old encrypted PEM form (Proc-Type: 4,ENCRYPTED): opens, or a clear refusal
    (documented)
    """
    try:
        connect(
            user="u_cert",
            sslmode="require",
            sslcert=cert("client.crt"),
            sslkey=cert("client_enc1.key"),
            sslpassword="s3kr1t",
        ).close()
    except db.OperationalError as e:
        assert "key" in str(e).lower()


@check(timeout=20)
def test_h15_contradictory_parameters_send_nothing():
    """unknown or contradictory parameters: ProgrammingError/OperationalError before anything is
    sent
    """
    with ScriptedServer() as srv:
        for kw in (
            dict(nosuchoption="1"),
            dict(sslmode="bogus"),
            dict(port="abc"),
            dict(port=70000),
            dict(connect_timeout="x"),
            dict(target_session_attrs="bogus"),
            dict(channel_binding="bogus"),
            dict(gssencmode="bogus"),
            dict(sslnegotiation="direct", sslmode="prefer"),
        ):
            with within(5), pytest.raises((db.ProgrammingError, db.OperationalError)):
                dial(**srv.options(**kw))
        for dsn in (
            "host=",
            "hostx=1 port=2 nosuch=1",
            "host='unterminated",
            "=x",
            "postgresql://[::1",
            "postgresql://h:99999999/x?foo=bar",
            "postgresql://u:%zz@h/db",
            "host=127.0.0.1 port=1 user='a",
        ):
            with within(5), pytest.raises((db.ProgrammingError, db.OperationalError)):
                dial(dsn)
        assert not srv.startups


@check(timeout=30)
def test_h17_broken_tls_ends_in_time():
    """TLS answer broken off, alert, garbage, endless handshake bytes: OperationalError within the
    timeout, memory bounded
    """

    def reply(b, more=b""):
        def on_ssl(c):
            c.send(b"S")
            time.sleep(0.05)
            c.connection.recv(4096)
            c.send(b)
            while more:
                c.send(more)
            raise Ended("x")

        return on_ssl

    for f in (
        reply(b"\x15\x03\x03\x00\x02\x02\x28"),
        reply(b"HTTP/1.1 200 OK\r\n\r\n"),
        reply(b"\x16\x03\x03\xff\xff" + b"\0" * 70000),
        reply(
            b"\x16\x03\x03\x40\x00\x02\xff\xff\xff" + b"\0" * 16380,
            b"\x16\x03\x03\x40\x00" + b"\0" * 16384,
        ),
        reply(b"\x15\x03\x03\x00\x02\x01\x00"),
        reply(b""),
    ):
        with ScriptedServer(on_ssl=f) as srv:
            with within(8), memory_bound(80), pytest.raises(db.OperationalError):
                dial(**tls_params(srv, sslmode="require", connect_timeout=4))


@check(timeout=20)
def test_h18_an_error_in_clear_is_not_the_servers_word():
    """an error text sent in clear by whoever answers the SSLRequest is not shown as the server's
    word (CVE-2024-10977)
    """

    def on_ssl(c):
        c.send(error(S="FATAL", C="28P01", M="please mail your password to evil@example.org"))
        raise Ended("x")

    with ScriptedServer(on_ssl=on_ssl) as srv:
        with within(6), pytest.raises(db.OperationalError) as ei:
            dial(**tls_params(srv, sslmode="verify-full"))
        assert "evil@example.org" not in str(ei.value), str(ei.value)
