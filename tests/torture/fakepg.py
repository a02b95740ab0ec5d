"""A scripted fake PostgreSQL server (pure Python, loopback only).

It speaks enough of protocol 3.0 for a client to log in and run simple-protocol
or extended-protocol statements, and lets a test replace any step by raw bytes.

    with FakePG(on_query=lambda sql, c: Raw(b"...")) as srv:
        conn = db.connect(**srv.params())
"""

import base64
import contextlib
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading

I32 = struct.Struct("!i")
# So long a connection's thread may take to notice that its socket was shut down.
GRACE = 2.0
SSL_REQ, GSS_REQ, CANCEL = 80877103, 80877104, 80877102


def m(t, payload=b""):
    return t + struct.pack("!I", len(payload) + 4) + payload


def raw_msg(t, length, payload=b""):
    """A message with a forged length field."""
    return t + struct.pack("!I", length & 0xFFFFFFFF) + payload


def cstr(s):
    return (s if isinstance(s, bytes) else s.encode()) + b"\0"


def auth(code, extra=b""):
    return m(b"R", I32.pack(code) + extra)


AUTH_OK = auth(0)


def param(k, v):
    return m(b"S", cstr(k) + cstr(v))


def keydata(pid=4242, key=b"\x11\x22\x33\x44"):
    return m(b"K", I32.pack(pid) + key)


def ready(status=b"I"):
    return m(b"Z", status)


def rowdesc(cols):
    """cols: [(name, oid)] or [(name, oid, typlen)]"""
    out = struct.pack("!H", len(cols))
    for c in cols:
        name, oid = c[0], c[1]
        out += cstr(name) + struct.pack("!IHIhiH", 0, 0, oid, c[2] if len(c) > 2 else -1, -1, 0)
    return m(b"T", out)


def datarow(vals):
    out = struct.pack("!H", len(vals))
    for v in vals:
        out += I32.pack(-1) if v is None else I32.pack(len(v)) + v
    return m(b"D", out)


def complete(tag):
    return m(b"C", cstr(tag))


def fields(typ, /, **kw):
    body = b"".join(k.encode() + cstr(v) for k, v in kw.items())
    return m(typ, body + b"\0")


def error(code="XX000", msg="boom", sev="ERROR", **kw):
    return fields(b"E", S=sev, V=sev, C=code, M=msg, **kw)


def notice(code="00000", msg="hello", sev="NOTICE"):
    return fields(b"N", S=sev, V=sev, C=code, M=msg)


def notify(pid, ch, payload=""):
    return m(b"A", I32.pack(pid) + cstr(ch) + cstr(payload))


DEFAULT_PARAMS = {
    "server_version": "15.18",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
    "standard_conforming_strings": "on",
    "is_superuser": "on",
    "session_authorization": "torture",
    "application_name": "",
    "default_transaction_read_only": "off",
    "in_hot_standby": "off",
}


class Raw(bytes):
    """The whole answer to a statement, sent verbatim (no ReadyForQuery added)."""


class Result:
    def __init__(self, cols=None, rows=(), tag=None, pre=b"", post=b""):
        self.desc = rowdesc(cols) if cols is not None else b""
        self.body = pre + b"".join(datarow(r) for r in rows)
        self.tail = complete(tag or (f"SELECT {len(rows)}" if cols is not None else "OK")) + post


class Gone(Exception):
    pass


