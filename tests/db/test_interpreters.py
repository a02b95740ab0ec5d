"""More than one interpreter in a process."""

from __future__ import annotations

import pytest

PROGRAM = """
import os
import sys

try:
    import _interpreters as interpreters  # 3.13 and later
except ImportError:
    import _xxsubinterpreters as interpreters

import psycoxide

ATTEMPT = '''
try:
    import {name}
except ImportError as error:
    assert "psycoxide" in str(error), error
    refused = str(error)
else:
    raise SystemExit("imported")
open({out!r}, "w").write(refused)
'''

out, config = sys.argv[1:]
other = interpreters.create(config) if sys.version_info >= (3, 13) else interpreters.create()
for name in ("psycoxide", "psycoxide._psycopg", "psycoxide.extras"):
    failed = interpreters.run_string(other, ATTEMPT.format(name=name, out=out))
    assert failed is None, failed
interpreters.destroy(other)
assert "interpreter" in open(out).read(), open(out).read()

conn = psycoxide.connect(os.environ["DSN"])
cur = conn.cursor()
cur.execute("select 1")
assert cur.fetchone() == (1,)
print("still works")
"""


@pytest.mark.parametrize("config", ["legacy", "isolated"])
def test_a_second_interpreter_is_refused(run_python, tmp_path, config):
    done = run_python(PROGRAM, str(tmp_path / "refused"), config)
    assert done.stdout == "still works\n"
