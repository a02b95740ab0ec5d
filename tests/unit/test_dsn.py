"""Connection strings made from keywords, and what `connect()` does with its arguments."""

import pytest

import psycoxide
from psycoxide.extensions import make_dsn, parse_dsn


def test_nothing_is_the_empty_string():
    assert make_dsn() == ""
    assert make_dsn("") == ""
    assert make_dsn(user=None) == ""


def test_a_string_alone_is_kept_as_it_is():
    assert make_dsn("  host=x ") == "  host=x "
    assert make_dsn("host=x", port=None) == "host=x"


def test_keywords_win():
    assert make_dsn("host=x port=3", host="y") == "host=y port=3"
    assert make_dsn("postgresql://a:b@h/db", port=3) == "user=a password=b dbname=db host=h port=3"


@pytest.mark.parametrize("value", ["", "a b", "a'b", "a\\b", "\t", " ' \\ ", "plain", "é", "a=b"])
def test_values_survive_quoting(value):
    assert parse_dsn(make_dsn(user=value)) == {"user": value}


def test_database_is_dbname():
    assert make_dsn(database="x") == "dbname=x"
    with pytest.raises(TypeError, match="both 'database' and 'dbname'"):
        make_dsn(database="x", dbname="y")


@pytest.mark.parametrize("arguments", [("nonsense",), ("foo=1",)])
def test_an_invalid_string_is_refused(arguments):
    with pytest.raises(psycoxide.ProgrammingError, match="invalid dsn"):
        make_dsn(*arguments)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(psycoxide.ProgrammingError, match='invalid connection option "foo"'):
        make_dsn("host=x", foo=1)


class Factory:
    def __init__(self, *args, **kwargs):
        self.args = args
        self.kwargs = kwargs


def test_connect_calls_the_factory_with_the_dsn():
    made = psycoxide.connect("host=x", connection_factory=Factory, port=3)
    assert (made.args, made.kwargs) == (("host=x port=3",), {})
    assert psycoxide.connect(connection_factory=Factory).args == ("",)


@pytest.mark.parametrize("name", ["async", "async_"])
def test_connect_tells_the_factory_to_be_asynchronous(name):
    made = psycoxide.connect("host=x", connection_factory=Factory, **{name: True})
    assert made.args[0] == "host=x"
    assert list(map(int, [*made.args[1:], *made.kwargs.values()])) == [1]
    made = psycoxide.connect("host=x", connection_factory=Factory, **{name: False})
    assert (made.args, made.kwargs) == (("host=x",), {})


def test_connect_sets_the_cursor_factory():
    made = psycoxide.connect("", connection_factory=Factory, cursor_factory=list)
    assert made.cursor_factory is list


def test_connect_looks_its_native_half_up_in_the_module(monkeypatch):
    """Programs replace `psycopg2._connect` to see what `connect()` makes of its arguments."""
    seen = []
    monkeypatch.setattr(psycoxide, "_connect", lambda dsn, **kwargs: seen.append((dsn, kwargs)))
    psycoxide.connect("host=x", async_=1)
    assert seen == [("host=x", {"connection_factory": None, "async_": 1})]
