"""The backend: what Django looks for as `ENGINE + ".base"`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycoxide.django import _imports

# Before Django's modules for PostgreSQL are imported.
_imports.require()

from psycoxide.django.base import Engine  # noqa: E402
from psycoxide.django.operations import Operations  # noqa: E402

if TYPE_CHECKING:
    # Django has no types: what is of it is not for checkers.
    DjangoOperations = object
    DjangoWrapper = object
else:
    from django.contrib.gis.db.backends.postgis.base import DatabaseWrapper as DjangoWrapper
    from django.contrib.gis.db.backends.postgis.operations import (
        PostGISOperations as DjangoOperations,
    )


class PostGISOperations(Operations, DjangoOperations):
    """The operations of GeoDjango's backend."""


class DatabaseWrapper(Engine, DjangoWrapper):
    """A thread's connection to a database of GeoDjango's."""

    ops_class: Any = PostGISOperations
