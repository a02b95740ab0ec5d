"""A program of one file, made by PyInstaller, finds what is imported when it is first asked for."""

import importlib.util
import os
import shutil
import subprocess
import sysconfig

import pytest
from fixtures.environments import Environment

import psycoxide

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("PyInstaller") is None, reason="PyInstaller is not installed"
    ),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="PyInstaller wants objdump"),
    pytest.mark.skipif(
        not sysconfig.get_config_var("Py_ENABLE_SHARED"),
        reason="PyInstaller wants a Python with a shared library",
    ),
]

PROGRAM = """
import sys

WAY = sys.argv[1]
if WAY == "installed":
    import psycoxide
    psycoxide.install_as_psycopg2()
if WAY == "psycoxide":
    import psycoxide as driver
else:
    import psycopg2 as driver

conn = driver.connect(sys.argv[2])
curs = conn.cursor(cursor_factory=driver.extras.DictCursor)
curs.execute('''select now() as a, 1.5::numeric as b, '{"x": [1]}'::jsonb as c,
                int4range(1, 3) as d, date '2024-02-29' as e, array[interval '1 day'] as f''')
row = curs.fetchone()
assert row["b"] * 2 == 3 and row["c"] == {"x": [1]} and row["d"].upper == 3 and row["a"].tzinfo
driver.extras.register_uuid()
driver.extras.register_ipaddress()
curs.execute("select gen_random_uuid(), inet '127.0.0.1', %s, %s", (row["b"], row["d"]))
found = curs.fetchone()
curs.execute("select %s::text, %s::text", (found[0], found[1]))
assert curs.fetchone() == [str(found[0]), str(found[1])]
curs.execute(driver.sql.SQL("select {}").format(driver.sql.Literal([row["e"], None])))
assert curs.fetchone()[0] == [row["e"], None]
driver.extras.execute_values(curs, "select * from (values %s) t", [(1, "a"), (2, "b")])
assert curs.fetchall() == [[1, "a"], [2, "b"]]
try:
    curs.execute("select 1 / 0")
except driver.errors.DivisionByZero as error:
    assert driver.errorcodes.lookup(error.pgcode) == "DIVISION_BY_ZERO"
conn.close()
pool = driver.pool.ThreadedConnectionPool(1, 2, sys.argv[2])
named = pool.getconn().cursor("named", cursor_factory=driver.extras.NamedTupleCursor)
named.execute("select 1 as one")
assert named.fetchone().one == 1
driver.tz.FixedOffsetTimezone(60)

from importlib import metadata

# By names that PyInstaller does not see, as OpenTelemetry's instrumentation asks.
names = [] if WAY == "psycoxide" else ["psycopg2", "psycopg2-binary"]
print(driver.__name__, driver.extras.DictCursor.__module__, *map(metadata.version, names))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program, made where the shim is: with the hook that the package brings."""
    folder = tmp_path_factory.mktemp("frozen")
    environment = Environment(folder / "venv")
    # What else there is: PyInstaller, and the distribution psycoxide with its entry point.
    shutil.rmtree(next(environment.site.glob("psycoxide-*.dist-info")))
    (environment.site / "here.pth").write_text(
        (environment.site / "here.pth").read_text() + sysconfig.get_path("purelib") + "\n"
    )
    environment.shim("install")
    (environment.folder / "program.py").write_text(PROGRAM)
    environment.python("-m", "PyInstaller", "--onefile", "--noconfirm", "program.py")
    return environment.folder / "dist" / "program"


@pytest.mark.parametrize("way", ["psycoxide", "psycopg2", "installed"])
def test_a_program_of_one_file(program, dsn, tmp_path, way):
    done = subprocess.run(
        [program, way, dsn],
        env={"TMPDIR": str(tmp_path), "LANG": os.environ.get("LANG", "C.UTF-8")},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    name = "psycoxide" if way == "psycoxide" else "psycopg2"
    levels = [] if way == "psycoxide" else [psycoxide.__version__.split()[0]] * 2
    assert done.stdout.split() == [name, f"{name}.extras", *levels]


def test_libraries_that_the_program_does_not_use_are_not_in_it(program):
    # With pandas, pyarrow, Django and the like, which are installed here, it has ten times as much.
    assert program.stat().st_size < 60 * 2**20
