"""Module facts."""

for name in ("apilevel", "threadsafety", "paramstyle"):
    show(getattr(psycopg2, name))
for name in (
    "POLL_OK",
    "POLL_READ",
    "POLL_WRITE",
    "POLL_ERROR",
    "ISOLATION_LEVEL_AUTOCOMMIT",
    "ISOLATION_LEVEL_DEFAULT",
    "STATUS_READY",
    "STATUS_BEGIN",
    "STATUS_PREPARED",
    "TRANSACTION_STATUS_IDLE",
    "TRANSACTION_STATUS_UNKNOWN",
):
    show(getattr(extensions, name))
attempt(lambda: psycopg2.Date(2024, 1, 1))
attempt(lambda: psycopg2.Time(1, 2, 3))
attempt(lambda: str(psycopg2.Timestamp(2024, 1, 1, 1, 2, 3.5)))
attempt(lambda: str(psycopg2.DateFromTicks(0)))
attempt(lambda: str(psycopg2.Binary(b"x")))
attempt(lambda: psycopg2.Date(2024, 13, 1))
for name in ("STRING", "BINARY", "NUMBER", "DATETIME", "ROWID"):
    show(getattr(psycopg2, name).values)
    show(getattr(psycopg2, name).name)
for name in sorted(dir(extensions)):
    caster = getattr(extensions, name)
    if hasattr(caster, "values") and hasattr(caster, "name"):
        show((name, caster.name, caster.values))
show(sorted({*extensions.string_types} - {6437, 6442}))  # oid8, beyond psycopg2
kinds = [kind.__name__ for kind, _protocol in extensions.adapters if isinstance(kind, type)]
show(sorted(kind for kind in kinds if not kind.endswith("Multirange")))  # beyond psycopg2
show(sorted(extensions.encodings.items()))
