"""Which driver Django has, and who else sees it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import Run

# As an app would that is loaded before the engine.
EARLY = """
from django.db.backends.postgresql import psycopg_any
"""
ASK = """
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

try:
    connection.ensure_connection()
except ImproperlyConfigured as error:
    print(error)
"""


def test_django_is_imported_by_the_engine_alone() -> None:
    program = """
import sys
import psycoxide, psycoxide.extras, psycoxide.sync
assert "psycoxide.django" not in sys.modules
import psycoxide.django
assert "django" not in sys.modules
import importlib.util
assert "psycopg2" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=dict(os.environ))


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_django_has_another_driver_already(run: Run, driver: str) -> None:
    pytest.importorskip(driver)
    before = "import sys; sys.modules['psycopg'] = None\n" if driver == "psycopg2" else ""
    printed = run(ASK, absent=False, before=before + EARLY, apps=[])
    assert f"Django has imported {driver} (from " in printed
    assert '"psycoxide.django" at the beginning of INSTALLED_APPS' in printed


def test_a_database_with_djangos_own_engine(run: Run) -> None:
    other = {"other": {"ENGINE": "django.db.backends.postgresql", "NAME": "other"}}
    printed = run(ASK, databases=other, apps=[])
    assert "DATABASES['other'] has the engine 'django.db.backends.postgresql'" in printed
    assert 'set its ENGINE to "psycoxide.django"' in printed


def test_databases_of_other_kinds_do_not_matter(run: Run) -> None:
    lite = {"other": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    run(
        """
        from django.db import connections

        for alias in ("default", "other"):
            with connections[alias].cursor() as cursor:
                cursor.execute("select 1")
        connections.close_all()
        """,
        databases=lite,
    )


def test_the_alias_and_the_engine(run: Run) -> None:
    run(
        """
        import psycopg2, psycoxide
        from django.db import connection

        assert psycopg2 is psycoxide
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        assert connection.Database is psycopg2
        connection.close()
        """,
        absent=False,
        before="import psycoxide\npsycoxide.install_as_psycopg2()",
    )


def test_modules_keep_their_loaders(run: Run) -> None:
    run(
        """
        import importlib.util, inspect

        from django.db import connection
        from django.db.backends.postgresql import base

        signals = importlib.util.find_spec("django.contrib.postgres.signals")
        assert "register_type_handlers" in signals.loader.get_source(signals.name)
        assert type(base.__spec__.loader) is type(base.__loader__)
        assert base.__loader__.__class__.__module__.startswith("_frozen_importlib")
        assert "class DatabaseWrapper" in inspect.getsource(base)
        # Runs again as it ran before.
        assert importlib.reload(base).Database is connection.Database
        """
    )
