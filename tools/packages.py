"""Debian's packages: what apt-get would do for some of them, and having it done.

Nothing that is installed changes its version or goes away for them, unless that is asked for:
apt-get is first had to say what it would do, and where it would change something, nothing is done.
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

# `--no-upgrade` is for the packages that are named; those that they depend on, `plan` looks at.
OPTIONS = ["-y", "-q", "--no-install-recommends", "--no-upgrade"]
# Another apt-get may be at work, for minutes.
PATIENCE = "DPkg::Lock::Timeout=600"
# Written for the time of an installation, where there is no such file.
GUARDS = {
    # Debian starts the services that it installs. Nobody asked for these here.
    Path("/usr/sbin/policy-rc.d"): "#!/bin/sh\nexit 101\n",
    # PostgreSQL's package makes a cluster on port 5432, which tests that want *no* server at the
    # default address would meet.
    Path("/etc/postgresql-common/createcluster.d/99-psycoxide.conf"): (
        "create_main_cluster = false\n"
    ),
}

# "Inst libkrb5-3 [1.20.1-2] (1.20.1-3 Debian:12/stable [amd64]) []": the first brackets have the
# version that is installed, if one is. "Remv name [version]".
_STEP = re.compile(r"^(Inst|Remv) (\S+)(?: \[([^\]]*)\])?(?: \((\S+))?", re.MULTILINE)


class Refused(Exception):
    """Packages are not installed; says why."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What apt-get would do: the packages that are new, and what would happen to others."""

    new: tuple[str, ...]
    changes: tuple[str, ...]


def unable() -> str | None:
    """Why nothing can be installed here: no Debian, or we are not root on it."""
    if shutil.which("apt-get") is None:
        return "there is no apt-get here"
    if os.geteuid() != 0:
        return "only root may install packages"
    return None


def command(names: list[str]) -> list[str]:
    """The command that installs these packages."""
    return ["apt-get", "install", *OPTIONS, *names]


def plan(names: list[str]) -> Plan:
    """What installing these would do. Raises Refused where apt-get sees no way."""
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
    """Install these packages, without what they only recommend.

    Raises Refused if that would change packages that are installed, and `may_change` is false, or
    if apt-get fails.
    """
    check(plan(names), may_change)
    removal = [] if may_change else ["--no-remove"]
    with guards():
        if not run([*command(names), *removal, "-o", PATIENCE]):
            raise Refused("apt-get could not install it (what it said is above)")


def check(found: Plan, may_change: bool) -> None:
    """Raises Refused for a plan that changes what is installed."""
    if found.changes and not may_change:
        raise Refused(
            "apt-get would change packages that are installed (" + ", ".join(found.changes) + ")"
        )


def update() -> bool:
    """Read the lists of packages anew. That changes no package."""
    return run(["apt-get", "update", "-q", "-o", PATIENCE])


def run(arguments: list[str]) -> bool:
    """Run apt-get with its chatter on stderr, where it does not mix with results."""
    done = subprocess.run(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=2, check=False
    )
    return done.returncode == 0


def environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def guards() -> Iterator[None]:
    """Keep what is installed meanwhile from starting services and making clusters."""
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
