"""H: a server that cannot prove, or does not care, that it knows the password."""

import contextlib
import os
import ssl

import pytest
from fixtures.messages import (
    authentication,
    complete,
    data_row,
    ready,
    row_description,
    string,
)
from fixtures.scram import Scram
from fixtures.scripted_server import ScriptedServer
from support import check, db, dial, serving, within

SECRET = "s3cret-pencil"


def refused(on_auth, **options):
    """The client does not get in, soon, and the password does not leave it."""
    with ScriptedServer(greet=on_auth) as srv:
        with within(5), pytest.raises(db.OperationalError) as ei:
            dial(**srv.options(password=SECRET, connect_timeout=3, **options))
        assert SECRET.encode() not in srv.received
        assert SECRET not in str(ei.value)


@check(timeout=60, loops="either")
def test_h10_false_scram_is_refused():
    """SCRAM: foreign nonce, false signature, error or nothing at the end, iteration counts that are
    none, garbled challenges: refused
    """
    faults = [
        dict(first="r=another,s={salt},i=4096"),
        dict(is_false=True),
        dict(last=b"e=other-error"),
        dict(first="r={nonce}x,s={salt},i=0"),
        dict(first="r={nonce}x,s={salt},i=-4096"),
        dict(first="r={nonce}x,s={salt},i=99999999999999999999"),
        dict(first="r={nonce}x,s={salt},i=many"),
        dict(first="r={nonce}x,s={salt}"),
        dict(first="r={nonce}x,s=!!!,i=4096"),
        dict(first="r={nonce}x,i=4096"),
        dict(first="r={nonce},s={salt},i=4096"),
        dict(first="m=unknown,r={nonce}x,s={salt},i=4096"),
        dict(first=""),
    ]
    for fault in faults:
        refused(Scram(password=SECRET, **fault))


@check(level="beyond", timeout=30, loops="either")
def test_h20_an_early_ok_is_refused():
    """AuthenticationOk before the server has proved that it knows the password: refused"""
    names = authentication(10, string("SCRAM-SHA-256") + b"\0")

    def at_once(c):
        c.send(names)
        c.take_message()

    refused(at_once)
    refused(Scram(password=SECRET, last=b""))


@check(timeout=30)
def test_h08_a_certificate_without_a_hash_binds_no_channel():
    """channel_binding=require with a certificate whose signature names no hash (Ed25519): refused,
    nothing but TLS is done without it
    """
    scram = Scram(password=SECRET, mechanisms=("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"))
    tls = serving("edself")
    with ScriptedServer(greet=scram, tls=tls) as srv:
        options = dict(sslmode="require", password=SECRET, channel_binding="require")
        with within(5), pytest.raises(db.OperationalError):
            dial(**srv.options(**options)).close()
        assert scram.mechanism in (None, "SCRAM-SHA-256-PLUS")
        assert SECRET.encode() not in srv.received


@check(timeout=30, loops="either")
def test_a16_a_cut_tls_stream_is_never_a_part_of_the_rows():
    """a TLS stream that ends without close_notify, or with it, inside an answer: an error, never a
    part of the rows
    """
    answer = row_description([("x", 25)]) + data_row([b"one"]) + data_row([b"two"])
    for rest in (b"", complete("SELECT 2"), complete("SELECT 2") + ready()[:3]):
        for polite in (False, True):

            def cut(sql, c, rest=rest, polite=polite):
                c.send(answer + rest)
                if polite:
                    with contextlib.suppress(OSError, ValueError, ssl.SSLError):
                        c.connection.settimeout(0.5)
                        c.connection.unwrap()
                os.close(c.connection.detach())
                raise ConnectionAbortedError

            tls = serving("server")
            with ScriptedServer(answers=cut, tls=tls) as srv:
                conn = dial(**srv.options(sslmode="require"))
                conn.autocommit = True
                cur = conn.cursor()
                with within(5), pytest.raises(db.OperationalError):
                    cur.execute("select x")
                assert conn.closed == 2
                with pytest.raises(db.Error):
                    cur.fetchall()
