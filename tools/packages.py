"""Debian's packages: what apt-get would do to install some of them, and doing it.

No installed package changes its version or is removed, unless that is asked for: apt-get first
has to say what it would do, and if it would change an installed package, nothing is done.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# `--no-upgrade` protects only the named packages; `plan()` checks those that they depend on.
OPTIONS = ["-y", "-q", "--no-install-recommends", "--no-upgrade"]
# Another apt-get may be running, for minutes.
PATIENCE = "DPkg::Lock::Timeout=600"
# Written during an installation, unless the file exists.
GUARDS = {
    # Debian starts the services that it installs. These are not wanted here.
    Path("/usr/sbin/policy-rc.d"): "#!/bin/sh\nexit 101\n",
    # PostgreSQL's package makes a cluster on port 5432. Some tests need *no* server at the default
    # address.
    Path("/etc/postgresql-common/createcluster.d/99-psycoxide.conf"): (
        "create_main_cluster = false\n"
    ),
}

# "Inst libkrb5-3 [1.20.1-2] (1.20.1-3 Debian:12/stable [amd64]) []": the first brackets have the
# installed version, if there is one. "Remv name [version]".
_STEP = re.compile(r"^(Inst|Remv) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?", re.MULTILINE)


class Refused(Exception):
    """Packages were not installed, with the reason."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What apt-get would do: the new packages, and the changes of installed ones."""

    new: tuple[str, ...]
    changes: tuple[str, ...]


def unable() -> str | None:
    """The reason why nothing can be installed here: no Debian, or we are not root."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    if os.geteuid() != 0:
        return "only root may install packages"
    return None


def command(names: list[str]) -> list[str]:
    """The command that installs these packages."""
    return ["apt-get", "install", *OPTIONS, *names]


def plan(names: list[str]) -> Plan:
    """The plan for installing these. Raises Refused if apt-get cannot install them."""
    done = subprocess.run(
        [*command(names), "--simulate"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line[3:] for line in done.stderr.splitlines() if line.startswith("E: ")]
        raise Refused("apt-get says: " + ("; ".join(errors) or f"exit code {done.returncode}"))
    new, changes = [], []
    for step, name, before, after in _STEP.findall(done.stdout):
        if step == "Remv":
            changes.append(f"{name} would be removed")
        elif before:
            changes.append(f"{name} {before} -> {after}")
        else:
            new.append(name)
    return Plan(tuple(new), tuple(changes))


def install(names: list[str], *, may_change: bool = False) -> None:
    """Install these packages, without those that they only recommend.

    Raises Refused if that would change packages that are installed, and `may_change` is false, or
    if apt-get fails.
    """
    check(plan(names), may_change)
    removal = [] if may_change else ["--no-remove"]
    with guards():
        if not run([*command(names), *removal, "-o", PATIENCE]):
            raise Refused("apt-get could not install it (what it said is above)")


def check(found: Plan, may_change: bool) -> None:
    """Raises Refused if the plan changes installed packages."""
    if found.changes and not may_change:
        raise Refused(
            "apt-get would change packages that are installed (" + ", ".join(found.changes) + ")"
        )


def update() -> bool:
    """Update the lists of packages. That changes no package."""
    return run(["apt-get", "update", "-q", "-o", PATIENCE])


def run(arguments: list[str]) -> bool:
    """Run apt-get with its output on stderr, where it does not mix with results."""
    done = subprocess.run(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=2, check=False
    )
    return done.returncode == 0


def environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def guards() -> Iterator[None]:
    """Keep packages that are installed meanwhile from starting services and making clusters."""
    made = [path for path in GUARDS if not path.exists()]
    try:
        for path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(GUARDS[path])
            path.chmod(0o755)
        yield
    finally:
        for path in made:
            path.unlink(missing_ok=True)
