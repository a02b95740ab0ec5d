"""`python -m psycoxide shim`: psycopg2's name in an environment, given to psycoxide.

Two distributions are written: `psycopg2`, whose package gives way to psycoxide, and
`psycopg2-binary`, which is only metadata, for packages that require it. Both look as if pip had
installed them: it lists them, counts requirements as met by them, and can remove them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import site
import sys
import sysconfig
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

from psycoxide._alias import SHIM

_PACKAGE = "psycopg2"
_INSTALLER = "psycoxide"
# The entries of a distribution of psycopg2 in a directory, however it was installed.
_METADATA = re.compile(
    r"psycopg2([-_.]binary)?(-.*\.(dist-info|egg-info|egg)|\.egg-(link|info))", re.I
)
_MODULE = re.compile(r"psycopg2(\.py|\..*\.so|\.so|\..*\.pyd|\.pyd)?", re.I)


class Refused(Exception):
    """The shim cannot be installed here. The message says why, and what to do."""


def target(folder: str | None, for_user: bool) -> Path:
    """The directory to write to: `--target`, `--user`, or this interpreter's site-packages.

    Raises Refused if there is no such place.
    """
    if folder is not None:
        return Path(folder).resolve()
    if not for_user:
        return _site_packages("purelib")
    if not site.ENABLE_USER_SITE:
        raise Refused(
            "the user's site-packages is not on this interpreter's path, as in most virtual "
            "environments: leave out --user"
        )
    return Path(site.getusersitepackages()).resolve()


def _site_packages(kind: str) -> Path:
    return Path(sysconfig.get_path(kind)).resolve()


def status(folder: Path) -> tuple[bool, list[str]]:
    """Whether the shim is in `folder` as `install()` would write it, and lines to print."""
    ours, others = _look(folder)
    is_there = _is_whole(folder, ours)
    if is_there:
        version = next(path.stem for path in ours if _is_main(path.name)).partition("-")[2]
        said = [f"the shim for psycopg2 {version} is in {folder}"]
    elif ours:
        said = [f"the shim in {folder} is another version's, or not whole: `shim install` mends it"]
    else:
        said = [f"there is no shim in {folder}"]
    return is_there, [*said, *(f"not the shim: {path}" for path in others)]


def install(folder: Path) -> list[str]:
    """Write the shim into `folder`, in the place of an older one. Returns lines to print.

    All of it is there afterwards, or nothing has changed. Raises Refused if there is another
    psycopg2, or if the folder cannot be written to.
    """
    ours, others = _look(folder)
    if folder == _site_packages("purelib"):
        # Some systems have compiled packages in a folder of their own.
        others += [path for path in _look(_site_packages("platlib"))[1] if path not in others]
    if others:
        raise Refused(
            f"psycopg2 is installed already, and is not the shim: {', '.join(map(str, others))}\n"
            "Take it out first, as by `pip uninstall psycopg2 psycopg2-binary`."
        )
    said = _neighbours(folder)
    if _is_whole(folder, ours):
        return [f"the shim is in {folder} already", *said]
    wanted = _contents()
    with _staged(folder) as stage:
        for name, files in wanted.items():
            (stage / "new" / name).mkdir(parents=True)
            for file, content in files.items():
                (stage / "new" / name / file).write_bytes(content)
        _exchange(folder, stage, ours, list(wanted))
    return [f"psycopg2 is psycoxide in {folder}", *said]


def remove(folder: Path) -> list[str]:
    """Take the shim out of `folder`, but no real psycopg2. Returns lines to print."""
    ours, others = _look(folder)
    said = [f"left as it is: {path}" for path in others]
    if not ours:
        return [f"there is no shim in {folder}", *said]
    with _staged(folder) as stage:
        _exchange(folder, stage, ours, [])
    return [f"the shim is out of {folder}", *said]


def _look(folder: Path) -> tuple[list[Path], list[Path]]:
    """The entries called psycopg2 in a directory: the shim's, of any version, and the others."""
    ours: list[Path] = []
    others: list[Path] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for path in sorted(folder.iterdir()):
            if _METADATA.fullmatch(path.name) or _MODULE.fullmatch(path.name):
                (ours if _is_ours(path) else others).append(path)
    return ours, others


