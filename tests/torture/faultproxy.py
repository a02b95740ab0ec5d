"""A small fault-injecting TCP proxy (pure Python, loopback only).

proxy = FaultProxy(host, port)            # listens on 127.0.0.1:<random>
proxy.plan = Plan(s2c=Fault(cut_after=120, how="rst"))      # for next connections
proxy.plan = lambda index: Plan(...)                        # or per connection
proxy.stall(); proxy.resume(); proxy.kill_all("fin"|"rst")   # at run time

Every connection records what went by in `conn.c2s` / `conn.s2c` (bytearray).
"""

import contextlib
import ctypes
import socket
import struct
import threading
import time

_libc = ctypes.CDLL(None, use_errno=True)


def rst(sock):
    """Send a RST now, even while another thread is inside recv() on the socket:
    connect(AF_UNSPEC) dissolves a TCP association at once."""
    with contextlib.suppress(OSError, ValueError):
        _libc.connect(sock.fileno(), b"\0" * 16, 16)


class Fault:
    def __init__(
        self,
        cut_after=None,
        how="fin",
        chunk=None,
        delay=0.0,
        stall_after=None,
        corrupt=None,
        drop=None,
        on_match=None,
    ):
        self.cut_after = cut_after  # bytes forwarded before the connection is cut
        self.how = how  # 'fin' | 'rst'
        self.chunk = chunk  # forward in segments of this size
        self.delay = delay  # seconds before each segment
        self.stall_after = stall_after  # bytes after which nothing more is forwarded (half-open)
        self.corrupt = corrupt or {}  # {absolute offset: xor mask}
        self.drop = drop  # (start, end) absolute byte range swallowed
        self.on_match = on_match  # (bytes, callable(conn)) fired once when seen


class Plan:
    def __init__(self, c2s=None, s2c=None):
        self.c2s = c2s or Fault()
        self.s2c = s2c or Fault()


class ProxyConn:
    def __init__(self, proxy, index, client, plan):
        self.proxy, self.index, self.client, self.plan = proxy, index, client, plan
        self.c2s, self.s2c = bytearray(), bytearray()
        self.server = None
        self.dead = threading.Event()
        self.stalled = threading.Event()
        self.block_c2s = threading.Event()  # set at run time: hold this direction only
        self.block_s2c = threading.Event()

    def start(self):
        try:
            self.server = socket.create_connection(self.proxy.target, timeout=5)
            self.server.settimeout(None)
            if self.dead.is_set():
                self.server.close()
                return
        except OSError:
            self.kill("fin")
            return
        for s in (self.client, self.server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for a, b, f, rec, blk in (
            (self.client, self.server, self.plan.c2s, self.c2s, self.block_c2s),
            (self.server, self.client, self.plan.s2c, self.s2c, self.block_s2c),
        ):
            threading.Thread(target=self.pump, args=(a, b, f, rec, blk), daemon=True).start()

    def kill(self, how):
        if self.dead.is_set():
            return
        self.dead.set()
        for s in (self.client, self.server):
            if s is None:
                continue
            try:
                if how == "rst":
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    rst(s)
                else:
                    s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            with contextlib.suppress(OSError):
                s.close()

    def pump(self, src, dst, f, rec, block):
        seen = 0
        fired = False
        try:
            while not self.dead.is_set():
                data = src.recv(65536)
                if not data:
                    with contextlib.suppress(OSError):
                        dst.shutdown(socket.SHUT_WR)
                    return
                if f.corrupt:
                    b = bytearray(data)
                    for off, mask in f.corrupt.items():
                        if seen <= off < seen + len(b):
                            b[off - seen] ^= mask
                    data = bytes(b)
                if f.drop:
                    lo, hi = f.drop
                    data = bytes(x for i, x in enumerate(data, seen) if not lo <= i < hi)
                start = seen
                seen += len(data)
                cut = None
                if f.cut_after is not None and seen > f.cut_after:
                    data = data[: max(0, f.cut_after - start)]
                    cut = f.how
                if f.stall_after is not None and seen > f.stall_after:
                    keep = max(0, f.stall_after - start)
                    dst.sendall(data[:keep], socket.MSG_NOSIGNAL)
                    rec += data[:keep]
                    self.stalled.set()
                    self.dead.wait()
                    return
                if (
                    f.on_match
                    and not fired
                    and f.on_match[0] in bytes(rec[-len(f.on_match[0]) :]) + data
                ):
                    fired = True
                    f.on_match[1](self)  # before the matching bytes are forwarded
                step = f.chunk or len(data) or 1
                for i in range(0, len(data), step):
                    while (
                        self.proxy.stall_event.is_set() or block.is_set()
                    ) and not self.dead.is_set():
                        time.sleep(0.02)
                    if f.delay:
                        time.sleep(f.delay)
                    dst.sendall(data[i : i + step], socket.MSG_NOSIGNAL)
                rec += data
                if cut:
                    self.kill(cut)
                    return
        except OSError:
            self.kill("fin")


class FaultProxy:
    def __init__(self, target_host, target_port, plan=None, host="127.0.0.1"):
        self.target = (target_host, target_port)
        self.plan = plan or Plan()
        self.conns = []
        self.stall_event = threading.Event()
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(64)
        self.host, self.port = host, self.sock.getsockname()[1]
        self.closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while not self.closing:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            plan = self.plan(len(self.conns)) if callable(self.plan) else self.plan
            conn = ProxyConn(self, len(self.conns), c, plan)
            self.conns.append(conn)
            try:
                conn.start()
            except (OSError, AttributeError):  # killed while it was being set up
                conn.kill("fin")

    def stall(self):
        self.stall_event.set()

    def resume(self):
        self.stall_event.clear()

    def kill_all(self, how="fin"):
        for c in list(self.conns):
            c.kill(how)

    def close(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.kill_all()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()
