"""What `import psycoxide` loads, and what it leaves until it is asked for: each in a process."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import psycoxide.extras


def run(source):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_import_loads_the_package_and_its_native_module_only():
    lines = run(
        """
        import sys
        before = set(sys.modules)
        import psycoxide
        print(*sorted(set(sys.modules) - before))
        """
    )
    assert lines == ["psycoxide psycoxide._psycopg"]


def test_names_that_come_late_are_there_all_the_same():
    run(
        """
        import psycoxide
        names = dir(psycoxide)
        assert {"Error", "Warning", "NotSupportedError", "extensions", "errors"} < set(names)
        assert {"_ext", "_json", "_range", "connect", "__getattr__"} < set(names)
        assert len(names) == len(set(names)) and all(hasattr(psycoxide, name) for name in names)
        assert psycoxide._ext is psycoxide.extensions
        assert {*vars(psycoxide)} <= {*names, "_exceptions", "_catalog", "_generic"}
        """
    )


@pytest.mark.parametrize(
    "name", ["errorcodes", "errors", "extensions", "extras", "pool", "sql", "tz"]
)
@pytest.mark.parametrize("alias", [False, True])
def test_a_module_is_there_without_an_import_of_its_own(name, alias):
    run(
        f"""
        import sys
        import psycoxide as driver

        if {alias}:
            driver.install_as_psycopg2()
            import psycopg2 as driver
        assert "psycoxide.{name}" not in sys.modules or {alias}
        module = driver.{name}
        import psycoxide.{name}
        assert module is psycoxide.{name} is driver.{name} is sys.modules["psycoxide.{name}"]
        if {alias}:
            assert sys.modules["psycopg2.{name}"] is module
        """
    )


def test_there_is_no_module_of_another_name():
    run(
        """
        import psycoxide

        assert not hasattr(psycoxide, "nothing") and not hasattr(psycoxide, "_ipaddress")
        """
    )


def test_a_star_gives_them_too():
    lines = run(
        """
        from psycoxide import *
        print(*sorted(name for name in globals() if not name.startswith("_")))
        print(Error.__module__, issubclass(OperationalError, DatabaseError), extensions.__name__)
        """
    )
    assert lines[0].split() == sorted(
        "BINARY Binary DATETIME DataError DatabaseError Date DateFromTicks Error IntegrityError "
        "InterfaceError InternalError NUMBER NotSupportedError OperationalError ProgrammingError "
        "ROWID STRING Time TimeFromTicks Timestamp TimestampFromTicks Warning apilevel connect "
        "errors extensions install_as_psycopg2 paramstyle threadsafety".split()
    )
    assert lines[1] == "psycoxide True psycoxide.extensions"


def names_for_type_checkers(module):
    """What a module imports for type checkers only, with where it is from."""
    tree = ast.parse(Path(module.__file__).read_text())
    block = next(n for n in tree.body if isinstance(n, ast.If) and n.test.id == "TYPE_CHECKING")
    return {
        alias.asname: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }


def test_extras_gives_what_it_says_to_type_checkers():
    names = names_for_type_checkers(psycoxide.extras)
    assert len(names) > 60
    assert {*names, "json"} == {*psycoxide.extras._ORIGINS, *psycoxide.extras._OTHERS}
    for name, (module, original) in names.items():
        found = getattr(psycoxide.extras, name)
        room = sys.modules[module]
        assert found is (getattr(room, original)), name


def test_extras_loads_what_is_asked_for():
    lines = run(
        """
        import sys
        import psycoxide.extras
        print(*sorted(name for name in sys.modules if name.startswith("psycoxide.")))
        from psycoxide.extras import execute_values
        print(*sorted(name for name in sys.modules if name.startswith("psycoxide.extras.")))
        rows = psycoxide.extras.DictCursor
        print(rows.__module__, vars(psycoxide.extras)["RealDictRow"].__module__)
        """
    )
    assert lines == [
        "psycoxide._psycopg psycoxide.extras",
        "psycoxide.extras.batch",
        "psycoxide.extras psycoxide.extras",
    ]


def test_a_star_of_extras_gives_all():
    lines = run(
        """
        from psycoxide.extras import *
        print(len([name for name in globals() if not name.startswith("_")]) > 50)
        print(DictCursor.__name__, register_uuid.__name__, json.__name__, NumericRange(1, 2))
        """
    )
    assert lines == ["True", "DictCursor register_uuid json [1, 2)"]


def test_what_a_program_puts_in_a_name_s_place_stays():
    lines = run(
        """
        import psycoxide.extras
        psycoxide.extras.execute_batch = psycoxide.Error = "mine"
        psycoxide.extras.execute_values, psycoxide.DatabaseError
        print(psycoxide.extras.execute_batch, psycoxide.Error)
        """
    )
    assert lines == ["mine mine"]


@pytest.mark.parametrize(
    "module", ["psycoxide", "psycoxide._psycopg", "psycoxide.extensions", "psycoxide.extras"]
)
def test_a_name_that_there_is_not(module):
    lines = run(
        f"""
        import importlib
        module = importlib.import_module("{module}")
        try:
            module.nonsense
        except AttributeError as error:
            print(error)
        print(hasattr(module, "__path__x"), hasattr(module, "\\udc80"), hasattr(module, ""))
        """
    )
    assert lines == [f"module '{module}' has no attribute 'nonsense'", "False False False"]


def test_the_native_module_has_the_exceptions_without_its_package():
    lines = run(
        """
        from psycoxide import _psycopg
        print("Error" in vars(_psycopg), "Error" in dir(_psycopg), "adapters" in dir(_psycopg))
        print(_psycopg.Error is _psycopg.Error, "Error" in vars(_psycopg))
        print(_psycopg.Diagnostics, _psycopg.TransactionRollbackError.__mro__[1].__name__)
        """
    )
    assert lines == [
        "False True True",
        "True True",
        "<class 'psycoxide.extensions.Diagnostics'> OperationalError",
    ]


def test_connections_have_the_exceptions():
    lines = run(
        """
        from psycoxide import _psycopg
        class Connection(_psycopg.connection):
            def __init__(self): pass
        conn = Connection()
        names = [name for name in dir(conn) if name.istitle() or name.endswith("Error")]
        import psycoxide
        print(*names)
        print(all(getattr(conn, name) is getattr(psycoxide, name) for name in names))
        try:
            conn.Error = 1
        except AttributeError:
            print("fixed")
        """
    )
    assert lines == [
        "DataError DatabaseError Error IntegrityError InterfaceError InternalError "
        "NotSupportedError OperationalError ProgrammingError Warning",
        "True",
        "fixed",
    ]


def test_the_first_error_of_a_process():
    lines = run(
        """
        import psycoxide
        try:
            psycoxide.connect("nonsense=1")
        except psycoxide.ProgrammingError as error:
            print(error)
        """
    )
    assert lines == ['invalid dsn: invalid connection option "nonsense"', ""]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("datetime.datetime(2024, 5, 17)", "'2024-05-17T00:00:00'::timestamp"),
        ("decimal.Decimal('1.50')", "1.50"),
        ("[1, 'a', None]", "ARRAY[1,'a',NULL]"),
        ("(1, 2)", "(1, 2)"),
        (r"b'\x01'", r"'\x01'::bytea"),
        ("datetime.timedelta(1)", "'1 days 0.000000 seconds'::interval"),
        ("None", "NULL"),
        ("True", "true"),
    ],
)
def test_the_first_parameter_of_a_process(value, text):
    lines = run(
        f"""
        import datetime, decimal
        from psycoxide._psycopg import _mogrify
        print(_mogrify(b"%s %s", ("it's", 1)).decode())
        print(_mogrify(b"%s %s %s", (1, {value}, 1.5)).decode())
        print(_mogrify(b"%s %s %s", (1, {value}, 1.5)).decode())
        """
    )
    assert lines == ["'it''s' 1", f"1 {text} 1.5", f"1 {text} 1.5"]


@pytest.mark.parametrize("before", ["", "_mogrify(b'%s', (1,))", "_mogrify(b'%s', ([1],))"])
@pytest.mark.parametrize("kind", ["int", "Decimal", "date"])
def test_an_adapter_of_the_program_holds_whenever_it_is_registered(before, kind):
    lines = run(
        f"""
        from datetime import date
        from decimal import Decimal
        from psycoxide._psycopg import _mogrify
        {before}
        from psycoxide.extensions import AsIs, register_adapter
        value = dict(int=7, Decimal=Decimal(7), date=date(2024, 5, 17))["{kind}"]
        register_adapter(type(value), lambda value: AsIs("mine"))
        print(_mogrify(b"%s", (value,)).decode(), _mogrify(b"%s", ([value],)).decode())
        """
    )
    assert lines == ["mine ARRAY[mine]"]


def test_a_pair_that_the_program_takes_out_stays_out():
    lines = run(
        """
        from decimal import Decimal
        from psycoxide._psycopg import _mogrify
        from psycoxide.extensions import ISQLQuote, adapters
        del adapters[Decimal, ISQLQuote]
        try:
            _mogrify(b"%s", (Decimal(1),))
        except Exception as error:
            print(error)
        """
    )
    assert lines == ["can't adapt type 'decimal.Decimal'"]


def test_the_typecasters_of_ranges_and_json_are_one_with_those_registered():
    run(
        """
        import psycoxide
        from psycoxide._psycopg import string_types
        mine = psycoxide._psycopg.new_type((3904, 114), "MINE", lambda value, cursor: value)
        before = dict(string_types)
        psycoxide._psycopg.register_type(mine)
        from psycoxide import _json, _range, extensions
        # What the program has registered is left alone by modules that come later.
        assert string_types[3904] is string_types[114] is mine
        assert _range.int4range_caster.typecaster is before[3904]
        assert _range.tstzrange_caster.array_typecaster is before[3911]
        assert extensions.JSON is _json.JSON is before[114]
        assert _json.JSONBARRAY is before[3807]
        # And cast, though they know how only now.
        assert before[3904]("[1,5)", None) == _range.NumericRange("1", "5")
        assert before[3913]('{"[2024-01-01,)",NULL}', None)[0].lower == "2024-01-01"
        assert before[3904](None, None) is None
        """
    )


@pytest.mark.parametrize(
    ("caster", "text", "value"),
    [
        ("DATE", "2024-05-17", "datetime.date(2024, 5, 17)"),
        ("PYTIME", "12:00:00+02", "datetime.time(12, 0, tzinfo=datetime.timezone("),
        ("DATETIMETZ", "2024-05-17 12:00:00+00", "datetime.datetime(2024, 5, 17, 12, 0, tzinfo="),
        ("DATETIMETZARRAY", "{infinity}", "[datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, t"),
        ("INTERVALARRAY", "{1 day}", "[datetime.timedelta(days=1)]"),
        ("DECIMAL", "1.50", "Decimal('1.50')"),
        ("DECIMALARRAY", "{1.50}", "[Decimal('1.50')]"),
    ],
)
def test_the_first_value_of_a_process(caster, text, value):
    lines = run(
        f"""
        from psycoxide import _psycopg
        print(repr(_psycopg.{caster}("{text}", None)))
        """
    )
    assert lines[0].startswith(value)


def test_a_process_without_datetime():
    """What cannot be imported is an exception, and only for what needs it."""
    lines = run(
        """
        import sys
        sys.modules["datetime"] = None
        from psycoxide import _psycopg
        print(_psycopg.INTEGER("42", None), _psycopg._mogrify(b"%s", (42,)).decode())
        for caster in (_psycopg.DATE, _psycopg.DATEARRAY):
            try:
                caster("{2024-05-17}" if caster is _psycopg.DATEARRAY else "2024-05-17", None)
            except ImportError as error:
                print(error)
        """
    )
    reason = 'PyCapsule_Import could not import module "datetime"'
    if sys.version_info < (3, 11):
        reason = "import of datetime halted; None in sys.modules"
    assert lines == ["42 42", reason, reason]
