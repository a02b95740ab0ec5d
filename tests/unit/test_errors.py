"""The exceptions, and what they know of the server's report."""

import copy
import pickle

import pytest

import psycoxide
from psycoxide import errors, extensions

FIELDS = {
    "severity": "S",
    "severity_nonlocalized": "V",
    "sqlstate": "C",
    "message_primary": "M",
    "message_detail": "D",
    "message_hint": "H",
    "statement_position": "P",
    "internal_position": "p",
    "internal_query": "q",
    "context": "W",
    "schema_name": "s",
    "table_name": "t",
    "column_name": "c",
    "datatype_name": "d",
    "constraint_name": "n",
    "source_file": "F",
    "source_line": "L",
    "source_function": "R",
}


def reported(cls=errors.UniqueViolation, **fields):
    given = {"C": "23505", "M": "duplicate", **fields}
    return cls._from_report("duplicate\n", "ERROR:  duplicate\n", given["C"], given, "a cursor")


def test_the_tree_is_that_of_pep_249():
    parents = {
        psycoxide.Warning: Exception,
        psycoxide.Error: Exception,
        psycoxide.InterfaceError: psycoxide.Error,
        psycoxide.DatabaseError: psycoxide.Error,
        psycoxide.DataError: psycoxide.DatabaseError,
        psycoxide.OperationalError: psycoxide.DatabaseError,
        psycoxide.IntegrityError: psycoxide.DatabaseError,
        psycoxide.InternalError: psycoxide.DatabaseError,
        psycoxide.ProgrammingError: psycoxide.DatabaseError,
        psycoxide.NotSupportedError: psycoxide.DatabaseError,
        extensions.QueryCanceledError: psycoxide.OperationalError,
        extensions.TransactionRollbackError: psycoxide.OperationalError,
    }
    for cls, parent in parents.items():
        assert cls.__bases__ == (parent,)


def test_the_module_names_are_the_public_ones():
    assert psycoxide.Error.__module__ == "psycoxide"
    assert extensions.QueryCanceledError.__module__ == "psycoxide.extensions"
    assert errors.UniqueViolation.__module__ == "psycoxide.errors"


def test_an_error_of_ones_own_has_no_report():
    error = psycoxide.Error("text", 1)
    assert (error.args, error.pgerror, error.pgcode, error.cursor) == (
        ("text", 1),
        None,
        None,
        None,
    )
    assert all(getattr(error.diag, name) is None for name in FIELDS)


def test_a_report_is_told():
    error = reported()
    assert str(error) == "duplicate\n"
    assert error.pgerror == "ERROR:  duplicate\n"
    assert error.pgcode == "23505"
    assert error.cursor == "a cursor"


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_of_the_report_has_its_name(name):
    diag = reported(**{FIELDS[name]: "told"}).diag
    assert getattr(diag, name) == "told"
    others = [other for other in FIELDS if other not in (name, "sqlstate", "message_primary")]
    assert all(getattr(diag, other) is None for other in others)


@pytest.mark.parametrize("name", ["pgerror", "pgcode", "cursor", "diag"])
def test_the_attributes_cannot_be_set(name):
    with pytest.raises(AttributeError):
        setattr(reported(), name, "other")


@pytest.mark.parametrize("name", ["sqlstate", "no_such_field"])
def test_diagnostics_cannot_be_set(name):
    with pytest.raises(AttributeError):
        setattr(reported().diag, name, "other")


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy]
    + [lambda e, p=p: pickle.loads(pickle.dumps(e, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)],
)
def test_copies_keep_the_code_and_lose_cursor_and_report(duplicate):
    again = duplicate(reported())
    assert type(again) is errors.UniqueViolation
    assert again.args == ("duplicate\n",)
    assert (again.pgcode, again.pgerror) == ("23505", "ERROR:  duplicate\n")
    assert again.cursor is None
    assert again.diag.sqlstate is None


def test_a_state_that_is_no_dict_is_refused():
    with pytest.raises(TypeError, match="state is not a dictionary"):
        psycoxide.Error("x").__setstate__(["pgcode"])


def test_diagnostics_are_of_an_error():
    assert extensions.Diagnostics(reported()).constraint_name is None
    for other in (1, None, ValueError("x")):
        with pytest.raises(TypeError):
            extensions.Diagnostics(other)


def test_diagnostics_keep_the_exception_alive():
    import gc

    diag = reported(n="the_key").diag
    gc.collect()
    assert diag.constraint_name == "the_key"


def test_a_subclass_may_have_its_own_constructor():
    class Mine(psycoxide.Error):
        def __init__(self, *, code):
            super().__init__(f"code {code}")

    error = Mine(code=3)
    assert str(error) == "code 3"
    assert error.pgcode is None
