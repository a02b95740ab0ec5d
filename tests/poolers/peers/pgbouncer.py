"""PgBouncer."""

from __future__ import annotations

from .pooler import PASSWORD, PATIENCE, SIZE, USER, Pooler

CONF = """\
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 250
query_wait_timeout = {patience}
server_login_retry = 1
ignore_startup_parameters = {ignored}
admin_users = {user}
pidfile =
{more}
"""


class PgBouncer(Pooler):
    title = "PgBouncer"
    program = "pgbouncer"
    console = "pgbouncer"
    # Parameters of the startup packet that it lets pass, without heeding them.
    ignored = ""
    # A line more of its configuration.
    more = ""

    def configure(self) -> list[str]:
        conf = CONF.format(
            server=self.server.port,
            port=self.port,
            folder=self.folder,
            mode=self.mode,
            size=SIZE,
            patience=PATIENCE,
            ignored=self.ignored,
            user=USER,
            more=self.more,
        )
        self.place.write(self.folder / "users.txt", f'"{USER}" "{PASSWORD}"\n')
        return [self.path, str(self.place.write(self.folder / "pgbouncer.ini", conf))]
