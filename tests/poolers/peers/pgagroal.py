"""pgagroal."""

from __future__ import annotations

import signal

from .pooler import DATABASE, PASSWORD, PATIENCE, SIZE, USER, Pooler

CONF = """\
[pgagroal]
host = 127.0.0.1
port = {port}
log_type = console
log_level = info
max_connections = 20
idle_timeout = 0
blocking_timeout = {patience}
validation = off
unix_socket_dir = {folder}
pipeline = {mode}
allow_unknown_users = off
track_prepared_statements = on
update_process_title = never

[primary]
host = {folder}
port = {server}
"""


class Pgagroal(Pooler):
    title = "pgagroal"
    # In each mode it refuses more clients than there are servers.
    crowd = SIZE
    program = "pgagroal"
    ending = signal.SIGTERM
    settling = 0.1
    # It mixes up clients that are there at once, and closes connections that do nothing wrong.
    unsteady = ("session", "transaction")
    limit = 6

    def configure(self) -> list[str]:
        """It runs over a buffer's end where a server's TCP port has five digits, so that it gets a
        socket; to whose name it appends its own port."""
        for left in self.folder.glob(".s.*"):
            left.unlink()
        name = f".s.PGSQL.{self.server.port}"
        (self.folder / f"{name}.{self.port}").symlink_to(self.server.folder / name)
        conf = CONF.format(
            port=self.port,
            folder=self.folder,
            mode=self.mode,
            patience=PATIENCE,
            server=self.server.port,
        )
        # The mode that shares takes no pool that begins empty.
        begun = 2 if self.shares else 0
        files = {
            "-c": ("pgagroal.conf", conf),
            "-a": ("pgagroal_hba.conf", "host all all all scram-sha-256\n"),
            "-l": ("pgagroal_databases.conf", f"{DATABASE} {USER} {SIZE} {begun} {begun}\n"),
        }
        command = [self.path]
        for option, (file, text) in files.items():
            command += [option, str(self.place.write(self.folder / file, text))]
        return [*command, "-u", self._users()]

    def _users(self) -> str:
        """The file of users, encrypted with a key that lies in the home folder."""
        admin = self.place.find("pgagroal-admin")
        users = self.folder / "pgagroal_users.conf"
        if not users.exists():
            key = [admin, "-P", "masterkey1A!", "master-key"]
            self.place.run(key, home=self.folder)
            add = [admin, "-f", str(users), "-U", USER, "-P", PASSWORD, "user", "add"]
            self.place.run(add, home=self.folder)
        return str(users)
