"""The dialect for `create_async_engine()`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from psycoxide.aio import AsyncConnection, OperationTimeout
from psycoxide.sqlalchemy.adapted import AdaptedAsyncConnection
from psycoxide.sqlalchemy.blocking import PsycoxideDialect, PsycoxideExecutionContext
from psycoxide.sqlalchemy.dbapi import Module


class AsyncModule(Module):
    """What the asynchronous dialect connects with."""

    def connect(self, *arguments: Any, **options: Any) -> AdaptedAsyncConnection:
        creator = options.pop("async_creator_fn", None)
        if creator is None:
            creator = AsyncConnection.connect
            # SQLAlchemy writes SQL for drivers that merge: it leaves out casts.
            options.setdefault("binding", "client")
        return AdaptedAsyncConnection(self, await_only(creator(*arguments, **options)))


class PsycoxideAsyncExecutionContext(PsycoxideExecutionContext):
    """A statement on its way."""

    def create_server_side_cursor(self) -> Any:
        if self.execution_options.get("psycoxide_stream"):
            return self._dbapi_connection.streaming_cursor()
        return super().create_server_side_cursor()  # type: ignore[no-untyped-call]


class PsycoxideAsyncDialect(PsycoxideDialect):
    """`postgresql+psycoxide` on asyncio: connections of `psycoxide.aio`."""

    is_async = True
    has_terminate = True
    supports_statement_cache = True
    execution_ctx_cls: Any = PsycoxideAsyncExecutionContext

    @classmethod
    def import_dbapi(cls) -> Any:
        return AsyncModule()

    @classmethod
    def get_pool_class(cls, url: URL) -> type[AsyncAdaptedQueuePool]:
        return AsyncAdaptedQueuePool

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.terminate()

    def get_driver_connection(self, connection: Any) -> Any:
        return connection.driver_connection

    def _native(self, dbapi_connection: Any) -> Any:
        return dbapi_connection.native

    def do_ping(self, dbapi_connection: Any) -> bool:
        try:
            dbapi_connection.ping()
        except OperationTimeout:
            # Only now the pool knows it for lost.
            dbapi_connection.terminate()
            raise
        return True
