"""Standing in for psycopg2: each program in an interpreter of its own."""

import os
import subprocess
import sys
import textwrap

import pytest

import psycoxide


def run(source, *options, env=None):
    """The lines that a program prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(source)],
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


INSTALL = "import psycoxide; psycoxide.install_as_psycopg2()\n"


def test_the_modules_are_the_same_objects():
    run(
        INSTALL
        + """
        import sys
        import psycopg2, psycopg2.extras, psycopg2.pool
        from psycopg2 import sql, tz
        from psycopg2.errors import UniqueViolation
        import psycoxide.extras, psycoxide.sql
        assert psycopg2 is psycoxide
        assert psycopg2.extras is psycoxide.extras is sys.modules["psycopg2.extras"]
        assert sql is psycoxide.sql
        assert UniqueViolation is psycoxide.errors.UniqueViolation
        assert sys.modules["psycopg2._psycopg"] is psycoxide._psycopg
        """.replace("\n        ", "\n")
    )


@pytest.mark.parametrize("early", ["", "import psycoxide.extras, psycoxide.sql\n"])
def test_the_classes_report_psycopg2_s_modules(early):
    assert run(
        early
        + INSTALL
        + """
from psycopg2 import errors, extensions, extras, sql
import psycopg2._range
for found in (psycopg2.Error, errors.UniqueViolation, extensions.connection,
              extensions.QueryCanceledError, extras.DictRow, extras.Range, extras.Json, sql.SQL,
              extras.execute_values, extras.NamedTupleCursor._cached_make_nt(("a",))):
    print(found.__module__)
"""
    ) == [
        "psycopg2",
        "psycopg2.errors",
        "psycopg2.extensions",
        "psycopg2.extensions",
        "psycopg2.extras",
        "psycopg2._range",
        "psycopg2._json",
        "psycopg2.sql",
        "psycopg2.extras",
        "psycopg2.extras",
    ]


def test_pickles_name_psycopg2_and_can_be_read_again():
    run(
        INSTALL
        + """
import pickle
from psycopg2 import errors, extras
for value in (errors.UniqueViolation("x"), extras.NumericRange(1, 2), extras.RealDictRow(a=1)):
    pickled = pickle.dumps(value)
    assert b"psycopg2" in pickled and b"psycoxide" not in pickled
    assert repr(pickle.loads(pickled)) == repr(value)
"""
    )


def test_installing_twice_does_nothing():
    assert run(
        INSTALL * 2
        + "import sys; print(sum('_alias' in type(f).__module__ for f in sys.meta_path))"
    ) == ["1"]


def test_a_module_that_psycopg2_lacks_is_not_found():
    assert run(
        INSTALL
        + """
import importlib.util
for name in ("psycopg2.nonsense", "psycopg2.extras.nonsense", "psycopg2.sql.nonsense"):
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error.name)
assert importlib.util.find_spec("psycopg2.nonsense") is None
"""
    ) == ["psycopg2.nonsense", "psycopg2.extras.nonsense", "psycopg2.sql.nonsense"]


def test_the_real_one_is_not_replaced():
    assert run(
        """
import sys, types
sys.modules["psycopg2"] = types.ModuleType("psycopg2")
import psycoxide
try:
    psycoxide.install_as_psycopg2()
except RuntimeError as error:
    print(error)
"""
    ) == [
        "psycopg2 has been imported already, from an unknown place: "
        "call install_as_psycopg2() before anything imports it"
    ]


def test_it_is_imported_when_it_is_asked_for():
    """Through the import system, where hooks see it."""
    assert run(
        INSTALL
        + """
import sys
print(sum(name.startswith("psycopg2") for name in sys.modules))
print(psycoxide.__name__, psycoxide.Error.__module__)
import psycopg2
print(psycoxide.__name__, psycoxide.Error.__module__)
"""
    ) == ["0", "psycoxide psycoxide", "psycopg2 psycopg2"]


def test_nothing_is_aliased_unasked():
    assert psycoxide.Error.__module__ == "psycoxide"
    assert "psycopg2.errors" not in {
        c.__module__ for c in vars(psycoxide.errors).values() if isinstance(c, type)
    }


def test_importing_the_package_leaves_heavy_modules_alone():
    """Import time is paid by every process."""
    heavy = "argparse asyncio contextlib inspect ipaddress json logging re subprocess typing uuid"
    program = f"""
import sys
before = set(sys.modules)
import psycoxide
print(*(set(sys.modules) - before) & set({heavy.split()}))
"""
    assert run(program) == [""]


@pytest.mark.parametrize("early", ["", "import psycoxide.extras, psycoxide.sql\n"])
def test_the_modules_report_psycopg2_s_names(early):
    """As SQLAlchemy expects: an exception's class is from where the driver's module is."""
    assert run(
        early
        + INSTALL
        + """
import importlib, sys
import psycopg2, psycopg2.extras, psycopg2.pool, psycopg2.errors
from psycoxide import sql, tz
for module in (psycopg2, psycopg2.extras, psycopg2.pool, psycopg2._psycopg, sql, tz):
    print(module.__name__, sys.modules[module.__name__] is module)
assert psycopg2.errors.SyntaxError.__module__.startswith(psycopg2.__name__)
assert importlib.reload(psycopg2.tz) is tz
assert psycopg2.__spec__.name == "psycopg2"
"""
    ) == [
        "psycopg2 True",
        "psycopg2.extras True",
        "psycopg2.pool True",
        "psycopg2._psycopg True",
        "psycopg2.sql True",
        "psycopg2.tz True",
    ]
