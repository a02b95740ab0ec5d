"""The backend: what Django looks for as `ENGINE + ".base"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import psycoxide
from psycoxide.django import _imports

# Before Django's modules for PostgreSQL are imported.
_imports.require()

from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.db.backends.base.base import NO_DB_ALIAS  # noqa: E402

from psycoxide.django.operations import Operations  # noqa: E402

if TYPE_CHECKING:
    from psycoxide.django.pool import Pool

    # Django has no types: what is of it is not for checkers.
    DjangoOperations = object
    DjangoWrapper = object
else:
    from django.db.backends.postgresql.base import DatabaseWrapper as DjangoWrapper
    from django.db.backends.postgresql.operations import DatabaseOperations as DjangoOperations


class DatabaseOperations(Operations, DjangoOperations):
    """The operations of Django's backend."""


class Engine:
    """What psycoxide adds to Django's `DatabaseWrapper`. For a subclass of that."""

    Database: ModuleType = psycoxide

    # Django's: what a thread's connection has, and the pools of the process.
    alias: str
    settings_dict: dict[str, Any]
    _configure_connection: Callable[[Any], bool]
    _connection_pools: dict[str, Pool]

    def get_connection_params(self) -> dict[str, Any]:
        """Return the arguments of `psycoxide.connect()`: OPTIONS, and the settings beside it.

        Raises ImproperlyConfigured.
        """
        options = dict(self.settings_dict["OPTIONS"])
        level = options.get("isolation_level")
        if type(level).__module__.partition(".")[0] == "psycopg":
            # Its SERIALIZABLE has the number of our READ UNCOMMITTED.
            raise ImproperlyConfigured(
                f'OPTIONS["isolation_level"] of DATABASES[{self.alias!r}] is {level!r} of psycopg, '
                "whose numbers are others: take one of psycoxide.extensions.ISOLATION_LEVEL_..."
            )
        # Django refuses it with every driver but psycopg 3.
        options.pop("pool", None)
        if options.pop("server_side_binding", False):
            options.setdefault("binding", "auto")
        settings = self.settings_dict
        self.settings_dict = {**settings, "OPTIONS": options}
        try:
            params: dict[str, Any] = super().get_connection_params()  # type: ignore[misc]  # Django's
        finally:
            self.settings_dict = settings
        return params

    # ---- the pool -------------------------------------------------------------------------------

    @property
    def pool(self) -> Pool | None:
        """The pool of this database; None if it has none. Raises ImproperlyConfigured."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        pool = self._connection_pools.get(self.alias)
        if pool is not None and pool.database != self.settings_dict["NAME"]:
            # Tests go on with a database of their own.
            self.close_pool()
            pool = None
        if pool is None:
            # Several threads may make one. They are not open yet: the first one counts.
            pool = self._connection_pools.setdefault(self.alias, self._new_pool(options))
        return pool

    def _new_pool(self, given: Any) -> Pool:
        from psycoxide.django.pool import Pool

        where = f"DATABASES[{self.alias!r}]"
        if self.settings_dict.get("CONN_MAX_AGE", 0) != 0:
            raise ImproperlyConfigured(
                f"{where} has both a pool and CONN_MAX_AGE, which keeps a connection in each "
                "thread: leave that 0"
            )
        if given is not True and not isinstance(given, Mapping):
            raise ImproperlyConfigured(
                f'OPTIONS["pool"] of {where} is True or a dict of arguments, not {given!r}'
            )
        params = self.get_connection_params()
        if "connection_factory" in params:
            raise ImproperlyConfigured(f"{where} has both a pool and a connection_factory")
        options: dict[str, Any] = {} if given is True else dict(given)
        options.setdefault("name", f"django-{self.alias}")
        if self.settings_dict["CONN_HEALTH_CHECKS"]:
            options.setdefault("check", Pool.check_connection)
        try:
            return Pool(
                self.settings_dict["NAME"], params, configure=self._configure_connection, **options
            )
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f'OPTIONS["pool"] of {where}: {error}') from error

    def close_pool(self) -> None:
        """Close the pool of this database, if it has one. The next request makes another one."""
        pool = self._connection_pools.pop(self.alias, None)
        if pool is not None:
            pool.close()


class DatabaseWrapper(Engine, DjangoWrapper):
    """A thread's connection to a database of Django's."""

    ops_class: Any = DatabaseOperations
