"""`OPTIONS["pool"]`."""

from __future__ import annotations

from .conftest import Run
from .test_engine import TABLE


def test_threads_share_connections(run: Run) -> None:
    run(
        TABLE
        + """
import threading

import psycoxide
from psycoxide.django.pool import PooledConnection

assert isinstance(connection.connection, psycoxide.extensions.connection)
connection.close()
pids = set()
failed = []

def work(number):
    try:
        for round in range(10):
            with transaction.atomic():
                Item.objects.create(name=f"n{number} {round}")
            assert Item.objects.filter(name=f"n{number} {round}").exists()
            pids.add(connection.connection.info.backend_pid)
            # What Django does at the end of a request.
            connection.close()
    except BaseException as error:
        failed.append(error)

threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert failed == []
assert Item.objects.count() == 80
assert 1 <= len(pids) <= 3, pids
stats = connection.pool.get_stats()
assert stats["connections_num"] <= 3 and stats["requests_num"] >= 80, stats

# Who has borrowed one and ended without giving it back has lost nothing.
thread = threading.Thread(target=Item.objects.count)
thread.start()
thread.join()
del thread, threads
import gc, time
gc.collect()
until = time.monotonic() + 10
while connection.pool.get_stats()["pool_available"] + 1 < connection.pool.get_stats()["pool_size"]:
    assert time.monotonic() < until, connection.pool.get_stats()
    time.sleep(0.01)
connections.close_all()
connection.close_pool()
assert connection._connection_pools == {}
""",
        pool={"min_size": 1, "max_size": 3},
    )


def test_what_is_given_back_is_at_rest(run: Run) -> None:
    run(
        TABLE
        + """
import logging

class Kept(logging.Handler):
    def emit(self, record):
        texts.append(record.getMessage())

texts = []
logging.getLogger("psycoxide.pool").addHandler(Kept())
logging.getLogger("psycoxide.pool").propagate = False

Item.objects.create(name="tea")
first = connection.connection
connection.close()
assert connection.connection is None

# It is lent again, in autocommit mode, and rolled back if it has to be.
connection.set_autocommit(False)
assert connection.connection is first
Item.objects.update(name="gone")
connection.close()
assert Item.objects.get().name == "tea"
assert connection.connection is first and first.autocommit
assert texts and "rolls back" in texts[0], texts

# With an isolation level and a role: set once, and not at each loan.
with connection.cursor() as cursor:
    cursor.execute("show default_transaction_isolation")
    assert cursor.fetchone() == ("repeatable read",)
with transaction.atomic(), connection.cursor() as cursor:
    cursor.execute("show transaction_isolation")
    assert cursor.fetchone() == ("repeatable read",)
    cursor.execute("show timezone")
    assert cursor.fetchone() == ("UTC",)

# A session that the server has ended is replaced before anybody borrows it.
pid = first.info.backend_pid
connection.close()
import psycoxide
killer = psycoxide.connect("")
killer.cursor().execute("select pg_terminate_backend(%s, 5000)", [pid])
killer.close()
assert Item.objects.get().name == "tea"
assert connection.connection.info.backend_pid != pid

# `pool` is ours, with what that has.
connection.close()
with connection.pool.connection() as conn, conn.cursor() as cursor:
    cursor.execute("select 1")
assert connection.pool.fetchval("select 1 + %s", [1]) == 2
assert connection.pool.execute("select 3").fetchall() == [(3,)]
connection.close_pool()
# The next request makes another.
assert Item.objects.count() == 1
connection.close()
connection.close_pool()
""",
        pool={"min_size": 1, "max_size": 1},
        isolation_level=2,
    )


def test_an_exhausted_pool_is_an_error_of_djangos(run: Run) -> None:
    printed = run(
        """
        import threading

        from django.db import OperationalError, connection

        connection.ensure_connection()

        def ask():
            try:
                connection.ensure_connection()
            except OperationalError as error:
                print(type(error.__cause__).__name__, error)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        connection.close()
        connection.close_pool()
        """,
        pool={"min_size": 0, "max_size": 1, "timeout": 0.1},
    )
    assert printed.startswith("PoolTimeout no connection within 0.1 s: pool 'django-default'")


