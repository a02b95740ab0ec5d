"""What the checks run against: a server of their own, which they may crash, and PgBouncer."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fixtures import certificates, clusters
from fixtures.certificates import CLIENT_ONLY, Authority, hashes
from fixtures.clusters import binaries, cluster, needs

HOST = "db.torture.test"

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

    Raises NoServer, which says what to do, where its server is not installed.
    """
    with clusters.started(binaries.find("debian", tell)) as made:
        furnish(made)
        port, bouncer = start_bouncer(made.server)
        try:
            yield {
                "port": made.server.port,
                "bouncer_port": port,
                "lacks_bouncer": needs.lacking("pgbouncer"),
                "sockets": made.server.sockets,
                "certificates": str(certificates_of(made)),
                "psql": str(Path(made.server.bin) / "psql"),
            }
        finally:
            if bouncer is not None:
                bouncer.terminate()
                bouncer.wait()


def certificates_of(made: clusters.Cluster) -> Path:
    return Path(made.server.root) / "certificates"


def furnish(made: clusters.Cluster) -> None:
    """Turn a throwaway cluster into the lab's."""
    folder = certificates_of(made)
    folder.mkdir()
    folder.chmod(0o755)
    make_certificates(folder)
    made.give(folder / "server.key")
    made.sql(ROLES, "create database torture")
    for name, encoding in DATABASES.items():
        options = f"template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"
        made.sql(f"create database {name} {options}")
    sockets, port = made.server.sockets, made.server.port
    made.configure(
        listen_addresses="127.0.0.1,::1",
        unix_socket_directories=f"{sockets},@/torture{port}",
        ssl="on",
        ssl_cert_file=folder / "server.crt",
        ssl_key_file=folder / "server.key",
        ssl_ca_file=folder / "clientca.crt",
        log_min_messages="fatal",
        restart_after_crash="on",
        autovacuum="off",
    )
    (made.data / "pg_hba.conf").write_text(HBA)
    made.restart()


def make_certificates(folder: Path) -> None:
    """Three authorities, a dozen leaves, a revocation list and odd keys."""
    names = ("ca", "otherca", "clientca")
    ours, other, clients = (Authority(f"Torture {name}", key="rsa") for name in names)
    issued = {
        "server": ours.issue(HOST, HOST, "localhost", "127.0.0.1", "::1", key="rsa"),
        "wrong": ours.issue("other.torture.test", "other.torture.test", key="rsa"),
        "cnonly": ours.issue(HOST, key="rsa"),
        "wild": ours.issue("star", "*.torture.test", key="rsa"),
        "noip": ours.issue(HOST, HOST, key="rsa"),
        "badca": other.issue(HOST, HOST, key="rsa"),
        "expired": ours.issue(HOST, HOST, key="rsa", days=(-2000, -1000)),
        "revoked": ours.issue(HOST, HOST, key="rsa"),
        "ecserver": ours.issue(HOST, HOST),
        "edserver": ours.issue(HOST, HOST, key="ed25519"),
        # Channel binding must hash this one with SHA-384.
        "server384": ours.issue(HOST, HOST, key="rsa", digest=hashes.SHA384()),
        # Its signature names no hash, so there is nothing to bind a channel to.
        "edself": certificates.self_signed(HOST, HOST, key="ed25519"),
        "client": clients.issue("u_cert", key="rsa", purpose=CLIENT_ONLY),
        "clientbad": clients.issue("u_other", key="rsa", purpose=CLIENT_ONLY),
    }
    ours.revoke(issued["revoked"][0])
    certificates.write_pairs(folder, issued)
    for name, authority in zip(names, (ours, other, clients)):
        certificates.write(folder / f"{name}.crt", authority.certificate)
    certificates.write(folder / "bundle.crt", ours.certificate, other.certificate)
    certificates.write(folder / "ca.crl", ours.revocation_list())
    key = issued["client"][1]
    certificates.write_key(folder / "client_enc8.key", key, "s3kr1t")
    certificates.write_key(folder / "client_enc1.key", key, "s3kr1t", old=True)


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
