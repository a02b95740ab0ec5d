"""Settings for Django's tests with `psycoxide.django`: no driver has psycopg2's name."""

import sys

import psycoxide_django
from psycoxide_django import *  # noqa: F403

DATABASES = {
    alias: {**database, "ENGINE": "psycoxide.django"}
    for alias, database in psycoxide_django.DATABASES.items()
}
TEST_RUNNER = "psycoxide_django_engine.Runner"


class Runner(psycoxide_django.Runner):
    """The runner, which ends if another driver than psycoxide is in use."""

    def run_suite(self, suite, **kwargs):
        from django.db import connections

        import psycoxide

        for connection in connections.all():
            assert connection.Database is psycoxide
        assert not {"psycopg", "psycopg2"} & set(sys.modules)
        return super().run_suite(suite, **kwargs)
