"""Snapshots that one transaction exports and others read on."""

from __future__ import annotations

from dataclasses import dataclass

from psycoxide import errors
from psycoxide._arrow.asking import Asking, Question
from psycoxide._arrow.descriptors import SETTINGS, Partition
from psycoxide._exceptions import DatabaseError, OperationalError

# The isolation without which a transaction cannot be given a snapshot.
ISOLATION = "repeatable read"

_SERVER = """\
pg_catalog.current_database() || '@'
    || extract(epoch from pg_catalog.pg_postmaster_start_time())::text"""

# The search path as it is now: `$user` may be another one where the parts are read.
_EXPORT = f"""\
select pg_catalog.pg_export_snapshot(), {_SERVER},
    coalesce((select pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ' order by at)
        from pg_catalog.unnest(pg_catalog.current_schemas(false)) with ordinality as p(s, at)), ''),
    {", ".join(f"pg_catalog.current_setting('{name}')" for name in SETTINGS[1:])}"""

# Someone who waits to change a table waits for the transaction with the snapshot, and is waited
# for by those who read it from then on: without a limit, for ever.
_LOCK_TIMEOUT = """\
case when pg_catalog.current_setting('lock_timeout') = '0'
    then pg_catalog.set_config('lock_timeout', '10s', true) end"""

_PREPARE = f"""\
select {_SERVER}, {_LOCK_TIMEOUT},
    pg_catalog.set_config('standard_conforming_strings', 'on', true),
    {", ".join(f"pg_catalog.set_config('{name}', %s, true)" for name in SETTINGS)}"""

# What a session is set to, apart from how it was opened.
_SESSION = """\
select s.name, s.setting from pg_catalog.pg_settings s
where s.source = 'session' and s.context in ('user', 'superuser')
    and s.name not like 'transaction%'
union all
select name, pg_catalog.current_setting(name) from (values ('session_authorization'), ('role'))
    as more(name)"""

_GONE = (
    errors.InvalidParameterValue,
    errors.UndefinedObject,
    errors.ObjectNotInPrerequisiteState,
    errors.FeatureNotSupported,
    errors.UndefinedFile,
)


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of a server, and how its session reads queries."""

    name: str
    server: str
    settings: dict[str, str]

    def partition(self, statement: str) -> Partition:
        """A part that is read on it."""
        return Partition(statement, self.name, self.server, self.settings)


def exported() -> Asking[Snapshot]:
    """The snapshot of this transaction, which lasts as long as that."""
    ((name, server, *settings),) = (yield Question(_EXPORT)).rows
    return Snapshot(name, server, dict(zip(SETTINGS, settings)))


def adopted(partition: Partition) -> Asking[None]:
    """Make the transaction, which has just begun, read on the snapshot of a part.

    Raises OperationalError if the snapshot is gone, or of another server.
    """
    try:
        yield Question(f"set transaction snapshot '{partition.snapshot}'")
    except _GONE as error:
        raise OperationalError(
            f"the snapshot {partition.snapshot} of this partition is gone, or of another database: "
            "it lasts as long as the transaction in which the query was divided, so that has to "
            f"stay open until all partitions are read ({str(error).strip()})"
        ) from error
    values = [partition.settings[name] for name in SETTINGS]
    answer = yield Question(_PREPARE, values)
    if answer.rows[0][0] != partition.server:
        raise OperationalError(
            "the partition is of another server, or of the time before it was restarted: connect "
            "to where the query was divided"
        )


def explained(error: DatabaseError) -> DatabaseError:
    """The error of a part that was read, with a reason where the server's says too little."""
    if not isinstance(error, errors.LockNotAvailable):
        return error
    return errors.LockNotAvailable(
        "somebody waits to change a table of this partition, and will wait until the transaction "
        f"in which it was divided has ended: read the partitions again ({str(error).strip()})"
    )


def session_settings() -> Asking[list[tuple[str, str]]]:
    """What the session has SET, in an order in which another one can be set to the same."""
    rows = (yield Question(_SESSION)).rows
    return [(name, value) for name, value in rows]


def restored(settings: list[tuple[str, str]]) -> Asking[None]:
    """SET all that another session has SET."""
    if settings:
        calls = ", ".join(["pg_catalog.set_config(%s, %s, false)"] * len(settings))
        yield Question(f"select {calls}", [text for setting in settings for text in setting])
