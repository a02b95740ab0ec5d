"""No error about a connection string shows a part of a password, however the string is garbled."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from hypothesis import example, given, strategies as st

import psycoxide
from psycoxide.extensions import make_dsn, parse_dsn

NOWHERE = "/nowhere/at/all"

# Words that are in nothing else, and what may stand between them.
WORDS = st.from_regex(r"[QJX][qjx][2-9]{3}", fullmatch=True)
BETWEEN = st.one_of(
    st.sampled_from(list(" '\\/@:?&%#[],;+=\"\t\n\u00e9")),
    st.sampled_from(
        ["  ", " = ", "\\'", "//", "%zz", "%00", "%ff", "%20", "[]", "://", "&x=", " x="]
    ),
)

SECRET = st.lists(st.tuples(WORDS, BETWEEN), min_size=1, max_size=4).map(
    lambda parts: [text for part in parts for text in part]
)

PLACES = [
    "password={}",
    "password = {}",
    "password='{}'",
    "password='{}",
    "host=h password={} dbname=d",
    "host=h PASSWORD={} dbname=d",
    "passwd={} host=h",
    "sslpassword={} host=h",
    "scram_client_key={} host=h",
    "oauth_client_secret={} host=h",
    "host=h password=x {}",
    "{} host=h password=x",
    "mysql://me:{}@h/db",
    "jdbc:postgresql://h/db?user=me&password={}",
    "postgresql://me:{}@h/db",
    "postgresql://me:{}@[::1/db",
    "postgresql://me:{}@[]/db",
    "postgresql://me:{}@[::1]x/db",
    "postgresql://me:{}@h/db?nosuch=1",
    "postgresql://me:{}@h/db?sslmode=nosuch",
    "postgres://h/db?password={}",
    "postgres://h/db?user=me&password={}&port=1",
    "postgres://h/db?%70assword={}",
    "postgres://h/db?pass%77ord={}&x",
    "postgres://h/db?sslpassword={}",
    "postgres://h/db?sslmode=disable%26password={}",
]

CALLS: list[Callable[[str], object]] = [
    parse_dsn,
    make_dsn,
    lambda dsn: make_dsn(dsn, application_name="x"),
    lambda dsn: psycoxide.connect(dsn, host=NOWHERE),
    lambda dsn: psycoxide.connect(dsn, host=NOWHERE, port=1),
    lambda dsn: psycoxide.extensions.connection(dsn),
]


def told(call: Callable[[str], object], dsn: str) -> str:
    """All that the error says, with what it came of; nothing if there is none."""
    try:
        call(dsn)
    except (psycoxide.Error, ValueError) as error:
        lines = traceback.format_exception_only(type(error), error)
        return "".join([*lines, repr(error), repr(error.__cause__), repr(error.__context__)])
    return ""


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRET)
@example(secret=["Qq222", " ", "Jj333", ""])
@example(secret=["Qq222", "/", "Jj333", "@"])
@example(secret=["Qq222", "@", "Jj333", "%zz"])
def test_a_password_in_a_connection_string(place, secret):
    dsn = place.format("".join(secret))
    # What is connected to for certain is elsewhere: the last call would look up names.
    for call in CALLS[:-1]:
        text = told(call, dsn)
        for word in secret[::2]:
            assert word not in text, (dsn, text)


@pytest.mark.parametrize(
    "dsn",
    [
        "password=two hush",
        "host=h password=it's 'hush'",
        "postgresql://me:hush",
        "postgresql://me:hush/db",
        "postgresql://me:hu/sh@nowhere.invalid/db",
        "postgresql://me:x@hush@nowhere.invalid/db",
        "postgresql://me:hush%zz@h",
        "postgresql://nowhere.invalid:1,me:hush/db",
        "postgresql://nowhere.invalid/db?service=x&password=hush%zz",
        "sslmode=password=hush",
        "service=password=hush",
        "connect_timeout=password=hush",
    ],
)
def test_it_is_taken_for_something_else(dsn):
    # Beside keywords, what may be a port is taken for one.
    calls = CALLS if "://" not in dsn else [parse_dsn, make_dsn, CALLS[-1]]
    for call in calls:
        text = told(call, dsn)
        assert "hu" not in text, text
    assert told(CALLS[-1], dsn)


def test_what_is_no_secret_is_shown():
    assert 'after "nonsense"' in told(parse_dsn, "host=h nonsense")
    assert 'option "nosuch"' in told(parse_dsn, "host=h nosuch=1")
    assert 'parameter: "nosuch"' in told(parse_dsn, "postgresql://h:1/db?nosuch=1")
    assert 'number: "70000"' in told(psycoxide.connect, "host=h port=70000")
    assert '"70000"' in told(psycoxide.connect, "postgresql://h:70000/db")


def test_a_keyword_is_named_beside_a_password():
    for dsn in (None, "password=hush"):
        with pytest.raises(psycoxide.ProgrammingError) as raised:
            make_dsn(dsn, password="hush", conect_timeout=3)
        assert str(raised.value) == 'invalid dsn: invalid connection option "conect_timeout"\n'
    with pytest.raises(psycoxide.ProgrammingError) as raised:
        make_dsn("password=hush", **{"a b": 1})
    assert str(raised.value) == 'invalid dsn: missing "=" after "***" in connection info string\n'


@pytest.mark.parametrize("lines", ["password=hush\nhush", "password\n", "hush=1", "service=hush"])
def test_a_service_file(lines, tmp_path, monkeypatch):
    file = tmp_path / "service.conf"
    file.write_text(f"[s]\n{lines}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    text = told(psycoxide.connect, f"service=s host={NOWHERE}").replace(str(tmp_path), "")
    assert "service file" in text and "hush" not in text


def test_a_password_file_and_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "pass"
    file.write_text("*:*:*:*:hush:\\\n:hush\nhush\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    assert "hush" not in told(psycoxide.connect, f"host={NOWHERE}")
    monkeypatch.setenv("PGPASSWORD", "hush hush")
    assert "hush" not in told(psycoxide.connect, f"host={NOWHERE} sslmode=nosuch")