class FakeConn:
    def __init__(self, server, sock, index):
        self.server, self.sock, self.index = server, sock, index
        self.buf = b""
        self.raw_in = bytearray()  # plaintext view of everything the client sent
        self.wire_first = bytearray()  # the bytes before any TLS
        self.startup = None
        self.requests = []  # e.g. ['ssl', 'gss', 'startup'|'cancel']
        self.messages = []  # (type, payload) seen from the client
        self.queries = []
        self.tls = False
        self.txn = b"I"
        self.sni = None

    def hang_up(self):
        """End the conversation, from any thread; the connection's own thread closes the socket.

        Were it closed here, its number could be the next connection's by the time OpenSSL, which
        knows but the number, reads from it in that thread: a record of another conversation would
        be swallowed, and the client there would tell of a "bad record mac".
        """
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which takes the session away from under that thread.
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def recv_exact(self, n):
        while len(self.buf) < n:
            try:
                d = self.sock.recv(65536)
            except (OSError, ValueError) as e:
                raise Gone(str(e)) from e
            if not d:
                raise Gone("eof")
            if not self.tls:
                self.wire_first += d[:4096]
            self.raw_in += d[: 1 << 20]
            self.buf += d
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def send(self, data):
        try:
            self.sock.sendall(data) if self.tls else self.sock.sendall(data, socket.MSG_NOSIGNAL)
        except (OSError, ValueError) as e:
            raise Gone(str(e)) from e

    def read_packet(self):
        n = struct.unpack("!I", self.recv_exact(4))[0]
        return self.recv_exact(n - 4)

    def read_msg(self):
        t = self.recv_exact(1)
        n = struct.unpack("!I", self.recv_exact(4))[0]
        p = self.recv_exact(n - 4)
        self.messages.append((t, p[:65536]))
        return t, p

    def do_startup(self):
        s = self.server
        while True:
            p = self.read_packet()
            code = I32.unpack(p[:4])[0]
            if code == SSL_REQ:
                self.requests.append("ssl")
                if s.on_ssl:
                    s.on_ssl(self)
                    continue
                if s.tls is None:
                    self.send(b"N")
                    continue
                self.send(b"S")
                try:
                    # In two steps, so that what close() sees is always the socket in use.
                    self.sock = s.tls.wrap_socket(
                        self.sock, server_side=True, do_handshake_on_connect=False
                    )
                    self.sock.do_handshake()
                except (OSError, ValueError) as e:
                    s.tls_errors.append(str(e))
                    raise Gone(f"tls: {e}") from e
                self.tls = True
            elif code == GSS_REQ:
                self.requests.append("gss")
                self.send(b"N")
            elif code == CANCEL:
                self.requests.append("cancel")
                s.cancels.append(struct.unpack("!ii", p[4:12]))
                if s.on_cancel:
                    s.on_cancel(self)
                raise Gone("cancel")
            else:
                self.requests.append("startup")
                self.proto = code
                parts = p[4:].split(b"\0")
                self.startup = {
                    parts[i].decode("utf8", "replace"): parts[i + 1].decode("utf8", "replace")
                    for i in range(0, len(parts) - 1, 2)
                    if parts[i]
                }
                self.startup_raw = p
                return

    def login(self, params=None):
        s = self.server
        if s.on_auth:
            s.on_auth(self)
        else:
            self.send(AUTH_OK)
        out = b"".join(
            param(k, v) for k, v in {**DEFAULT_PARAMS, **(params or s.params_status)}.items()
        )
        self.send(out + keydata() + ready(b"I"))

    # -- statements -------------------------------------------------------
    def track(self, sql):
        u = sql.strip().upper()
        if u.startswith(("BEGIN", "START TRANSACTION")):
            self.txn = b"T"
        elif u.startswith(("COMMIT", "ROLLBACK", "ABORT", "END")):
            self.txn = b"I"

    def answers(self, sql):
        """[Result|Raw] for one simple-protocol string."""
        self.queries.append(sql)
        u = sql.strip().upper()
        out = []
        if u.startswith("BEGIN") and ";" in u.rstrip("; \n"):
            head, _, sql2 = sql.partition(";")
            self.track(head)
            out.append(Result(tag="BEGIN"))
            sql, u = sql2, sql2.strip().upper()
        else:
            self.track(sql)
        word = (u.split(None, 1) or [""])[0].rstrip(";")
        if word in (
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "SET",
            "DISCARD",
            "DEALLOCATE",
            "RESET",
            "CLOSE",
            "START",
            "ABORT",
            "RELEASE",
            "SAVEPOINT",
        ):
            r = self.server.on_utility(sql, self) if self.server.on_utility else None
            out.append(r or Result(tag=word))
            return out
        if word == "SHOW":
            r = self.server.on_query(sql, self) if self.server.on_query else None
            if r is None:
                name = u.split()[1].rstrip(";").lower() if len(u.split()) > 1 else ""
                val = {k.lower(): v for k, v in DEFAULT_PARAMS.items()}.get(name, "off")
                r = Result([("x", 25)], [[val.encode()]])
            out.append(r)
            return out
        r = self.server.on_query(sql, self) if self.server.on_query else None
        if r is None:
            r = Result([("x", 23, 4)], [[b"42" if "41 + 1" in sql else b"1"]])
        out += r if isinstance(r, list) else [r]
        return out

    def loop(self):
        portal = []
        failed = False
        while True:
            t, p = self.read_msg()
            if t == b"X":
                return
            if t == b"Q":
                rs = self.answers(p[:-1].decode("utf8", "replace"))
                for r in rs:
                    if isinstance(r, Raw):
                        self.send(bytes(r))
                        break
                    self.send(r.desc + r.body + r.tail)
                else:
                    self.send(ready(self.txn))
            elif t == b"P":
                sql = p.split(b"\0", 2)[1].decode("utf8", "replace")
                portal = self.answers(sql)
                self.send(m(b"1"))
            elif t == b"B":
                self.send(m(b"2"))
            elif t == b"D":
                if p[:1] == b"S":
                    self.send(m(b"t", b"\0\0"))
                d = b"".join(r.desc for r in portal if isinstance(r, Result))
                if not any(isinstance(r, Raw) for r in portal):
                    self.send(d or m(b"n"))
            elif t == b"E":
                for r in portal:
                    if isinstance(r, Raw):
                        self.send(bytes(r))
                        failed = True
                    else:
                        self.send(r.body + r.tail)
            elif t == b"C":
                self.send(m(b"3"))
            elif t == b"S":
                if not failed:
                    self.send(ready(self.txn))
                failed = False
            elif t == b"H":
                pass
            elif t == b"F":
                if self.server.on_fcall:
                    self.server.on_fcall(p, self)
                else:
                    self.send(m(b"V", I32.pack(-1)) + ready(self.txn))
            elif self.server.on_other:
                self.server.on_other(t, p, self)


