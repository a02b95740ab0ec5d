"""Standing in for psycopg2: the same module objects under psycopg2's names.

After `install()` each module of psycopg2 is the psycoxide module of that name. It is imported like
psycopg2's own, through the import system, where the hooks of agents and tracers see it. Then it
says that it is psycopg2's, and so do its classes and functions: pickles, logs and error messages
have the names that such programs know.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident
from importlib import import_module
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder

# Not imported when the program runs: every process that takes the alias pays for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import Any

_OURS = "psycoxide"
_THEIRS = "psycopg2"

# A directory to put on a path: it has a package psycopg2 and its distributions' metadata.
SHIM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_shim")

# The modules that psycopg2 has.
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
# The modules that psycopg2's package imports, and its `extras`: ours import fewer.
_BROUGHT = ("_psycopg", "_json", "_range", "extensions", "errors")
_BROUGHT_BY_EXTRAS = ("_ipaddress",)

# The loader's methods that the import system and the standard library call with a module's name.
_ASKED_BY_NAME = frozenset(
    {"get_code", "get_filename", "get_resource_reader", "get_source", "is_package"}
)


def install() -> None:
    """See `psycoxide.install_as_psycopg2()`."""
    loaded = sys.modules.get(_THEIRS)
    if loaded is not None and loaded is not sys.modules.get(_OURS):
        raise RuntimeError(
            "psycopg2 has been imported already, from "
            f"{getattr(loaded, '__file__', None) or 'an unknown place'}: "
            "call install_as_psycopg2() before anything imports it"
        )
    if _FINDER not in sys.meta_path:
        # Before there are two names, by which two threads could wait for each other.
        for name in _BROUGHT:
            import_module(f"{_OURS}.{name}")
        # Before the standard finders, but after those that others have put in front: hooks are to
        # see these modules as well.
        standard = (BuiltinImporter, FrozenImporter, PathFinder)
        places = (place for place, finder in enumerate(sys.meta_path) if finder in standard)
        sys.meta_path.insert(next(places, 0), _FINDER)


class _Finder:
    """Finds psycopg2's modules and its distribution, and ours that psycopg2 has, too."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package == _OURS and rest in _SUBMODULES and (get_ident(), fullname) not in _looked_for:
            # It gets both names, whichever is imported: as an attribute of the package it is
            # psycopg2's, too.
            loader: Any = _SecondName()
            return ModuleSpec(fullname, loader)
        if package != _THEIRS:
            return None
        ours = _find(_OURS + fullname[len(_THEIRS) :])
        if ours is None:
            return None
        loader = _Loader(ours)
        spec = ModuleSpec(fullname, loader, origin=ours.origin, loader_state=ours)
        spec.submodule_search_locations = ours.submodule_search_locations
        spec.has_location = ours.has_location
        return spec

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """For `importlib.metadata`: psycopg2 is installed if its modules can be imported."""
        from importlib.metadata import DistributionFinder

        context = context or DistributionFinder.Context()
        found = DistributionFinder.Context(name=_THEIRS, path=context.path)
        for distribution in PathFinder.find_distributions(found):
            if (distribution.read_text("INSTALLER") or "").strip() == _OURS:
                # There is a shim on the path: the standard library's finder finds it.
                return []
        return PathFinder.find_distributions(
            DistributionFinder.Context(name=context.name, path=[SHIM])
        )


_FINDER = _Finder()

# The thread in which `_find()` looks for a module of ours, and its name: other finders, those of
# agents, ask all finders in turn, this one, too.
_looked_for: set[tuple[int, str]] = set()


