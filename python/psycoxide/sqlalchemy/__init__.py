"""SQLAlchemy's dialects for psycoxide: `postgresql+psycoxide`, blocking and asynchronous.

    from sqlalchemy import create_engine
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_engine("postgresql+psycoxide://user:password@host/database")
    engine = create_async_engine("postgresql+psycoxide://user:password@host/database")

SQLAlchemy finds them by itself, and chooses by the function that makes the engine. This package is
not imported by `import psycoxide`; it needs SQLAlchemy 2.0 or 2.1.
"""

from psycoxide.sqlalchemy.asynchronous import PsycoxideAsyncDialect
from psycoxide.sqlalchemy.blocking import PsycoxideDialect
from psycoxide.sqlalchemy.dbapi import connect

__all__ = ["PsycoxideAsyncDialect", "PsycoxideDialect", "connect"]
