"""The command line, `python -m psycoxide`: `run ...`, `shim ...`, `doctor ...` and `version`."""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import runpy
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType

import psycoxide
from psycoxide._alias import SHIM


def main(arguments: list[str]) -> int:
    """Run the command line. Returns the exit status."""
    if arguments[:1] == ["doctor"]:
        from psycoxide._doctor.command import main as doctor

        return doctor(arguments[1:])
    parser = _parser()
    # Arguments after the module are the program's, even if they look like options of ours.
    given, rest = _split_after_module(arguments)
    parsed = parser.parse_args(given)

    if parsed.command == "version":
        print(f"psycoxide {psycoxide.__psycoxide_version__}")
        print(f"psycopg2's API {psycoxide.__version__.split()[0]}")
        print(f"Python {sys.version.split()[0]}")
        return 0
    if parsed.command == "shim":
        return _shim(parsed)
    if parsed.module is not None:
        return _run_module([parsed.module, *rest])
    if parsed.program:
        return _run_script(parsed.program)
    parser.error("run: a script, or -m and a module, is required")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m psycoxide", description="A PostgreSQL driver with psycopg2's API."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version", help="print the versions")
    # For the list of commands: it reads its own arguments, of which no error may repeat any.
    commands.add_parser("doctor", help="find out why connecting fails", add_help=False)
    run = commands.add_parser(
        "run",
        help="run a Python program, in which psycopg2 is psycoxide",
        description="Run a Python program as `python` would, but with psycoxide in the place of "
        "psycopg2, in its child processes too.",
    )
    run.add_argument("-m", dest="module", metavar="module", help="run a module as a program")
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="script.py [arguments]")
    shim = commands.add_parser(
        "shim",
        help="give psycopg2's name to psycoxide in an environment",
        description="Write a package and the distributions psycopg2 and psycopg2-binary into an "
        "environment, so that `import psycopg2` imports psycoxide in every program and "
        "requirements of psycopg2 are met; or take them out. `status` ends with 1 if they are not "
        "there.",
    )
    shim.add_argument("action", choices=["install", "remove", "status"])
    where = shim.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="in the user's site-packages")
    where.add_argument("--target", metavar="DIRECTORY", help="in this directory")
    return parser


def _shim(parsed: argparse.Namespace) -> int:
    """Run the command `shim`. Returns the exit status."""
    from psycoxide import _install_shim

    try:
        folder = _install_shim.target(parsed.target, parsed.user)
        if parsed.action == "status":
            is_there, said = _install_shim.status(folder)
            print(*said, sep="\n")
            return 0 if is_there else 1
        act = _install_shim.install if parsed.action == "install" else _install_shim.remove
        print(*act(folder), sep="\n")
    except _install_shim.Refused as refused:
        print(f"psycoxide: {refused}", file=sys.stderr)
        return 1
    return 0


def _split_after_module(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Cut the arguments after `run -m module`."""
    if arguments[:2] == ["run", "-m"] and len(arguments) > 2:
        return arguments[:3], arguments[3:]
    return arguments, []


def _prepare() -> None:
    """Install the alias here and, through the environment, in the processes started from here.

    They find it on the path, where it costs nothing unless it is imported. A `sitecustomize`
    would be hidden by those of agents and tracers.
    """
    psycoxide.install_as_psycopg2()
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if SHIM not in entries:
        os.environ["PYTHONPATH"] = os.pathsep.join([SHIM, *filter(None, entries)])
    if SHIM not in sys.path:
        # At PYTHONPATH's place in the path: processes of `multiprocessing` inherit this path.
        sys.path.insert(0 if _has_safe_path() else 1, SHIM)


def _has_safe_path() -> bool:
    """Whether the path begins without the program's directory."""
    return bool(getattr(sys.flags, "safe_path", False))


def _run_module(argv: list[str]) -> int:
    """Run a module as `python -m module ...` does."""
    _prepare()
    sys.argv = argv
    try:
        found = importlib.util.find_spec(argv[0]) is not None
    except ModuleNotFoundError:
        # The package of the module does not exist either.
        found = False
    if not found:
        print(f"{sys.executable}: No module named {argv[0]}", file=sys.stderr)
        return 1
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    return 0


def _run_script(argv: list[str]) -> int:
    """Run a script as `python script ...` does: as a new `__main__`, its directory on the path."""
    path = argv[0]
    if not os.path.exists(path):
        print(f"{sys.executable}: can't open file {path!r}: no such file", file=sys.stderr)
        return 2
    _prepare()
    sys.argv = argv
    if not _has_safe_path():
        # `python -m` has put the current directory there.
        sys.path[0] = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path) or (not path.endswith((".py", ".pyw")) and _is_archive(path)):
        # A directory or zip file with a __main__.py.
        runpy.run_path(path, run_name="__main__")
        return 0

    with io.open_code(os.path.abspath(path)) as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    module = ModuleType("__main__")
    module.__file__ = os.path.abspath(path)
    module.__loader__ = SourceFileLoader("__main__", path)
    vars(module)["__builtins__"] = __builtins__
    # It stays there: threads and exit handlers of the program need it after its last line.
    sys.modules["__main__"] = module
    exec(code, vars(module))
    return 0


def _is_archive(path: str) -> bool:
    import zipfile

    return zipfile.is_zipfile(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
