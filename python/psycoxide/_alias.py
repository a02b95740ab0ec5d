"""Standing in for psycopg2: the same module objects under psycopg2's names.

`psycopg2` and `psycoxide` are one module after `install()`, and so are `psycopg2.extras` and
`psycoxide.extras`, whichever is imported first and however late. The classes and functions then say
that they belong to psycopg2: pickles, logs and error messages name what such programs know.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_OURS = "psycoxide"
_THEIRS = "psycopg2"

# The modules that psycopg2 has; any other one of ours is not to be found under its name.
_SUBMODULES = (
    "_ipaddress",
    "_json",
    "_psycopg",
    "_range",
    "errorcodes",
    "errors",
    "extensions",
    "extras",
    "pool",
    "sql",
    "tz",
)
_NAMES = {_OURS: _THEIRS, **{f"{_OURS}.{name}": f"{_THEIRS}.{name}" for name in _SUBMODULES}}
_ALIASES = {theirs: ours for ours, theirs in _NAMES.items()}


def install() -> None:
    """See `psycoxide.install_as_psycopg2()`."""
    ours = importlib.import_module(_OURS)
    loaded = sys.modules.get(_THEIRS)
    if loaded is ours:
        return
    if loaded is not None:
        raise RuntimeError(
            "psycopg2 has been imported already, from "
            f"{getattr(loaded, '__file__', None) or 'an unknown place'}: "
            "call install_as_psycopg2() before anything imports it"
        )
    # Imported late otherwise; the package is where they say that they are from.
    _ = ours.Error
    sys.meta_path.insert(0, _Finder())
    for name in _NAMES:
        module = sys.modules.get(name)
        if module is not None:
            _adopt(module)


class _Finder(MetaPathFinder):
    """Finds the aliases, and sees to it that modules of ours loaded later get theirs."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _ALIASES:
            return ModuleSpec(fullname, _AliasLoader())
        if fullname.startswith(f"{_THEIRS}.") and PathFinder.find_spec(fullname, path):
            # The next finder would find this as well, in our directory, and load a second copy.
            # What it does not find is left to it: to Python 3.15, which asks for attributes that
            # are imported lazily as if they were modules, an exception is no answer.
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if fullname in _NAMES:
            return _with_adoption(PathFinder.find_spec(fullname, path, target))
        return None


class _AliasLoader(Loader):
    """Loads a module of psycopg2's name: the module of ours."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_ALIASES[spec.name])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It is executed already; but the import system has just given it the alias's spec.
        module.__spec__ = self._spec


def _with_adoption(spec: ModuleSpec | None) -> ModuleSpec | None:
    """`spec`, with a loader that gives the module its alias once it is executed."""
    if spec is not None and spec.loader is not None:
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _adopt(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
    return spec


def _adopt(module: ModuleType) -> None:
    """Enter the module under its other name, and rename it and what is in it."""
    theirs = _NAMES[module.__name__]
    sys.modules[theirs] = module
    # Programs compare it with where an exception's class says it is from. The import system goes by
    # the module's spec, which stays.
    module.__name__ = theirs
    for attribute in list(vars(module)):
        # Asked for: what is imported at first use only is not in the dictionary yet.
        found = getattr(module, attribute)
        name = _NAMES.get(str(getattr(found, "__module__", None)))
        if name is not None and (isinstance(found, type) or callable(found)):
            try:
                found.__module__ = name
            except (AttributeError, TypeError):
                # An instance, such as a typecaster: it reports its class's module.
                continue
