"""Pgpool-II."""

from __future__ import annotations

from .places import cluster
from .pooler import PASSWORD, SIZE, USER, Pooler

CONF = """\
backend_clustering_mode = 'raw'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
socket_dir = '{folder}'
pcp_listen_addresses = '127.0.0.1'
pcp_port = {pcp}
pcp_socket_dir = '{folder}'
backend_hostname0 = '127.0.0.1'
backend_port0 = {server}
backend_weight0 = 1
enable_pool_hba = on
pool_passwd = 'pool_passwd'
num_init_children = {size}
reserved_connections = 1
max_pool = 2
pid_file_name = '{folder}/pgpool.pid'
logdir = '{folder}'
work_dir = '{folder}'
sr_check_period = 0
health_check_period = 0
failover_on_backend_error = off
failover_on_backend_shutdown = off
"""


class Pgpool(Pooler):
    """Its children serve a client each, for as long as it stays."""

    title = "Pgpool-II"
    names = True
    modes = ("session",)
    program = "pgpool"
    # A child resets the session before it is free for the next client.
    settling = 0.1

    def configure(self) -> list[str]:
        conf = CONF.format(
            port=self.port,
            pcp=cluster.free_port(),
            folder=self.folder,
            server=self.server.port,
            # One of them stands by to refuse those who are too many.
            size=SIZE + 1,
        )
        (self.folder / "pgpool.pid").unlink(missing_ok=True)
        write = self.place.write
        write(self.folder / "pool_passwd", f"{USER}:TEXT{PASSWORD}\n")
        hba = write(self.folder / "pool_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n")
        pcp = write(self.folder / "pcp.conf", "")
        own = write(self.folder / "pgpool.conf", conf)
        return [self.path, "-n", "-f", str(own), "-a", str(hba), "-F", str(pcp)]
