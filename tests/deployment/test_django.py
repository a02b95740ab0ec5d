"""Django with the settings of the page, over the alias."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from .programs import PATIENCE

PROGRAM = """
import sys

import psycoxide

psycoxide.install_as_psycopg2()
sys.modules["psycopg"] = None  # it is not installed, where this program runs

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, models

import settings as page

settings.configure(DATABASES=page.DATABASES, INSTALLED_APPS=[], USE_TZ=True)
django.setup()


class Item(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "shop"
        db_table = "item"


Item.objects.create(name="ice")
assert [item.name for item in Item.objects.order_by("id")] == ["tea", "ice"]
assert isinstance(connection.connection, psycoxide.extensions.connection)
assert connection.connection.operation_timeout == 30
with connection.cursor() as cursor:
    cursor.execute("show application_name")
    assert cursor.fetchone() == ("shop-django",)
connections.close_all()

settings.DATABASES["default"]["OPTIONS"]["pool"] = True
try:
    connection.ensure_connection()
except ImproperlyConfigured as error:
    print(error)
"""


def test_the_page(shop: dict[str, str], folder: Path, conn: Any) -> None:
    (folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env=shop,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "pool" in done.stdout
    assert conn.fetchval("select count(*) from item") == 2
