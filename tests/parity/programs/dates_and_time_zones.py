"""Dates at their limits, and what makes the time zones."""

import datetime as dt

import psycopg2.tz

conn = psycopg2.connect(dsn)
cur = conn.cursor()
cur.execute("set timezone to 'UTC'")
TEXTS = [
    "'infinity'::date",
    "'-infinity'::date",
    "'infinity'::timestamp",
    "'-infinity'::timestamptz",
    "'0044-03-15 BC'::date",
    "'0044-03-15 10:00 BC'::timestamp",
    "'10000-01-01'::date",
    "'294276-12-31 23:59:59'::timestamp",
    "'24:00'::time",
    "'24:00+01'::timetz",
    "'23:59:59.999999'::time",
    "'12:00+15:59'::timetz",
    "'12:00-15:59:59'::timetz",
    "'1900-01-01 12:00+00:19:32'::timestamptz",
    "'9999-12-31 23:59:59.999999'::timestamp",
    "'0001-01-01'::timestamp",
    "'2024-02-29'::date",
    "null::date",
    "'12:00:00.1'::time",
    "array['infinity']::int4[]",
    "array['2024-01-01', null]::date[]",
    "array['2024-01-01 10:00']::timestamptz[]",
    "array['24:00']::time[]",
]
for text in TEXTS:
    attempt(lambda: (cur.execute(f"select {text}"), cur.fetchone())[1])
    conn.rollback()
for zone in ("Europe/Amsterdam", "Asia/Kathmandu", "America/Caracas", "Africa/Monrovia"):
    cur.execute("set timezone to %s", (zone,))
    for moment in ("1850-06-01 12:00", "1921-01-01 12:00", "1937-06-01 12:00", "2024-06-01 12:00"):
        attempt(lambda: (cur.execute(f"select '{moment}'::timestamptz"), cur.fetchone())[1])
cur.execute("set timezone to 'Asia/Tokyo'")
for factory in (
    None,
    psycopg2.tz.FixedOffsetTimezone,
    lambda offset: dt.timezone(
        offset if isinstance(offset, dt.timedelta) else dt.timedelta(minutes=offset)
    ),
    lambda offset: psycopg2.tz.LocalTimezone(),
    lambda offset: 1 / 0,
    lambda offset: "no tzinfo",
    7,
):
    try:
        cur.tzinfo_factory = factory
    except Exception as error:
        show(type(error).__name__)
        continue
    attempt(lambda: (cur.execute("select '2024-01-01 10:00'::timestamptz"), cur.fetchone())[1])
    attempt(lambda: (cur.execute("select '10:00+02'::timetz"), cur.fetchone())[1])
    conn.rollback()


def changing(value, cursor):
    cursor.tzinfo_factory = psycopg2.tz.FixedOffsetTimezone
    return value


# A typecaster changes the factory for the value behind its own, in the same row.
caster = psycopg2.extensions.new_type((23,), "CHANGING", changing)
for fetch in ("fetchone", "fetchmany", "fetchall", "__next__"):
    cur = conn.cursor()
    psycopg2.extensions.register_type(caster, cur)
    cur.execute("select 1, '2024-01-01 10:00+00'::timestamptz")
    rows = getattr(cur, fetch)()
    show(fetch, [type(row[1].tzinfo).__name__ for row in ([rows] if len(rows) == 2 else rows)])
conn.close()
