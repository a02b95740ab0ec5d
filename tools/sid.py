#!/usr/bin/env python3
"""A chroot of Debian sid, for software that is newer than this machine's.

    tools/sid.py ensure [-t experimental] PACKAGE...   install what is missing
    tools/sid.py run [--user postgres] COMMAND...      run a command inside

It lies in the folder that PSYCOXIDE_SID names, or else in `.cache/sid` under the checkout. Only
root can make one, with debootstrap, from the mirror of this machine's own apt. If that is not
possible, both commands say so in one line and exit with 0.

Inside, the checkout, /tmp, cargo's and rustup's folders have the same paths as outside, and the
network is the same. They are mounted in a mount namespace of each command, and vanish with the
command, however it ends: from outside nothing is ever mounted in the chroot, which can be removed
like any folder.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("PSYCOXIDE_SID") or ROOT / ".cache" / "sid").absolute()
CARGO = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
RUSTUP = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
# The authorities that this machine trusts, and their place in the chroot: beside its own, as a
# package may write those.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATES_INSIDE = Path("/etc/ssl/outside.crt")

# The folders that are mounted, and their places inside.
SAME = ("/proc", "/dev", "/tmp", ROOT, CARGO, RUSTUP, "/etc/resolv.conf", "/etc/hosts")
MOUNTS = {**{Path(path): Path(path) for path in SAME}, CERTIFICATES: CERTIFICATES_INSIDE}

PRIVATE = ("unshare", "--mount", "--propagation", "private", "--")

# Mounts the pairs before the `--`, and becomes the command after it. Run by unshare, which makes
# the namespace. There is no fork on the way, so a signal to the process reaches the command.
ENTER = """
set -eu
while [ "$1" != -- ]; do mount --rbind "$1" "$2"; shift 2; done
shift
exec chroot "$@"
"""

# The files that the chroot is set up with, and their texts.
SETTINGS = {
    "etc/apt/apt.conf.d/99psycoxide": (
        'APT::Install-Recommends "false";\n'
        'Acquire::Retries "3";\n'
        # A mirror's Release file may have expired.
        'Acquire::Check-Valid-Until "false";\n'
    ),
    # Only packages that are asked for by name come from experimental.
    "etc/apt/preferences.d/psycoxide": (
        "Package: *\nPin: release a=experimental\nPin-Priority: 1\n"
    ),
    # The chroot can be made again, so it need not survive a loss of power.
    "etc/dpkg/dpkg.cfg.d/psycoxide": "force-unsafe-io\n",
    # No package's installation starts a service, or makes a cluster.
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
    "etc/postgresql-common/createcluster.d/99-psycoxide.conf": "create_main_cluster = false\n",
}


class Unavailable(Exception):
    """This machine can have no chroot, with the reason."""


class Failed(Exception):
    """The chroot could not be made, or a package could not be installed."""


def say(text: str) -> None:
    print(f"[sid] {text}", file=sys.stderr, flush=True)


# ---- commands inside ------------------------------------------------------------------------


def command(
    arguments: Sequence[str],
    *,
    user: str = "root",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> list[str]:
    """The arguments for `subprocess` that run `arguments` inside the chroot.

    The command sees `environment()`, updated with `env`, and nothing else of ours. It begins in
    `cwd`: the checkout, or `/` for users other than root, who may have no access to the checkout.
    """
    return enter(FOLDER, arguments, user=user, env=env, cwd=cwd)


def run(
    arguments: Sequence[str],
    *,
    user: str = "root",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command inside the chroot, with our own standard streams."""
    return subprocess.run(command(arguments, user=user, env=env, cwd=cwd), check=check)


def enter(
    folder: Path,
    arguments: Sequence[str],
    *,
    user: str = "root",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    mounts: Mapping[Path, Path] = MOUNTS,
) -> list[str]:
    """`command()`, for the chroot in this folder, with these mounts."""
    pairs: list[str] = []
    for source, inside in mounts.items():
        point = folder / inside.relative_to("/")
        if source.is_dir():
            point.mkdir(parents=True, exist_ok=True)
        elif source.exists():
            point.parent.mkdir(parents=True, exist_ok=True)
            point.touch()
        else:
            continue
        pairs += [str(source), str(point)]
    cwd = cwd or (ROOT if user == "root" else Path("/"))
    variables = {**environment(folder, user), **(env or {})}
    return [
        *PRIVATE,
        *("sh", "-c", ENTER, "enter", *pairs, "--"),
        *(f"--userspec={user}", str(folder), "/usr/bin/env", "-i", f"--chdir={cwd}"),
        *(f"{name}={value}" for name, value in variables.items()),
        *arguments,
    ]  # fmt: skip


def environment(folder: Path, user: str) -> dict[str, str]:
    """The variables that a command inside starts with."""
    accounts = (line.split(":") for line in (folder / "etc" / "passwd").read_text().splitlines())
    homes = {account[0]: account[5] for account in accounts}
    env = {
        "HOME": homes.get(user, "/"),
        "TERM": os.environ.get("TERM", "dumb"),
        "LC_ALL": "C.UTF-8",
        "PATH": f"{CARGO}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CARGO_HOME": str(CARGO),
        "RUSTUP_HOME": str(RUSTUP),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }
    if CERTIFICATES.exists():
        names = "PIP_CERT SSL_CERT_FILE REQUESTS_CA_BUNDLE CARGO_HTTP_CAINFO GIT_SSL_CAINFO"
        env |= dict.fromkeys(names.split(), str(CERTIFICATES_INSIDE))
    # The network's settings are the same inside.
    same = ("http_proxy", "https_proxy", "no_proxy", "pip_index_url", "pip_default_timeout")
    return env | {name: value for name, value in os.environ.items() if name.lower() in same}


