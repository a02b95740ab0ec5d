"""The generated modules: complete, fresh, and in agreement with one another."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from psycoxide import _psycopg, errorcodes, errors, extensions

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_files_are_fresh():
    tool = ROOT / "tools" / "generate_sqlstate.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_server_s_own_list_is_covered(pytestconfig):
    """Where a PostgreSQL is installed, every error condition that it knows is known here."""
    lists = sorted(Path("/usr/share/postgresql").glob("*/errcodes.txt"))
    if not lists:
        pytest.skip("no errcodes.txt on this machine")
    words = [line.split() for line in lists[-1].read_text().splitlines()]
    codes = {w[0] for w in words if len(w) == 4 and len(w[0]) == 5 and w[1] == "E"}
    assert codes
    assert codes - set(_psycopg.sqlstate_errors) == set()


@pytest.mark.parametrize(
    ("code", "name", "base"),
    [
        ("02000", "NoData", "DatabaseError"),
        ("08006", "ConnectionFailure", "OperationalError"),
        ("0A000", "FeatureNotSupported", "NotSupportedError"),
        ("21000", "CardinalityViolation", "ProgrammingError"),
        ("22P02", "InvalidTextRepresentation", "DataError"),
        ("23505", "UniqueViolation", "IntegrityError"),
        ("25P02", "InFailedSqlTransaction", "InternalError"),
        ("28P01", "InvalidPassword", "OperationalError"),
        ("38002", "ModifyingSqlDataNotPermittedExt", "InternalError"),
        ("3D000", "InvalidCatalogName", "ProgrammingError"),
        ("40P01", "DeadlockDetected", "TransactionRollbackError"),
        ("42P01", "UndefinedTable", "ProgrammingError"),
        ("57014", "QueryCanceled", "QueryCanceledError"),
        ("57P01", "AdminShutdown", "OperationalError"),
        ("72000", "SnapshotTooOld", "DatabaseError"),
        ("HV000", "FdwError", "OperationalError"),
        ("XX000", "InternalError_", "InternalError"),
    ],
)
def test_a_class_has_the_base_that_its_code_asks_for(code, name, base):
    cls = errors.lookup(code)
    assert cls is getattr(errors, name)
    assert cls.__name__ == name
    assert [parent.__name__ for parent in cls.__bases__] == [base]


def test_extensions_and_errors_share_the_special_classes():
    assert issubclass(errors.QueryCanceled, extensions.QueryCanceledError)
    assert issubclass(errors.SerializationFailure, extensions.TransactionRollbackError)


def test_every_error_class_has_a_constant():
    constants = {value for name, value in vars(errorcodes).items() if name.isupper()}
    assert set(_psycopg.sqlstate_errors) <= constants


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("42P01", "UNDEFINED_TABLE"),
        ("42", "CLASS_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION"),
        ("00000", "SUCCESSFUL_COMPLETION"),
        ("01004", "STRING_DATA_RIGHT_TRUNCATION"),
    ],
)
def test_lookup_names_a_code(code, name):
    assert errorcodes.lookup(code) == name


@pytest.mark.parametrize("lookup", [errorcodes.lookup, errors.lookup])
def test_an_unknown_code_is_a_key_error(lookup):
    with pytest.raises(KeyError, match="XXXXX"):
        lookup("XXXXX")


def test_threads_find_the_whole_table_or_none():
    """The first look-up makes the table; one that comes meanwhile must not see a part of it."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    failed = []

    def look() -> None:
        try:
            errorcodes.lookup("XX002")
        except KeyError as error:
            failed.append(error)

    try:
        for _ in range(300):
            errorcodes.lookup.__defaults__[0].clear()
            threads = [threading.Thread(target=look) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failed