def _is_ours(path: Path) -> bool:
    """Whether an earlier `install()` has written it, and nothing else has written into it."""
    try:
        if path.name != _PACKAGE:
            return (path / "INSTALLER").read_text().strip() == _INSTALLER
        if {entry.name for entry in path.iterdir()} - {"__init__.py", "__pycache__"}:
            return False
        return (path / "__init__.py").read_text().startswith('"""psycopg2\'s name for psycoxide')
    except (OSError, UnicodeDecodeError):
        return False


def _is_main(name: str) -> bool:
    """Whether it is the metadata of psycopg2, not of psycopg2-binary."""
    return name.startswith(f"{_PACKAGE}-")


def _is_whole(folder: Path, ours: list[Path]) -> bool:
    """Whether these are all the files of the shim, as this version writes them."""
    wanted = _contents()
    try:
        return {path.name for path in ours} == set(wanted) and all(
            (folder / name / file).read_bytes() == content
            for name, files in wanted.items()
            for file, content in files.items()
        )
    except OSError:
        return False


def _neighbours(folder: Path) -> list[str]:
    """Lines about psycopg2s in other directories on the path, which the shim hides.

    Raises Refused if one of them comes first, and would hide the shim.
    """
    # Without the first entry, the program's directory: it differs from program to program.
    path = sys.path[0 if getattr(sys.flags, "safe_path", False) else 1 :]
    entries = [Path(entry).resolve() for entry in path if entry]
    if folder not in entries:
        return [f"{folder} is not on this interpreter's path: PYTHONPATH can put it there"]
    said = []
    for place, entry in enumerate(entries):
        for other in _look(entry)[1] if entry != folder else []:
            if place < entries.index(folder):
                raise Refused(f"{other} comes before {folder} on the path, and would be imported")
            said.append(f"this hides {other}")
    return said


def _contents() -> dict[str, dict[str, bytes]]:
    """The files of the shim, by directory."""
    found = {
        folder.name: {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        for folder in Path(SHIM).iterdir()
        if folder.is_dir()
    }
    for name, files in found.items():
        if name != _PACKAGE:
            # pip's mark of a distribution that was installed by name.
            files["REQUESTED"] = b""
            brings = [name, _PACKAGE] if _is_main(name) else [name]
            files["RECORD"] = _record(name, {part: found[part] for part in brings})
    return found


def _record(name: str, parts: dict[str, dict[str, bytes]]) -> bytes:
    """The list of a distribution's files with their hashes, by which installers remove it."""
    lines = []
    for part, files in parts.items():
        for file, content in files.items():
            digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{part}/{file},sha256={digest},{len(content)}")
    return "\n".join([*sorted(lines), f"{name}/RECORD,,", ""]).encode()


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A temporary directory in `folder`, from which new entries are moved to `folder`.

    Raises Refused for errors of the system.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".psycoxide-shim-", dir=folder) as stage:
            yield Path(stage)
    except OSError as error:
        raise Refused(
            f"cannot write to {folder}: {error.strerror or error}\n"
            "Use a virtual environment, or --user, or --target."
        ) from error


def _exchange(folder: Path, stage: Path, old: list[Path], new: list[str]) -> None:
    """Move the old entries out of `folder` and the new ones in. Undoes all if a move fails."""
    (stage / "old").mkdir()
    moves = [(path, stage / "old" / path.name) for path in old]
    moves += [(stage / "new" / name, folder / name) for name in new]
    done = []
    try:
        for source, destination in moves:
            os.rename(source, destination)
            done.append((source, destination))
    except BaseException:
        for source, destination in reversed(done):
            os.rename(destination, source)
        raise
