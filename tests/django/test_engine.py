"""Django on the engine: models, migrations, transactions, iterators."""

from __future__ import annotations

import sys

import pytest

from .conftest import Run

TABLE = """
from django.db import connection, connections, transaction
from warehouse.models import Item

with connection.schema_editor() as editor:
    editor.create_model(Item)
"""


def test_models_and_migrations(run: Run) -> None:
    run(
        """
        import datetime, decimal, pathlib, sys, uuid

        import psycoxide
        from django.core.management import call_command
        from django.db import connection
        from warehouse.models import Item

        call_command("makemigrations", "warehouse", verbosity=0)
        call_command("migrate", verbosity=0)
        assert connection.Database is psycoxide
        assert type(connection.connection) is psycoxide.extensions.connection

        Item.objects.create(name="tea", data={"kind": ["green", None]})
        Item.objects.bulk_create([Item(name=f"n{n}", data={"n": n}) for n in range(50)])
        item = Item.objects.get(data__kind__0="green")
        assert item.at == datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
        assert item.data == {"kind": ["green", None]}
        assert item.price == decimal.Decimal("3.50")
        assert item.code == uuid.UUID(int=7)
        assert item.address == "192.0.2.7"
        assert bytes(item.picture) == b"\\x00\\xff"
        assert item.lasts == datetime.timedelta(days=3, seconds=4)
        assert (item.day, item.hour) == (datetime.date(2026, 1, 2), datetime.time(3, 4))
        assert Item.objects.filter(data__n__gte=48).update(price=1) == 2
        assert Item.objects.filter(name__in=["n1", "n2"]).delete()[0] == 2
        assert Item.objects.count() == 49
        assert "warehouse_item" in connection.introspection.table_names()

        call_command("migrate", "warehouse", "zero", verbosity=0)
        assert "warehouse_item" not in connection.introspection.table_names()

        # Nobody else has got another psycopg2.
        for name in ("psycopg2", "psycopg2.extras", "psycopg"):
            try:
                __import__(name)
            except ImportError:
                pass
            else:
                raise AssertionError(name)
        """
    )


def test_another_psycopg2_stays_what_it_is(run: Run, shop: dict[str, str]) -> None:
    pytest.importorskip("psycopg2")
    run(
        """
        import os

        from django.db import connection
        import psycoxide

        assert connection.Database is psycoxide
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        import psycopg2, psycopg2.extras
        from django.contrib.postgres import signals

        assert psycopg2 is not psycoxide and not hasattr(psycopg2, "__psycoxide_version__")
        assert "psycoxide" not in psycopg2.extras.__file__
        assert signals.psycopg2 is psycoxide
        assert psycoxide.Error is not psycopg2.Error
        with psycopg2.connect("") as theirs:
            assert not isinstance(theirs, psycoxide.extensions.connection)
        theirs.close()
        """,
        absent=False,
    )


def test_transactions(run: Run) -> None:
    run(
        TABLE
        + """
import psycoxide
from django.db import DatabaseError, IntegrityError, OperationalError

done = []
with transaction.atomic():
    Item.objects.create(name="tea")
    transaction.on_commit(lambda: done.append("tea"))
    try:
        with transaction.atomic():
            Item.objects.create(name="ice")
            Item.objects.create(name="tea")
    except IntegrityError as error:
        assert isinstance(error.__cause__, psycoxide.errors.UniqueViolation)
        assert error.__cause__.diag.table_name == "warehouse_item"
    assert done == []
    assert Item.objects.select_for_update().get().name == "tea"
assert done == ["tea"]
assert connection.connection.autocommit

try:
    with transaction.atomic():
        Item.objects.update(name="gone")
        raise KeyError
except KeyError:
    pass
assert Item.objects.get().name == "tea"

# The server ends the session: Django notices by the error, and connects again.
other = connections.create_connection("default")
with other.cursor() as cursor:
    pid = connection.connection.info.backend_pid
    cursor.execute("select pg_terminate_backend(%s, 5000)", [pid])
other.close()
try:
    Item.objects.get()
except OperationalError:
    connection.close_if_unusable_or_obsolete()
else:
    raise AssertionError("the session was to end")
assert Item.objects.get().name == "tea"
connections.close_all()
"""
    )


