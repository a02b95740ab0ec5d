#!/usr/bin/env python3
"""Builds the wheels for Linux and the source distribution, checks them, and tries them.

    tools/wheels.py [--out FOLDER] [--keep] [--no-try | --chroots] [VERSION...]

The Pythons are 3.10 to 3.15, unless some are named; the processor is this machine's.

They are built from the unpacked source distribution, so that it is known to be complete, into
`dist`, which is emptied first. zig links them, with the symbols that glibc 2.17 had: they run where
manylinux2014 does. A Python need not be on this machine to be built for. A wheel is then checked
(`tools/wheel_contents.py`, twine, auditwheel), and tried in a fresh venv of its Python, if there is
one, with `tools/smoke_program.py` on a throwaway server.

`--chroots` also tries them in chroots of Debian 12 and sid that have nothing but Python
(`tools/bare.py`); for root. `--keep` builds nothing: it checks and tries what is in the folder,
which with `--no-try` may be for any platform.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bare
import beside
import smoke
import third_party
import wheel_contents
from wheel_contents import Wheel

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
# The oldest for which Rust's standard library is made: glibc 2.17, as in CentOS 7.
COMPATIBILITY = "manylinux2014"
GLIBC = "manylinux_2_17_"
MATURIN = (sys.executable, "-m", "maturin")


def make_sdist(out: Path) -> Path:
    subprocess.run([*MATURIN, "sdist", "--out", str(out)], cwd=ROOT, check=True)
    return next(out.glob("*.tar.gz"))


def target_folder() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "wheels"


def unpack(sdist: Path) -> Path:
    """The folder of the source distribution's content.

    Its name changes with the content: the archive's files are all of the same date, by which cargo
    would not see that they have changed.
    """
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()[:12]
    parent = target_folder() / f"source-{digest}"
    if not parent.exists():
        for old in target_folder().glob("source-*"):
            shutil.rmtree(old)
        with tarfile.open(sdist) as archive:
            archive.extractall(parent, filter="data")
    [folder] = parent.iterdir()
    return folder


def build(version: str, source: Path, out: Path) -> bool:
    """Build the wheel for this Python. Returns False if it cannot be built, and says so."""
    # Without an interpreter maturin knows from the version what it has to know.
    python = smoke.find(version) or f"python{version}"
    env = {k: v for k, v in os.environ.items() if k not in ("PYO3_PYTHON", "VIRTUAL_ENV")}
    # maturin looks for zig's package in the Python of this PATH.
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
    done = subprocess.run(
        [*MATURIN, "build", "--release", "--locked", "--quiet", "--zig",
         "--compatibility", COMPATIBILITY, "--compression-level", "9",
         "--interpreter", python, "--out", str(out)],
        cwd=source,
        env={**env, "CARGO_TARGET_DIR": str(target_folder())},
        stdin=subprocess.DEVNULL,
        check=False,
    )  # fmt: skip
    return done.returncode == 0


def check(sdist: Path, wheels: Sequence[Wheel]) -> bool:
    """Look the files over. Returns False, with the reasons in words, if one is not right."""
    fine = True
    for path, wrong in [
        (sdist, wheel_contents.sdist_faults(sdist)),
        *((wheel.path, wheel_contents.faults(wheel) + policy_faults(wheel)) for wheel in wheels),
    ]:
        print(f"{path.name}: {path.stat().st_size:,} bytes", flush=True)
        for fault in wrong:
            fine = False
            print(f"  {fault}", flush=True)
    files = [str(sdist), *(str(wheel.path) for wheel in wheels)]
    twine = [sys.executable, "-m", "twine", "check", "--strict", *files]
    return subprocess.run(twine, check=False).returncode == 0 and fine


def policy_faults(wheel: Wheel) -> list[str]:
    """What auditwheel has to say against the glibc of the wheel's name."""
    policy = next((tag for tag in wheel.tags if tag.startswith(GLIBC)), None)
    if policy is None:
        # musl's name a version as well, other systems none that could be read from the module.
        return [f"it is not for {GLIBC}"] if wheel.tags[0].startswith("manylinux") else []
    asked = subprocess.run(
        [sys.executable, "-m", "auditwheel", "show", str(wheel.path)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((asked.stdout + asked.stderr).split())
    if f'following platform tag: "{policy}"' in said:
        return []
    return [f"auditwheel does not find it fit for {policy}: {said}"]


def try_all(wheels: Sequence[Wheel]) -> bool:
    """Install each into a venv of its Python, and run the program. Those without are named."""
    found = {wheel: smoke.find(wheel.python) for wheel in wheels}
    missing = [wheel.python for wheel, python in found.items() if not python]
    if missing:
        print(f"not tried, as there is no such Python here: {', '.join(missing)}", flush=True)
    tries = [
        functools.partial(smoke.check, wheel.python, python, wheel.path, ())
        for wheel, python in found.items()
        if python
    ]
    return all(beside.run(tries, jobs=1))


def wheels_in(folder: Path, versions: Sequence[str]) -> list[Wheel]:
    """The wheels of this folder for these Pythons, the oldest first."""
    found = [Wheel(path) for path in folder.glob("*.whl")]
    chosen = [wheel for wheel in found if wheel.parts and wheel.python in versions]
    return sorted(chosen, key=lambda wheel: (VERSIONS.index(wheel.python), wheel.path.name))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--chroots", action="store_true", help="also try them in bare chroots")
    parser.add_argument("--keep", action="store_true", help="build nothing, take what is there")
    parser.add_argument("--no-try", action="store_true", help="install none of them")
    parser.add_argument("versions", nargs="*", metavar="VERSION")
    options = parser.parse_args()
    versions = options.versions or VERSIONS
    if unknown := [version for version in versions if version not in VERSIONS]:
        parser.error(f"there are no wheels for {', '.join(unknown)}, only {', '.join(VERSIONS)}")
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    try:
        failed = [] if options.keep else make(out, versions)
        sdists = list(out.glob("*.tar.gz"))
        wheels = wheels_in(out, versions)
        if not wheels or not sdists:
            print(f"there is nothing to check in {out}")
            return 1
        fine = check(sdists[0], wheels)
    except third_party.Incomplete as error:
        print(f"wheels: {error}")
        return 1
    if not options.no_try:
        fine = try_all(wheels) and fine
    if options.chroots:
        fine = bare.try_all(wheels) and fine
    if failed:
        print(f"no wheel could be built for Python {', '.join(failed)}")
    return int(bool(failed) or not fine)


def make(out: Path, versions: Sequence[str]) -> list[str]:
    """Build everything into an empty folder. Returns the Pythons without a wheel."""
    for old in [*out.glob("*.whl"), *out.glob("*.tar.gz")]:
        old.unlink()
    source = unpack(make_sdist(out))
    return [version for version in versions if not build(version, source, out)]


if __name__ == "__main__":
    sys.exit(main())
