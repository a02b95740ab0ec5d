"""Odyssey."""

from __future__ import annotations

from .pooler import PASSWORD, PATIENCE, SIZE, USER, Pooler

CONF = """\
daemonize no
log_format "%p %t %l [%i %s] (%c) %m\\n"
log_to_stdout yes
log_session yes
unix_socket_dir "{folder}"
unix_socket_mode "0600"
locks_dir "{folder}"
listen {{
        host "127.0.0.1"
        port {port}
        tls "disable"
}}
storage "server" {{
        type "remote"
        host "[127.0.0.1]:{server}"
}}
storage "itself" {{
        type "local"
}}
database default {{
        user "{user}" {{
                authentication "scram-sha-256"
                password "{password}"
                storage "server"
                storage_user "{user}"
                storage_password "{password}"
                pool "{mode}"
                pool_size {size}
                pool_timeout {milliseconds}
                pool_discard yes
                pool_cancel yes
                pool_rollback yes
                client_fwd_error yes
        }}
}}
database "console" {{
        user default {{
                authentication "none"
                role "admin"
                pool "session"
                storage "itself"
        }}
}}
"""


class Odyssey(Pooler):
    title = "Odyssey"
    program = "odyssey"
    console = "console"

    def configure(self) -> list[str]:
        conf = CONF.format(
            folder=self.folder,
            port=self.port,
            server=self.server.port,
            user=USER,
            password=PASSWORD,
            mode=self.mode,
            size=SIZE,
            milliseconds=PATIENCE * 1000,
        )
        return [self.path, str(self.place.write(self.folder / "odyssey.conf", conf))]
