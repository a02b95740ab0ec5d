"""H: a server that cannot prove, or does not care, that it knows the password."""

import contextlib
import os
import ssl

import pytest
from fakepg import (
    AUTH_OK,
    FakePG,
    ScramServer,
    auth,
    complete,
    cstr,
    datarow,
    ready,
    rowdesc,
    server_tls,
)
from support import cert, check, db, within

SECRET = "s3cret-pencil"


def refused(on_auth, **options):
    """The client does not get in, soon, and the password does not leave it."""
    with FakePG(on_auth=on_auth) as srv:
        with within(5), pytest.raises(db.OperationalError) as ei:
            db.connect(**srv.params(password=SECRET, connect_timeout=3, **options))
        assert SECRET.encode() not in srv.all_bytes()
        assert SECRET not in str(ei.value)


@check("H10", timeout=60)
def test_h10():
    """SCRAM: foreign nonce, false signature, error or nothing at the end, iteration counts that are
    none, garbled challenges: refused
    """
    faults = [
        dict(bad_nonce=True),
        dict(bad_sig=True),
        dict(error_final=True),
        dict(first_override="r={cnonce}x,s={salt},i=0"),
        dict(first_override="r={cnonce}x,s={salt},i=-4096"),
        dict(first_override="r={cnonce}x,s={salt},i=99999999999999999999"),
        dict(first_override="r={cnonce}x,s={salt},i=many"),
        dict(first_override="r={cnonce}x,s={salt}"),
        dict(first_override="r={cnonce}x,s=!!!,i=4096"),
        dict(first_override="r={cnonce}x,i=4096"),
        dict(first_override="r={cnonce},s={salt},i=4096"),
        dict(first_override="m=unknown,r={cnonce}x,s={salt},i=4096"),
        dict(first_override=""),
    ]
    for fault in faults:
        refused(ScramServer(password=SECRET, **fault))


@check("H20", level="beyond", timeout=30)
def test_h20():
    """AuthenticationOk before the server has proved that it knows the password: refused"""
    names = auth(10, cstr("SCRAM-SHA-256") + b"\0")

    def at_once(c):
        c.send(names)
        c.read_msg()
        c.send(AUTH_OK)

    refused(at_once)
    refused(ScramServer(password=SECRET, skip_final=True))


@check("H08", timeout=30)
def test_h08():
    """channel_binding=require with a certificate whose signature names no hash (Ed25519): refused,
    nothing but TLS is done without it
    """
    scram = ScramServer(password=SECRET, mechs=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    tls = server_tls(cert("edself.crt"), cert("edself.key"))
    with FakePG(on_auth=scram, tls=tls) as srv:
        options = dict(sslmode="require", password=SECRET, channel_binding="require")
        with within(5), pytest.raises(db.OperationalError):
            db.connect(**srv.params(**options)).close()
        assert scram.client_mech in (None, "SCRAM-SHA-256-PLUS")
        assert SECRET.encode() not in srv.all_bytes()


@check("A16", timeout=30)
def test_a16():
    """a TLS stream that ends without close_notify, or with it, inside an answer: an error, never a
    part of the rows
    """
    answer = rowdesc([("x", 25)]) + datarow([b"one"]) + datarow([b"two"])
    for rest in (b"", complete("SELECT 2"), complete("SELECT 2") + ready()[:3]):
        for polite in (False, True):

            def cut(sql, c, rest=rest, polite=polite):
                c.send(answer + rest)
                if polite:
                    with contextlib.suppress(OSError, ValueError, ssl.SSLError):
                        c.sock.settimeout(0.5)
                        c.sock.unwrap()
                os.close(c.sock.detach())
                raise ConnectionAbortedError

            tls = server_tls(cert("server.crt"), cert("server.key"))
            with FakePG(on_query=cut, tls=tls) as srv:
                conn = db.connect(**srv.params(sslmode="require"))
                conn.autocommit = True
                cur = conn.cursor()
                with within(5), pytest.raises(db.OperationalError):
                    cur.execute("select x")
                assert conn.closed == 2
                with pytest.raises(db.Error):
                    cur.fetchall()
