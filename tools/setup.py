#!/usr/bin/env python3
"""Installs the packages that tests need and this machine lacks, and first says which and where.

    tools/setup.py [--plan] [--may-upgrade] [GROUP ...]

A GROUP is one of `server`, `tests`, `browser`, `counting`, `chroot` and `all`, the default; see
`tools/needs.py`. Programs come from Debian's packages, by apt-get, if we are root; Python packages
go into .venv. Only missing packages are installed, and no installed package changes its version:
packages that would need that are left out, unless --may-upgrade permits it. --plan says what would
be done, and does nothing.

Packages that could not be installed are named at the end, one on each line. That is no failure: the
tests that need them are skipped, and say so.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import packages
import requirements
from needs import GROUPS, NEEDS, Need


def say(text: str) -> None:
    print(f"[setup] {text}", file=sys.stderr, flush=True)


def chosen(groups: list[str]) -> list[Need]:
    """The needs of these groups, each once."""
    return [NEEDS[name] for name in dict.fromkeys(name for g in groups for name in GROUPS[g])]


def prepare(wanted: list[Need], *, only_plan: bool = False, may_upgrade: bool = False) -> None:
    """Print what is missing and what will be installed, install it, and print what is left out."""
    missing = [need for need in wanted if need.missing]
    if not missing:
        say("nothing to install: all is there")
        return
    for need in missing:
        say(f"missing here: {need.title} ({', '.join(need.missing)}), for {need.used_by}")
    left_out = consider(missing, may_upgrade)
    announce(missing, left_out)
    if only_plan:
        say("nothing was installed: it was not asked for")
    else:
        install(missing, left_out, may_upgrade)
    for need in missing:
        if need.missing and need.title in left_out:
            say(f"left out: {need.title}, because {left_out[need.title]}")


def consider(missing: list[Need], may_upgrade: bool) -> dict[str, str]:
    """The needs whose packages cannot be installed, by title, with the reasons."""
    unable = packages.unable()
    if unable:
        return {
            need.title: f"{unable}; as root: {' '.join(packages.command(need.packages))}"
            for need in missing
            if need.packages
        }
    left_out, unknown = weigh(missing, may_upgrade)
    if unknown:
        # Most likely there is no list of packages yet, or only an old one.
        say("reading Debian's lists of packages anew, by apt-get update; that installs nothing")
        packages.update()
        left_out, unknown = weigh(missing, may_upgrade)
    return {**left_out, **unknown}


def weigh(missing: list[Need], may_upgrade: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The needs that may not or cannot be installed by apt-get, by title, with the reasons."""
    left_out, unknown = {}, {}
    for need in missing:
        if not need.packages:
            continue
        try:
            found = packages.plan(need.packages)
        except packages.Refused as reason:
            unknown[need.title] = str(reason)
            continue
        try:
            packages.check(found, may_upgrade)
        except packages.Refused as reason:
            left_out[need.title] = f"{reason}; make setup MAY_UPGRADE=1 permits that"
    return left_out, unknown


def announce(missing: list[Need], left_out: dict[str, str]) -> None:
    """Print what will be installed, and where."""
    for need in missing:
        if need.title in left_out:
            continue
        if need.packages:
            found = packages.plan(need.packages)
            others = [name for name in found.new if name not in need.packages]
            say(
                "to be installed on this machine, by apt-get as root: "
                + " ".join(need.packages)
                + (f", and what they depend on: {' '.join(others)}" if others else "")
            )
            if found.changes:
                say("to be changed, which was permitted: " + ", ".join(found.changes))
        if need.lacks_module:
            say(f"to be installed into .venv, by pip: {need.module}")


def install(missing: list[Need], left_out: dict[str, str], may_upgrade: bool) -> None:
    """Install all that is not left out; failures are added to `left_out`."""
    for need in missing:
        if need.title in left_out:
            continue
        try:
            if need.packages:
                obtain(need.packages, may_upgrade)
            if need.lacks_module:
                into_venv(need.module)
        except packages.Refused as reason:
            left_out[need.title] = str(reason)
            continue
        if need.missing:
            left_out[need.title] = f"{', '.join(need.missing)} is not found even so"


def obtain(names: list[str], may_upgrade: bool) -> None:
    """Install packages, with fresh lists if that fails: old lists name files that are gone."""
    try:
        packages.install(names, may_change=may_upgrade)
    except packages.Refused:
        say("once more, with Debian's lists of packages read anew")
        packages.update()
        packages.install(names, may_change=may_upgrade)


def into_venv(module: str) -> None:
    """Install the extra of this name into the virtual environment that runs this.

    Raises Refused if there is none, or pip fails.
    """
    if sys.prefix == sys.base_prefix:
        raise packages.Refused(f"{module} goes into .venv, and this Python is not its own")
    command = [sys.executable, "-m", "pip", "install", "-q", *requirements.requirements([module])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise packages.Refused(f"pip could not install {module} (what it said is above)")
    importlib.invalidate_caches()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--may-upgrade", action="store_true")
    parser.add_argument("group", nargs="*", metavar="GROUP")
    options = parser.parse_args()
    unknown = [group for group in options.group if group not in GROUPS]
    if unknown:
        parser.error(f"there is no group {unknown[0]}; there are {', '.join(GROUPS)}")
    wanted = chosen(options.group or ["all"])
    prepare(wanted, only_plan=options.plan, may_upgrade=options.may_upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
