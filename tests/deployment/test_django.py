"""Django with the settings of the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from .programs import PATIENCE

PROGRAM = """
import sys

# They are not installed, where this program runs.
sys.modules["psycopg"] = sys.modules["psycopg2"] = None

import django
from django.db import connection, connections, models

import psycoxide

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
pid = connection.connection.info.backend_pid
connections.close_all()
assert Item.objects.count() == 2
assert connection.connection.info.backend_pid == pid
connections.close_all()
connection.close_pool()
"""


def test_the_page(shop: dict[str, str], folder: Path, conn: Any) -> None:
    (folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**shop, "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert conn.fetchval("select count(*) from item") == 2
