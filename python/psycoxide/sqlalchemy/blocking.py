"""The dialect for `create_engine()`, and what both dialects have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import util
from sqlalchemy.dialects.postgresql._psycopg_common import (
    _PGDialect_common_psycopg,
    _PGExecutionContext_common_psycopg,
)
from sqlalchemy.engine import URL

import psycoxide
from psycoxide import extensions
from psycoxide._exceptions import OperationTimeout
from psycoxide._psycopg import Channel
from psycoxide.sqlalchemy import session
from psycoxide.sqlalchemy.dbapi import BlockingModule
from psycoxide.sqlalchemy.types import COLSPECS

# Where SQLAlchemy's own dialects log the server's notices.
logger: logging.Logger = logging.getLogger("sqlalchemy.dialects.postgresql")

# Options of a URL that are numbers for the driver.
SECONDS = ("timeout", "command_timeout", "cancel_timeout")


class PsycoxideExecutionContext(_PGExecutionContext_common_psycopg):
    """A statement on its way."""

    def post_exec(self) -> None:
        connection: Any = self._dbapi_connection.dbapi_connection
        notices = connection.notices
        if notices:
            for notice in notices:
                logger.info(notice.rstrip())
            del notices[:]


class PsycoxideDialect(_PGDialect_common_psycopg):
    """`postgresql+psycoxide`: connections with the methods of psycopg2's."""

    driver = "psycoxide"
    supports_statement_cache = True
    supports_sane_multi_rowcount = True
    # Half the time of executemany(): a row costs the server less than a statement does.
    use_insertmanyvalues_wo_returning = True
    execution_ctx_cls: Any = PsycoxideExecutionContext
    colspecs: Any = util.update_copy(_PGDialect_common_psycopg.colspecs, COLSPECS)

    _hstore_oids: tuple[int, int] | None = None

    @classmethod
    def import_dbapi(cls) -> Any:
        return BlockingModule()

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> Any:
        from psycoxide.sqlalchemy.asynchronous import PsycoxideAsyncDialect

        return PsycoxideAsyncDialect

    @classmethod
    def load_provisioning(cls) -> None:
        import psycoxide.sqlalchemy.provision  # noqa: F401

    # ---- connecting -----------------------------------------------------------------------------

    def create_connect_args(self, url: URL) -> Any:
        arguments, options = super().create_connect_args(url)  # type: ignore[no-untyped-call]
        for name in SECONDS:
            if name in options:
                options[name] = float(options[name])
        if self.client_encoding is not None:
            options["client_encoding"] = self.client_encoding
        return arguments, options

    def on_connect(self) -> Callable[[Any], None]:
        return lambda dbapi_connection: self._set_up(self._native(dbapi_connection))

    def _set_up(self, native: Any) -> None:
        """Register what this engine reads in its own way."""
        session.register_arrays(native)
        if self._json_deserializer:
            session.register_json(native, self._json_deserializer)
        if self._native_inet_types is False:
            session.register_networks_as_text(native)
        if self._hstore_oids is not None:
            session.register_hstore(native, self._hstore_oids)

    def initialize(self, connection: Any) -> None:
        dbapi_connection = connection.connection.dbapi_connection
        try:
            super().initialize(connection)  # type: ignore[no-untyped-call]
            if self.use_native_hstore:
                self._find_hstore(connection, self._native(dbapi_connection))
        except BaseException as raised:
            # A cancelled task, for one. Older versions of SQLAlchemy do not close the connection.
            if not isinstance(raised, Exception):
                self.do_terminate(dbapi_connection)  # type: ignore[no-untyped-call]
            raise

    def _find_hstore(self, connection: Any, native: Any) -> None:
        """Ask for the type's OIDs, once for an engine: later connections know them."""
        found = connection.exec_driver_sql(session.HSTORE_OIDS).first()
        self._has_native_hstore = found is not None
        if found is not None:
            self._hstore_oids = tuple(found)
            session.register_hstore(native, self._hstore_oids)

    def _native(self, dbapi_connection: Any) -> Any:
        """The connection of the driver's native module."""
        return dbapi_connection

    # ---- sessions -------------------------------------------------------------------------------

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        native = self._native(dbapi_connection)
        native.autocommit = level == "AUTOCOMMIT"
        if level != "AUTOCOMMIT":
            native.isolation_level = level

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        was_idle = self._twophase_idle_check(dbapi_connection)
        level = super().get_isolation_level(dbapi_connection)  # type: ignore[no-untyped-call]
        if was_idle:
            # The question began a transaction.
            dbapi_connection.rollback()
        return level

    def set_readonly(self, connection: Any, value: bool) -> None:
        self._native(connection).readonly = value

    def get_readonly(self, connection: Any) -> Any:
        return self._native(connection).readonly

    def set_deferrable(self, connection: Any, value: bool) -> None:
        self._native(connection).deferrable = value

    def get_deferrable(self, connection: Any) -> Any:
        return self._native(connection).deferrable

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Ask the server for an answer, without a statement: none is logged, nothing begins."""
        if not isinstance(dbapi_connection, extensions.connection):
            # A program's own wrapper: what it does counts.
            return bool(super().do_ping(dbapi_connection))  # type: ignore[no-untyped-call]
        self._ping(dbapi_connection)
        return True

    def _ping(self, dbapi_connection: Any) -> None:
        channel = Channel.over(dbapi_connection)
        try:
            channel.ping(session.ping_timeout(channel))
        except OperationTimeout:
            # Only now the pool knows it for lost.
            dbapi_connection.close()
            raise

    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:
        """The connection knows, whatever the error says."""
        if connection is None or not isinstance(e, psycoxide.Error):
            return False
        # A pool hands out proxies.
        dbapi_connection = getattr(connection, "dbapi_connection", connection)
        return dbapi_connection is None or bool(self._native(dbapi_connection).closed)

    def _twophase_idle_check(self, dbapi_conn: Any) -> bool:
        return bool(self._native(dbapi_conn).status == extensions.STATUS_READY)
