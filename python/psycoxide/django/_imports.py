"""What `import psycopg2` means in Django's own modules: psycoxide.

Django's modules for PostgreSQL import psycopg or psycopg2 by name, some of them in functions. Their
code is run with an `__import__` of ours among its built-in functions, which takes those names for
what they are here. Nothing is entered into `sys.modules`, so nobody else sees another psycopg2.
"""

from __future__ import annotations

import builtins
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycoxide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# The packages of Django that import a driver.
PACKAGES = (
    "django.db.backends.postgresql",
    "django.contrib.postgres",
    "django.contrib.gis.db.backends.postgis",
)
# The one of their modules from which the others have a driver.
DRIVER = "django.db.backends.postgresql.psycopg_any"
# The one that writes the names of our classes into files.
SERIALIZERS = "django.contrib.postgres.serializers"
# Engines that would run on psycoxide unasked: Django's modules have one driver in a process.
OTHER_ENGINES = {
    "django.db.backends.postgresql": "psycoxide.django",
    "django.db.backends.postgresql_psycopg2": "psycoxide.django",
    "django.contrib.gis.db.backends.postgis": "psycoxide.django.postgis",
}


def install() -> None:
    """Let those modules of Django that are imported from now on have psycoxide as their driver."""
    if _FINDER not in sys.meta_path:
        # Before all others, which would find these modules, too.
        sys.meta_path.insert(0, _FINDER)


def require() -> None:
    """Raise ImproperlyConfigured if Django's modules have, or should have, another driver, too."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    loaded = sys.modules.get(DRIVER)
    if loaded is not None and getattr(loaded, "errors", None) is not psycoxide.errors:
        errors = getattr(loaded, "errors", None)
        name = getattr(errors, "__name__", "an unknown driver").partition(".")[0]
        raise ImproperlyConfigured(
            f"Django has imported {name} (from {getattr(errors, '__file__', 'an unknown place')}) "
            "for PostgreSQL before it came to the engine psycoxide.django, and has one driver in a "
            "process. If an app has imported it, such as django.contrib.postgres, put "
            '"psycoxide.django" at the beginning of INSTALLED_APPS'
        )
    if not settings.configured:
        return
    for alias, database in settings.DATABASES.items():
        other = database.get("ENGINE")
        if other in OTHER_ENGINES:
            raise ImproperlyConfigured(
                f"DATABASES[{alias!r}] has the engine {other!r} beside another database with an "
                "engine of psycoxide's. Django has one driver for PostgreSQL in a process: set "
                f'its ENGINE to "{OTHER_ENGINES[other]}", too'
            )


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """`__import__` in Django's modules: psycopg2 is psycoxide, and there is no psycopg 3."""
    package, dot, rest = name.partition(".")
    if level == 0 and package in ("psycopg", "psycopg_pool"):
        raise ModuleNotFoundError(f"No module named {name!r}: psycoxide is used", name=name)
    if level == 0 and package == "psycopg2":
        name = f"psycoxide{dot}{rest}"
    # Looked up now: a program may have replaced it.
    return builtins.__import__(name, globals, locals, fromlist or (), level)


# A copy: other modules have theirs.
_BUILTINS: dict[str, Any] = {**vars(builtins), "__import__": _import}


class _Finder:
    """Finds the modules of Django that import a driver."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == one or fullname.startswith(f"{one}.") for one in PACKAGES):
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)  # type: ignore[assignment]  # by its methods
                return spec
        return None


_FINDER: Any = _Finder()


class _Loader:
    """Runs a module as its own loader does, with other built-in functions."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """The methods that read the module's source and data."""
        if name == "_loader":
            raise AttributeError(name)
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = _BUILTINS
        # As if nobody had come between: whoever reads its source or its data asks its own loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        if module.__name__ == SERIALIZERS:
            from psycoxide.django.serializers import RangeSerializer

            vars(module)["RangeSerializer"] = RangeSerializer
