"""A realm of Kerberos: MIT's KDC on a port of its own, in a folder of its own, without root."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from fixtures.clusters import PATH

REALM = "PSYCOXIDE.TEST"
MASTER = "master-password"

CONFIGURATION = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    udp_preference_limit = 1
    forwardable = true
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
KDC = """\
[kdcdefaults]
    kdc_ports = ""
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


def worded(outcome: str) -> str:
    """An outcome without the words of Kerberos' library, which differ from version to version."""
    # Where a ticket does not help, libpq tells of all its attempts, and psycoxide of the last.
    last = "refused: " + outcome.splitlines()[-1].removeprefix("refused: ")
    outcome = last if outcome.startswith("refused") else outcome
    return re.sub(r"(GSSAPI [a-z ]+error|GSSAPI security context): [^\n]*", r"\1", outcome)


class Realm:
    """A KDC, its principals, and the environment in which programs find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        names = {"realm": REALM, "port": port, "folder": folder}
        (folder / "krb5.conf").write_text(CONFIGURATION.format(**names))
        (folder / "kdc.conf").write_text(KDC.format(**names))
        self.environment = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{folder}/tickets",
        }
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", MASTER)
        program = shutil.which("krb5kdc", path=PATH)
        assert program
        self.process = subprocess.Popen(
            [program, "-n"],
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert self.process.poll() is None and time.monotonic() < until, "no KDC"
            time.sleep(0.05)

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        found = shutil.which(program, path=PATH)
        assert found, program
        done = subprocess.run(
            [found, *arguments],
            env={**os.environ, **self.environment},
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, principal: str, password: str) -> None:
        self._run("kadmin.local", "-q", f"addprinc -pw {password} {principal}")

    def keytab(self, principal: str, path: Path) -> None:
        """A file with the keys of a service."""
        self._run("kadmin.local", "-q", f"addprinc -randkey {principal}")
        self._run("kadmin.local", "-q", f"ktadd -k {path} {principal}")

    def log_in(self, principal: str, password: str) -> None:
        self._run("kinit", principal, text=password + "\n")

    def log_out(self) -> None:
        (self.folder / "tickets").unlink(missing_ok=True)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
