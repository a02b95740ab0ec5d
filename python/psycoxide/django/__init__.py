"""Django's database backend on psycoxide: `ENGINE = "psycoxide.django"` in `settings.py`.

It is Django's own backend for PostgreSQL, in which psycopg2 means psycoxide; for the rest of the
program psycopg2 is what it was. `psycoxide.django.postgis` is the same for GeoDjango. A project
that has `django.contrib.postgres` among its INSTALLED_APPS has `psycoxide.django` there, too, at
the beginning: Django imports that app, and with it a driver, before it looks for the engine.

This package is not imported by `import psycoxide`, and does not import Django. It needs Django 5.2
or later.
"""

from psycoxide.django import _imports

_imports.install()

__all__: list[str] = []