def test_options(run: Run) -> None:
    run(
        """
        import contextlib

        import psycoxide
        from django.db import connection, transaction

        with contextlib.closing(psycoxide.connect("")) as admin:
            admin.autocommit = True
            cursor = admin.cursor()
            cursor.execute("create role clerk")
            try:
                with transaction.atomic(), connection.cursor() as django:
                    for name, value in {
                        "transaction_isolation": "serializable",
                        "role": "clerk",
                        "TimeZone": "Africa/Nairobi",
                        "client_encoding": "UTF8",
                        "application_name": "tests",
                    }.items():
                        django.execute(f"show {name}")
                        assert django.fetchone() == (value,), name
                    django.execute("select '2026-01-02 03:04+00'::timestamptz")
                    assert str(django.fetchone()[0]) == "2026-01-02 06:04:00+03:00"
                assert connection.connection.operation_timeout == 30
                connection.close()
            finally:
                cursor.execute("drop role clerk")
        """,
        database={"TIME_ZONE": "Africa/Nairobi"},
        isolation_level=3,
        application_name="tests",
        operation_timeout=30,
        assume_role="clerk",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read from /proc")
def test_an_iterator_streams(run: Run) -> None:
    run(
        TABLE
        + """
import re

def resident():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmRSS:\\s+(\\d+) kB", file.read())[1]) / 1024

with connection.cursor() as cursor:
    cursor.execute(
        "insert into warehouse_item"
        " (name, at, data, price, code, address, picture, lasts, day, hour)"
        " select n || repeat('x', 3000), now(), '{}', 1, gen_random_uuid(), '::1', '', '1 day',"
        " now(), '3:04' from generate_series(1, 10000) n"
    )

def read(**options):
    count, before, most = 0, resident(), 0
    for name in Item.objects.values_list("name").iterator(**options):
        count += 1
        if count % 1000 == 1:
            # Other queries run meanwhile, on the same connection.
            with connection.cursor() as cursor:
                cursor.execute("select is_holdable from pg_cursors")
                held = [held for (held,) in cursor.fetchall()]
            most = max(most, resident() - before)
    assert count == 10000
    return held, most

read(chunk_size=500)
held, most = read(chunk_size=500)
assert (held, most < 8) == ([True], True), (held, most)
with transaction.atomic():
    held, most = read(chunk_size=500)
    assert (held, most < 8) == ([False], True), (held, most)

# An iterator that is left early closes its cursor.
next(Item.objects.iterator(chunk_size=500))
import gc
gc.collect()
with connection.cursor() as cursor:
    cursor.execute("select count(*) from pg_cursors")
    assert cursor.fetchone() == (0,)

connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = True
held, most = read(chunk_size=500)
assert held == [] and most > 20, (held, most)
connection.close()
"""
    )


def test_copy_and_asynchronous_queries(run: Run) -> None:
    run(
        TABLE
        + """
import asyncio, io

with connection.cursor() as cursor:
    cursor.execute("create table note (id int, text text)")
    cursor.copy_expert("copy note from stdin", io.StringIO("1\\ttea\\n2\\tice\\n"))
    cursor.execute("select text from note order by id")
    assert cursor.fetchall() == [("tea",), ("ice",)]
    cursor.execute("create procedure nothing() language sql as 'select 1'")

async def main():
    await Item.objects.acreate(name="tea")
    return [item.name async for item in Item.objects.all()], await Item.objects.acount()

assert asyncio.run(main()) == (["tea"], 1)
connections.close_all()
"""
    )


def test_values_that_are_bound(run: Run) -> None:
    program = (
        TABLE
        + """
from django.test.utils import CaptureQueriesContext

Item.objects.create(name="tea")
assert connection.connection.binding == "auto"
with CaptureQueriesContext(connection) as queries:
    assert Item.objects.filter(name="tea", price__gt=1).count() == 1
# In the log there are values, and placeholders on the way.
assert "'tea'" in queries[0]["sql"] and "$1" not in queries[0]["sql"]
with connection.cursor() as cursor:
    cursor.execute("select name from warehouse_item where name = %s", ["tea"])
    assert cursor.fetchall() == [("tea",)]
    assert cursor.cursor.query == b"select name from warehouse_item where name = $1"
assert list(Item.objects.filter(name__in=["tea", "ice"]).values_list("name", "data"))
assert list(Item.objects.iterator())
connection.close()
"""
    )
    run(program, binding="auto")


def test_a_level_of_psycopg_3_is_refused(run: Run) -> None:
    pytest.importorskip("psycopg")
    printed = run(
        """
        import psycopg
        from django.core.exceptions import ImproperlyConfigured
        from django.db import connection

        connection.settings_dict["OPTIONS"]["isolation_level"] = psycopg.IsolationLevel.SERIALIZABLE
        try:
            connection.ensure_connection()
        except ImproperlyConfigured as error:
            print(error)
        """,
        absent=False,
    )
    assert "<IsolationLevel.SERIALIZABLE: 4> of psycopg" in printed


def test_the_option_of_psycopg_3_binds(run: Run) -> None:
    printed = run(
        """
        from django.db import connection

        for given in (True, False, None):
            connection.settings_dict["OPTIONS"]["server_side_binding"] = given
            connection.ensure_connection()
            print(connection.connection.binding)
            connection.close()
        """
    )
    assert printed.split() == ["auto", "client", "client"]
