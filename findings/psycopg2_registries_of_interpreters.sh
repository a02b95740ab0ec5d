#!/bin/sh
# psycopg2 has one set of adapters, typecasters and exceptions for all interpreters of a process.
#
# Seen: psycopg2 2.9.13, CPython 3.11, November 2026.
#
# mod_wsgi runs each application in an interpreter of its own, so that one application's changes to its
# modules do not reach the next. Each can import psycopg2; but its module is copied from the first import,
# and the registries with it: the adapter or typecaster that was registered last is used by every
# application, and calls functions in the interpreter of the one that registered it. One
# would think that register_adapter() holds for the program that called it.
set -eu
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
"${PYTHON:-python3}" -m venv "$FOLDER/venv"
"$FOLDER/venv/bin/pip" install -q --disable-pip-version-check psycopg2-binary==2.9.13
"$FOLDER/venv/bin/python" - <<'PYTHON'
import os
import sys

if sys.version_info >= (3, 13):
    import _interpreters as interpreters
else:
    import _xxsubinterpreters as interpreters

import psycopg2
from psycopg2 import extensions

extensions.register_adapter(complex, lambda value: extensions.AsIs("'of the first'"))
extensions.register_type(extensions.new_type((99999,), "FIRST", lambda text, cur: text))

SECOND = """
from psycopg2 import extensions

print("the second adapts:", extensions.adapt(1j).getquoted())
print("the second knows the type:", 99999 in extensions.string_types)
extensions.register_adapter(complex, lambda value: extensions.AsIs("'of the second'"))
"""
legacy = ("legacy",) if sys.version_info >= (3, 13) else ()
second = interpreters.create(*legacy)
failed = interpreters.run_string(second, SECOND)
assert not failed, failed
adapted = extensions.adapt(1j).getquoted()
print("the first adapts:", adapted)
assert adapted == b"'of the second'", "this has changed"
sys.stdout.flush()
# The second interpreter is left as it is: its objects are in the registry.
os._exit(0)
PYTHON
