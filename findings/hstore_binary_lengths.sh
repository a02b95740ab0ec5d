#!/bin/sh
# hstore in binary counts bytes of the server's encoding, and sends those of the client's.
#
# Seen: PostgreSQL 18.6 with its hstore 1.8, psycopg 3.3.9, November 2026.
#
# Each key and value of an hstore in binary comes after its length. hstore_send writes the length that the
# text has on the server, and then the text as the client's encoding has it. With client_encoding UTF8 on
# a server in UTF8 both agree. With LATIN1 "é" is announced with two bytes and comes as one, so a reader
# that trusts the length takes the next field's bytes for this one's, or finds too few. As text, hstore is
# right in every encoding. Types that hold texts, arrays for example, count the bytes that they send.
set -eu
. "$(dirname "$0")/lib/throwaway_server.sh"
start_server "$(mktemp -d)" 'psycopg[binary]==3.3.9'
"$PYTHON" - <<'PYTHON'
import os
import struct

import psycopg

conn = psycopg.connect(os.environ["DSN"], autocommit=True)
conn.execute("create extension hstore")
seen = {}
for encoding in ("UTF8", "LATIN1"):
    conn.execute(f"set client_encoding to {encoding}")
    result = conn.pgconn.exec_params(b"select hstore('k', chr(233))", None, result_format=1)
    data = result.get_value(0, 0)
    (announced,) = struct.unpack_from("!i", data, 4 + 4 + 1)
    seen[encoding] = announced, len(data) - (4 + 4 + 1 + 4)
    array = conn.pgconn.exec_params(b"select array[chr(233)]", None, result_format=1).get_value(0, 0)
    (counted,) = struct.unpack_from("!i", array, 20)
    assert counted == len(array) - 24
for encoding, (announced, sent) in seen.items():
    print(f"{encoding:7} announced {announced}, sent {sent}")
assert seen == {"UTF8": (2, 2), "LATIN1": (2, 1)}, "this has changed"
PYTHON
