#!/bin/sh
# Under IntervalStyle "sql_standard", psycopg2 stores negative timedeltas wrongly.
#
# Seen: PostgreSQL 18.6, psycopg2 2.9.13, psycopg 3.3.9, November 2026.
#
# Python keeps a negative timedelta as negative days and positive seconds: -23 hours are -1 day and 3600
# seconds. psycopg2 writes just that, with a minus sign in front of the days and no sign in front of the
# seconds. The server reads it as meant, unless IntervalStyle is "sql_standard": then a leading minus sign
# counts for all fields without a sign of their own, as the SQL standard has it, and -25 hours are stored.
# The setting is for the output, one would think. psycopg 3 writes signs by the session's style, and sends what was meant.
set -eu
. "$(dirname "$0")/lib/throwaway_server.sh"
start_server "$(mktemp -d)" psycopg2-binary==2.9.13 'psycopg[binary]==3.3.9'
"$PYTHON" - <<'PYTHON'
import datetime
import os

import psycopg
import psycopg2

DSN = os.environ["DSN"]
DELTA = datetime.timedelta(hours=-23)
seen = {}
for driver in (psycopg2, psycopg):
    for style in ("postgres", "sql_standard"):
        conn = driver.connect(DSN)
        cur = conn.cursor()
        cur.execute(f"set intervalstyle to {style}")
        cur.execute("select extract(epoch from %s)", (DELTA,))
        seen[driver.__name__, style] = int(cur.fetchone()[0]) / 3600
        conn.close()
for (name, style), hours in seen.items():
    print(f"{name:9} {style:13} {hours:+.0f} hours")
assert seen == {
    ("psycopg2", "postgres"): -23,
    ("psycopg2", "sql_standard"): -25,
    ("psycopg", "postgres"): -23,
    ("psycopg", "sql_standard"): -23,
}, "this has changed"
PYTHON
