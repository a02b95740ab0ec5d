"""A plugin of pytest: SQLAlchemy's suites on psycoxide's own dialects.

The dialects are registered here, as the driver is a folder without entry points. Tests that are for
a driver by its name are for ours, too: for psycopg2 or, on asyncio, for psycopg.
"""

import sys

DIALECTS = {
    "psycoxide": "PsycoxideDialect",
    "psycoxide_async": "PsycoxideAsyncDialect",
}


# Not earlier: SQLAlchemy must not be imported before its own plugin is.
def pytest_configure(config):
    from sqlalchemy.dialects import registry
    from sqlalchemy.testing import exclusions

    for name, dialect in DIALECTS.items():
        registry.register(f"postgresql.{name}", "psycoxide.sqlalchemy", dialect)
    matches = exclusions.SpecPredicate.__call__

    def matches_peer(self, config):
        return matches(self, config) or (config is not None and matches(self, Peer(config.db)))

    exclusions.SpecPredicate.__call__ = matches_peer


def pytest_collection_modifyitems():
    """A test asks whether a cursor is one on the server; it knows how, for the drivers it knows."""
    suite = sys.modules.get("sqlalchemy.testing.suite")
    if suite is None:
        return
    ServerSideCursorsTest = suite.ServerSideCursorsTest
    asks = ServerSideCursorsTest._is_server_side

    def asks_ours(self, cursor):
        if self.engine.dialect.driver == "psycoxide":
            return bool(getattr(cursor, "name", None))
        return asks(self, cursor)

    ServerSideCursorsTest._is_server_side = asks_ours


class Peer:
    """A configuration of tests whose driver has the name of its peer."""

    def __init__(self, engine):
        self.db = self
        self.name = engine.name
        self.dialect = engine.dialect
        self.driver = engine.driver
        if engine.driver == "psycoxide":
            self.driver = "psycopg" if engine.dialect.is_async else "psycopg2"
        self.connect = engine.connect