# ---- making it ------------------------------------------------------------------------------


def ensure(names: Sequence[str] = (), *, release: str = "sid") -> None:
    """Make the chroot if necessary, and install these packages, of this release.

    Raises Unavailable if this machine can have no chroot, and Failed if something went wrong.
    """
    check_means()
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with alone():
        if not FOLDER.exists():
            make()
        missing = [name for name in names if not is_installed(name)]
        if missing:
            say(f"installing of {release}: {' '.join(missing)}")
            install = ["apt-get", "install", "-y", "-qq", "-t", release, *missing]
            # The lists may be older than the mirror's packages.
            if not (apt(install) or (apt(["apt-get", "update", "-qq"]) and apt(install))):
                raise Failed(f"apt-get could not install {' '.join(missing)}: {last_words()}")


def check_means() -> None:
    """Raises Unavailable if commands cannot be run in a chroot."""
    if os.geteuid() != 0:
        raise Unavailable("a chroot of Debian sid is made by root only")
    if not shutil.which("unshare"):
        raise Unavailable("there is no unshare here (of util-linux)")
    tried = subprocess.run([*PRIVATE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        # Root of a container, most likely.
        raise Unavailable(f"this root may mount nothing: {tried.stderr.strip()}")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process makes the chroot or installs into it."""
    with open(FOLDER.with_name(FOLDER.name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make() -> None:
    """Make the chroot. It gets its name when it is complete."""
    if not shutil.which("debootstrap"):
        raise Unavailable("there is no debootstrap here: `make setup` gets it")
    mirror = find_mirror()
    partial = FOLDER.with_name(FOLDER.name + ".partial")
    remove(partial)
    say(f"making a chroot of Debian sid in {FOLDER}: a minute or two")
    try:
        bootstrap(partial, mirror)
        set_up(partial, mirror)
        if not apt(["apt-get", "update", "-qq"], partial):
            raise Failed(f"apt-get could not read the mirror's lists: {last_words()}")
        partial.rename(FOLDER)
    finally:
        remove(partial)


def bootstrap(
    folder: Path, mirror: str, release: str = "sid", packages: Sequence[str] = ("ca-certificates",)
) -> None:
    """Run debootstrap, in a namespace of its own, as it mounts things, too.

    Beside the smallest system that has apt it installs these packages.
    """
    make = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release]
    if not logged([*PRIVATE, *make, str(folder), mirror]):
        raise Failed(f"debootstrap could not make it: {last_words()}")


def find_mirror(release: str = "sid") -> str:
    """The first repository of this machine's apt that has this release."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"there is no apt here, whose mirror would serve {release}")
    asked = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    reasons = []
    for mirror in dict.fromkeys(asked.stdout.split()):
        try:
            with urllib.request.urlopen(
                f"{mirror.rstrip('/')}/dists/{release}/Release", timeout=30
            ):
                return mirror
        except (OSError, ValueError) as error:
            reasons.append(f"{mirror}: {error}")
    raise Unavailable(f"no mirror of apt's sources serves Debian {release}: " + "; ".join(reasons))


def set_up(folder: Path, mirror: str) -> None:
    """Write the chroot's settings."""
    suites = "".join(f"deb {mirror} {suite} main\n" for suite in ("sid", "experimental"))
    for name, text in {**SETTINGS, "etc/apt/sources.list": suites}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "usr/sbin/policy-rc.d").chmod(0o755)


def remove(folder: Path) -> None:
    """Remove a folder, unless something is mounted in it, which would be emptied as well."""
    mounted = mounts_in(folder, Path("/proc/self/mountinfo").read_text())
    if mounted:
        raise Failed(f"{mounted[0]} is mounted: unmount it first")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def mounts_in(folder: Path, table: str) -> list[str]:
    """The mounts in this folder, by the kernel's table."""
    points = (line.split()[4].replace(r"\040", " ") for line in table.splitlines())
    return [point for point in points if Path(point).is_relative_to(folder)]


def is_installed(name: str) -> bool:
    ask = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", name]
    found = subprocess.run(command(ask), capture_output=True, check=False)
    return found.stdout == b"installed"


def apt(arguments: list[str], folder: Path = FOLDER) -> bool:
    """Run apt-get inside. Returns False if it failed."""
    return logged(enter(folder, arguments, env={"DEBIAN_FRONTEND": "noninteractive"}))


def logged(command: list[str]) -> bool:
    """Run a command with much output, which goes into a file beside the chroot."""
    with log().open("a") as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode == 0


def log() -> Path:
    return FOLDER.with_name(FOLDER.name + ".log")


def last_words() -> str:
    """The end of the log, and the path of the whole."""
    return "\n".join([f"see {log()}", *log().read_text().splitlines()[-10:]])


# ---- the command line -----------------------------------------------------------------------


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    install = actions.add_parser("ensure", help="install what is missing")
    install.add_argument("-t", "--release", default="sid", choices=["sid", "experimental"])
    install.add_argument("packages", nargs="*", metavar="PACKAGE")
    inside = actions.add_parser("run", help="run a command inside")
    inside.add_argument("--user", default="root")
    inside.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args()
    if options.action == "run" and not options.command:
        parser.error("run needs a command")
    return options


def main() -> int:
    options = arguments()
    try:
        if options.action == "ensure":
            ensure(options.packages, release=options.release)
        else:
            ensure()
    except Unavailable as reason:
        say(f"skipped: {reason}")
        return 0
    except Failed as error:
        say(str(error))
        return 1
    if options.action == "run":
        inside = command(options.command, user=options.user)
        sys.stdout.flush()
        os.execvp(inside[0], inside)
    return 0


if __name__ == "__main__":
    sys.exit(main())