def test_a_time_zone_that_changes(run: Run) -> None:
    run(
        """
        from django.db import connection
        from django.test import override_settings

        def zone():
            with connection.cursor() as cursor:
                cursor.execute("show timezone")
                return cursor.fetchone()[0]

        import time
        began = time.monotonic()
        assert zone() == "UTC"
        connection.close()
        with override_settings(TIME_ZONE="Africa/Nairobi", USE_TZ=False):
            assert zone() == "Africa/Nairobi"
            connection.close()
            assert zone() == "Africa/Nairobi"
        assert zone() == "UTC"
        connection.close()
        assert zone() == "UTC"
        # A lent connection is no reason to wait.
        assert time.monotonic() - began < 4
        connection.close()
        connection.close_pool()
        """,
        pool=True,
    )


def test_tests_have_a_database_of_their_own(run: Run) -> None:
    run(
        """
        from django.db import connection
        from django.test.utils import setup_databases, teardown_databases
        from warehouse.models import Item

        def name():
            with connection.cursor() as cursor:
                cursor.execute("select current_database()")
                return cursor.fetchone()[0]

        # The pool of the real one is open.
        assert name() == "shop"
        kept = setup_databases(0, False)
        assert name() == "test_shop"
        connection.close()
        assert name() == "test_shop"
        Item.objects.create(name="tea")
        connection.creation.clone_test_db("1", verbosity=0)
        connection.close()
        assert Item.objects.count() == 1
        connection.creation.destroy_test_db(suffix="1", verbosity=0)
        teardown_databases(kept, 0)
        assert name() == "shop"
        connection.close()
        connection.close_pool()
        """,
        pool={"min_size": 2},
    )


def test_what_is_no_pool_is_refused(run: Run) -> None:
    printed = run(
        """
        from django.core.exceptions import ImproperlyConfigured
        from django.db import connection

        for age, pool in [
            (5, True),
            (None, True),
            (0, "yes"),
            (0, {"size": 4}),
            (0, {"min_size": 4, "max_size": 2}),
            (0, {"kwargs": {}}),
        ]:
            connection.settings_dict["CONN_MAX_AGE"] = age
            connection.settings_dict["OPTIONS"]["pool"] = pool
            try:
                connection.ensure_connection()
            except ImproperlyConfigured as error:
                print(error)
        connection.settings_dict["OPTIONS"] = {"pool": True, "connection_factory": print}
        try:
            connection.ensure_connection()
        except ImproperlyConfigured as error:
            print(error)
        """
    )
    messages = [
        "both a pool and CONN_MAX_AGE",
        "both a pool and CONN_MAX_AGE",
        "True or a dict of arguments, not 'yes'",
        "unexpected keyword argument 'size'",
        "max_size must be at least min_size",
        "multiple values for argument 'kwargs'",
        "both a pool and a connection_factory",
    ]
    lines = printed.splitlines()
    assert len(lines) == len(messages), printed
    for line, message in zip(lines, messages):
        assert "DATABASES['default']" in line and message in line


def test_options_are_functions(run: Run) -> None:
    """`reset` runs in autocommit mode, and a password is asked for at each connection."""
    run(
        """
        import logging, os

        from django.db import connection

        # That a transaction is rolled back.
        logging.disable(logging.WARNING)
        given = []

        def password():
            given.append(1)
            return os.environ["PGPASSWORD"]

        def reset(conn):
            assert conn.autocommit
            with conn.cursor() as cursor:
                cursor.execute("reset application_name")

        connection.settings_dict["PASSWORD"] = ""
        connection.settings_dict["OPTIONS"] = {
            "password": password,
            "pool": {"min_size": 1, "max_size": 1, "reset": reset},
        }
        pids = set()
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("show application_name")
                assert cursor.fetchone() == ("",)
                cursor.execute("set application_name = 'mine'")
            pids.add(connection.connection.info.backend_pid)
            connection.close()
        assert len(pids) == 1 and given
        # Given back in a transaction: rolled back, and then reset.
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            cursor.execute("set application_name = 'mine'")
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("show application_name")
            assert cursor.fetchone() == ("",)
        assert connection.connection.info.backend_pid in pids
        connection.close()
        connection.close_pool()
        """
    )


def test_health_checks(run: Run) -> None:
    run(
        """
        from django.db import connection

        asked = []
        pool = connection.pool
        assert pool._settings.check is type(pool).check_connection
        connection.close_pool()
        connection.settings_dict["OPTIONS"]["pool"] = {"check": asked.append, "min_size": 1}
        for number in (1, 2):
            connection.ensure_connection()
            assert connection.connection in asked[-1:] or number == 1
            connection.close()
        connection.close_pool()
        """,
        pool=True,
        database={"CONN_HEALTH_CHECKS": True},
    )
