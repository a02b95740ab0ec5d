"""What the checks run against: a server of their own, which they may crash, and PgBouncer."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent.parent / "tools"
sys.path.insert(0, str(TOOLS))

import certificates  # noqa: E402
import needs  # noqa: E402
from pg import binaries, cluster  # noqa: E402

CONF = """
listen_addresses = '127.0.0.1,::1'
unix_socket_directories = '{sockets},@/torture{port}'
ssl = on
ssl_cert_file = 'torture.crt'
ssl_key_file = 'torture.key'
ssl_ca_file = 'torture-clients.crt'
log_min_messages = fatal
restart_after_crash = on
autovacuum = off
"""

HBA = """\
local     all u_scram                 scram-sha-256
local     all all                     trust
hostssl   all u_cert    127.0.0.1/32  cert
hostssl   all u_ssl     127.0.0.1/32  scram-sha-256
hostnossl all u_ssl     127.0.0.1/32  reject
hostssl   all u_nossl   127.0.0.1/32  reject
hostnossl all u_nossl   127.0.0.1/32  trust
host      all u_md5     127.0.0.1/32  md5
host      all u_clear   127.0.0.1/32  password
host      all u_scram   127.0.0.1/32  scram-sha-256
host      all u_prep    127.0.0.1/32  scram-sha-256
host      all u_weird   127.0.0.1/32  scram-sha-256
host      all u_reject  127.0.0.1/32  reject
host      all all       127.0.0.1/32  trust
host      all all       ::1/128       trust
"""

ROLES = r"""
create role torture superuser login;
create role u_scram login password 'pencil';
create role u_ssl login password 'pencil';
create role u_clear login password 'clear-pw';
create role u_prep login password E'I\u00ADX \u2168';
create role u_weird login password E'p@ss w''ord\\"=%/?:#[]&é漢😀';
create role u_cert login;
create role u_nossl login;
create role u_reject login;
create role u_plain login;
set password_encryption = 'md5';
create role u_md5 login password 'md5-pw';
"""

DATABASES = {"t_ascii": "SQL_ASCII", "t_latin1": "LATIN1", "t_eucjp": "EUC_JP"}

BOUNCER_CONF = """\
[databases]
torture = host=127.0.0.1 port={server_port} dbname=torture user=torture pool_size=3
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 400
default_pool_size = 3
server_reset_query_always = 0
"""


def tell(text: str) -> None:
    print(f"[lab] {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def lab() -> Iterator[dict[str, object]]:
    """Set the lab up, hand out its description, and clear it away.

    Raises SystemExit, which says what to do, where its server is not installed.
    """
    try:
        found = binaries.find("debian", tell)
    except binaries.NoServer as error:
        raise SystemExit(f"nothing was tried: {error}") from None
    server = cluster.start(found, tell)
    bouncer = None
    try:
        furnish(server)
        bouncer_port, bouncer = start_bouncer(server)
        yield {
            "port": server.port,
            "bouncer_port": bouncer_port,
            "lacks_bouncer": needs.lacking("pgbouncer"),
            "sockets": server.sockets,
            "certificates": str(Path(server.root) / "certificates"),
            "psql": str(Path(server.bin) / "psql"),
        }
    finally:
        if bouncer is not None:
            bouncer.terminate()
            bouncer.wait()
        cluster.stop(server)


def furnish(server: cluster.Server) -> None:
    """Turn a throwaway cluster into the lab's."""
    root = Path(server.root)
    certificates.make(root / "certificates")
    account = cluster.unprivileged() if os.geteuid() == 0 else None
    data = root / "data"
    files = {"server.crt": "torture.crt", "server.key": "torture.key"}
    for source, target in {**files, "clientca.crt": "torture-clients.crt"}.items():
        shutil.copy(root / "certificates" / source, data / target)
        (data / target).chmod(0o600)
        cluster.own(data / target, account)
    cluster.psql(server, "postgres", ROLES)
    cluster.psql(server, "postgres", "create database torture")
    for name, encoding in DATABASES.items():
        options = f"template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"
        cluster.psql(server, "postgres", f"create database {name} {options}")
    with (data / "postgresql.conf").open("a") as conf:
        conf.write(CONF.format(sockets=server.sockets, port=server.port))
    (data / "pg_hba.conf").write_text(HBA)
    cluster.halt(server)
    cluster.resume(server)


def start_bouncer(server: cluster.Server) -> tuple[int, subprocess.Popen[bytes] | None]:
    """PgBouncer before the server: its port (0 if there is none to be had) and process."""
    lacking = needs.lacking("pgbouncer")
    if lacking:
        tell(f"{lacking}; J04 is left out")
        return 0, None
    program = needs.find("pgbouncer")
    assert program
    port = cluster.free_port()
    conf = Path(server.root) / "pgbouncer.ini"
    conf.write_text(BOUNCER_CONF.format(server_port=server.port, port=port))
    conf.chmod(0o644)
    account = cluster.unprivileged() if os.geteuid() == 0 else None
    process = subprocess.Popen(
        [program, "-q", str(conf)],
        **cluster.as_user(account),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=cluster.end_with_parent(),
    )
    return port, process
