"""Chroots of Debian that have Python and nothing else, to try wheels in.

Nothing of this machine is mounted there but /proc, /dev, /tmp and the authorities that it trusts;
the server runs outside, and the network is the same. They are made by debootstrap, under
`.cache/bare`, and kept.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pgserver
import sid
import smoke
from wheel_contents import Wheel

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "bare"
# Debian's releases, and the Pythons that they have.
RELEASES = {"bookworm": ("3.11",), "sid": ("3.14", "3.15")}
MOUNTS = {
    **{Path(path): Path(path) for path in ("/proc", "/dev", "/tmp")},
    sid.CERTIFICATES: sid.CERTIFICATES_INSIDE,
}


def try_all(wheels: Sequence[Wheel]) -> bool:
    """Try each wheel in the chroot that has its Python. Says which could not be tried."""
    fine = True
    for release, versions in RELEASES.items():
        chosen = [wheel for wheel in wheels if wheel.python in versions]
        if not chosen:
            continue
        try:
            folder = ensure(release)
        except sid.Unavailable as reason:
            print(f"chroot of {release}: skipped: {reason}", flush=True)
            continue
        except sid.Failed as error:
            print(f"chroot of {release}: {error}", flush=True)
            fine = False
            continue
        tried = [try_one(folder, release, wheel) for wheel in chosen]
        fine = all(tried) and fine
    return fine


def ensure(release: str) -> Path:
    """The chroot of this release, made if necessary.

    Raises sid.Unavailable if this machine can have none, and sid.Failed if something went wrong.
    """
    sid.check_means()
    folder = FOLDER / release
    if not folder.exists():
        if not shutil.which("debootstrap"):
            raise sid.Unavailable("there is no debootstrap here: `make setup` gets it")
        partial = folder.with_name(f"{release}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        sid.remove(partial)
        print(f"making a chroot of Debian {release} in {folder}: a minute or two", flush=True)
        packages = [f"python{version}-venv" for version in RELEASES[release]]
        try:
            sid.bootstrap(partial, sid.find_mirror(release), release, packages)
            partial.rename(folder)
        finally:
            sid.remove(partial)
    return folder


def try_one(folder: Path, release: str, wheel: Wheel) -> bool:
    """Install the wheel in a fresh venv of the chroot, and run the program there."""
    with tempfile.TemporaryDirectory(prefix="psycoxide-bare-") as scratch:
        for path in (wheel.path, smoke.PROGRAM):
            shutil.copy(path, scratch)
        python = f"{scratch}/venv/bin/python"
        steps = (
            (f"python{wheel.python}", "-m", "venv", f"{scratch}/venv"),
            (python, "-m", "pip", "install", "-q", "--no-index", f"{scratch}/{wheel.path.name}"),
            (python, "-I", f"{scratch}/{smoke.PROGRAM.name}"),
        )
        with pgserver.serve(quiet=True) as server:
            env = {"PSYCOXIDE_TEST_DSN": server.dsn}
            fine = all(
                subprocess.run(
                    sid.enter(folder, step, env=env, cwd=Path("/"), mounts=MOUNTS), check=False
                ).returncode
                == 0
                for step in steps
            )
    told = "ok" if fine else "failed"
    print(f"chroot of {release}, Python {wheel.python}: {wheel.path.name} {told}", flush=True)
    return fine
