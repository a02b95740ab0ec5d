"""Lets the child processes of `python -m psycoxide run` have psycoxide as psycopg2, too.

The interpreter imports this module at its start because its directory is the first in PYTHONPATH.
It imports nothing of psycoxide: most processes never import psycopg2, and must not pay for it.
"""

import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

_HERE = os.path.dirname(os.path.abspath(__file__))


class _InstallAtFirstImport(MetaPathFinder):
    """Installs the alias when psycopg2 is imported for the first time."""

    def find_spec(self, fullname, path=None, target=None):  # type: ignore[no-untyped-def]
        if fullname != "psycopg2":
            return None
        sys.meta_path.remove(self)
        try:
            from psycoxide import install_as_psycopg2
        except ModuleNotFoundError:
            # Another environment's interpreter: there psycopg2 is what it always was.
            return None
        install_as_psycopg2()
        # The import system takes a module that appeared while it looked for a spec to be a reason
        # to load that one's spec: psycoxide would be executed a second time.
        sys.modules.pop("psycopg2", None)
        # The finder that has just been put first knows the alias.
        return sys.meta_path[0].find_spec(fullname, path, target)


def _import_the_next() -> None:
    """Import the `sitecustomize` that this one hides, if there is one."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("PSYCOXIDE_AS_PSYCOPG2") == "1":
    sys.meta_path.insert(0, _InstallAtFirstImport())
_import_the_next()