class _Loader:
    """Loads a module under psycopg2's name: it is our module, executed once.

    It is executed under psycopg2's name, unless it was imported under ours before the alias was
    there. The import system's locks are taken in one order: our name's first.
    """

    def __init__(self, ours: ModuleSpec) -> None:
        self._ours = ours
        self._is_executed = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        name = self._ours.name
        if name not in sys.modules and name.partition(".")[2] in _SUBMODULES:
            return None
        module = import_module(name)
        self._ours = spec.loader_state = _find(name) or self._ours
        self._is_executed = True
        return module

    def exec_module(self, module: ModuleType) -> None:
        theirs = _THEIRS + self._ours.name[len(_OURS) :]
        if not self._is_executed:
            _execute(module, self._ours)
        # Called again, it is `importlib.reload()`.
        self._is_executed = False
        _bring(theirs)
        _adopt(module, theirs)
        module.__loader__ = self

    def __getattr__(self, attribute: str) -> Any:
        """The methods that read the module's source and data."""
        if attribute in _ASKED_BY_NAME:
            answer = getattr(self._ours.loader, attribute)
            return lambda _fullname=None: answer(self._ours.name)
        if attribute == "get_data":
            return getattr(self._ours.loader, attribute)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {attribute!r}")


def _execute(module: ModuleType, ours: ModuleSpec) -> None:
    """Run the code of one of our modules in `module`, which has its name in psycopg2."""
    loader: Any = ours.loader
    code = loader.get_code(ours.name) if hasattr(loader, "get_code") else None
    if code is not None:
        exec(code, vars(module))
    else:
        # A compiled module, or an agent's loader around another one: these go by the name.
        module.__name__ = ours.name
        loader.exec_module(module)


class _SecondName:
    """Loads a module under our name, if it has psycopg2's name already."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(_THEIRS + spec.name[len(_OURS) :])
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It was executed; but the import system has just set the other spec.
        module.__spec__ = self._spec


def _find(name: str) -> ModuleSpec | None:
    """The spec of one of our modules, as it was before the module became psycopg2's.

    `importlib.util` has a function for that, but importing it takes longer than all of this.
    """
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if spec is None:
        path = import_module(name.rpartition(".")[0]).__path__
        looked_for = (get_ident(), name)
        _looked_for.add(looked_for)
        try:
            finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
            spec = next(filter(None, (finder.find_spec(name, path) for finder in finders)), None)
        finally:
            _looked_for.discard(looked_for)
    if spec is not None and spec.name != name:
        spec = spec.loader_state
    return spec


def _bring(theirs: str) -> None:
    """Import the modules that psycopg2's module of this name imports."""
    names: Iterable[str] = ()
    if theirs == _THEIRS:
        # And those that exist under our name already: they are attributes of the package.
        names = (name for name in _SUBMODULES if f"{_OURS}.{name}" in sys.modules)
    elif theirs == f"{_THEIRS}.extras":
        names = _BROUGHT_BY_EXTRAS
    for name in names:
        import_module(f"{_THEIRS}.{name}")


def _adopt(module: ModuleType, theirs: str) -> None:
    """Give the module, its classes and its functions their names in psycopg2."""
    if theirs == _THEIRS:
        # Otherwise the exceptions are imported late; they say that they are from the package.
        _ = module.Error
    module.__name__ = theirs
    module.__package__ = theirs if hasattr(module, "__path__") else theirs.rpartition(".")[0]
    for attribute in list(vars(module)):
        # By getattr(): names that are imported at their first use are not in the dictionary yet.
        found = getattr(module, attribute)
        where = getattr(found, "__module__", None)
        if isinstance(where, str) and where.partition(".")[0] == _OURS and callable(found):
            _rename(found, _THEIRS + where[len(_OURS) :])


def _rename(found: Any, where: str) -> None:
    """Let a class or a function say that it is from `where`."""
    line = vars(found).get("__firstlineno__") if isinstance(found, type) else None
    try:
        found.__module__ = where
    except (AttributeError, TypeError):
        # An instance, such as a typecaster: its `__module__` is its class's.
        return
    if line is not None:
        # Since Python 3.13 a class forgets its source when it is said to be from elsewhere.
        found.__firstlineno__ = line