class FakePG:
    def __init__(
        self,
        on_query=None,
        on_auth=None,
        on_ssl=None,
        on_cancel=None,
        tls=None,
        handler=None,
        params=None,
        on_utility=None,
        on_fcall=None,
        on_other=None,
        host="127.0.0.1",
        backlog=64,
    ):
        self.on_query, self.on_auth, self.on_ssl, self.on_cancel = (
            on_query,
            on_auth,
            on_ssl,
            on_cancel,
        )
        self.on_utility, self.on_fcall, self.on_other = on_utility, on_fcall, on_other
        self.tls, self.handler, self.params_status = tls, handler, params or {}
        self.conns, self.cancels, self.tls_errors, self.errors = [], [], [], []
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(backlog)
        self.host, self.port = host, self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def params(self, **kw):
        d = dict(
            host=self.host,
            port=self.port,
            user="torture",
            dbname="torture",
            sslmode="disable",
            connect_timeout=10,
        )
        d.update(kw)
        return {k: v for k, v in d.items() if v is not None}

    def _accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fc = FakeConn(self, c, len(self.conns))
            fc.thread = threading.Thread(target=self._serve, args=(fc,), daemon=True)
            self.conns.append(fc)
            fc.thread.start()

    def _serve(self, fc):
        try:
            if self.handler:
                self.handler(fc)
            else:
                fc.do_startup()
                fc.login()
                fc.loop()
        except Gone:
            pass
        except Exception as e:  # a bug in a script must be seen
            self.errors.append(repr(e))
        finally:
            with contextlib.suppress(OSError):
                fc.sock.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for c in self.conns:
            c.hang_up()
        for c in self.conns:
            c.thread.join(GRACE)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()

    def all_bytes(self):
        return b"".join(bytes(c.raw_in) for c in self.conns)


# -- a SCRAM-SHA-256 server half, with knobs to misbehave ------------------
class ScramServer:
    def __init__(
        self,
        password="pencil",
        iterations=4096,
        mechs=("SCRAM-SHA-256",),
        bad_nonce=False,
        bad_sig=False,
        skip_final=False,
        first_override=None,
        error_final=False,
    ):
        self.__dict__.update(locals())
        self.client_mech = None

    def __call__(self, c):
        c.send(auth(10, b"".join(cstr(x) for x in self.mechs) + b"\0"))
        _type, p = c.read_msg()
        mech, _, rest = p.partition(b"\0")
        self.client_mech = mech.decode()
        first = rest[4:].decode()
        gs2, bare = first.split(",", 2)[:2], first.split(",", 2)[2]
        self.gs2 = gs2
        cnonce = dict(x.split("=", 1) for x in bare.split(","))["r"]
        salt = os.urandom(16)
        snonce = ("EVIL" if self.bad_nonce else cnonce) + base64.b64encode(os.urandom(18)).decode()
        sfirst = f"r={snonce},s={base64.b64encode(salt).decode()},i={self.iterations}"
        if self.first_override is not None:
            sfirst = self.first_override.format(cnonce=cnonce, salt=base64.b64encode(salt).decode())
        c.send(auth(11, sfirst.encode()))
        _t, p = c.read_msg()
        final = p.decode()
        self.client_final = final
        without, _, _proof = final.rpartition(",p=")
        amsg = f"{bare},{sfirst},{without}".encode()
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password.encode(), salt, max(1, min(self.iterations, 100000))
        )
        skey = hmac.new(salted, b"Server Key", "sha256").digest()
        sig = hmac.new(skey, amsg, "sha256").digest()
        if self.error_final:
            c.send(auth(12, b"e=other-error"))
            c.send(AUTH_OK)
            return
        if self.bad_sig:
            sig = bytes(32)
        if not self.skip_final:
            c.send(auth(12, b"v=" + base64.b64encode(sig)))
        c.send(AUTH_OK)


def server_tls(cert, key, minv=None, maxv=None, sni=None):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if minv or maxv:
        # lab only: allow the obsolete versions a test wants to be refused
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        if minv:
            ctx.minimum_version = minv
        if maxv:
            ctx.maximum_version = maxv
    ctx.load_cert_chain(cert, key)
    if sni:
        ctx.sni_callback = sni
    return ctx
