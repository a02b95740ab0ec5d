"""Debian's packages, installed where we may: what the throwaway servers and browsers come from."""

from __future__ import annotations

import os
import shutil
import subprocess


def may_install() -> bool:
    """Whether this is a Debian, and we are root on it."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(names: list[str]) -> bool:
    """Install these packages, without what they only recommend; False if apt-get could not."""
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *names]
    if apt(command):
        return True
    # Most likely there is no list of packages yet, or an old one.
    apt(["apt-get", "update", "-q"])
    return apt(command)


def apt(command: list[str]) -> bool:
    """Run apt-get with its chatter on stderr, where it does not mix with results."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=2, check=False)
    return done.returncode == 0
