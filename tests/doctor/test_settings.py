"""Where an option comes from: what the command says is what the driver does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from fixtures.messages import authentication
from fixtures.scripted_server import ScriptedServer, Session

import psycoxide
from psycoxide._doctor.options import OPTIONS
from psycoxide._doctor.secrets import Redactor
from psycoxide._doctor.settings import Settings

from .conftest import Doctor, Written

KEYWORDS = Path(__file__).resolve().parent.parent.parent / (
    "crates/psycoxide-net/src/config/keywords.rs"
)


def test_the_table_of_options_is_the_driver_s() -> None:
    text = KEYWORDS.read_text(encoding="utf-8")
    value = r'(?:Some\("([^"]*)"\)|None)'
    rows = re.findall(rf'^    (option|secret)\("(\w+)", {value}(?:, {value})?\),', text, re.M)
    with_default = set(re.findall(r'^    option\("(\w+)", .*, Some\("[^"]*"\)\),', text, re.M))
    theirs = {
        name: (variable or None, default if name in with_default else None, kind == "secret")
        for kind, name, variable, default in rows
    }
    assert theirs == {name: tuple(option) for name, option in OPTIONS.items()}


SURROUNDINGS: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "a string": ("dbname=a application_name=b", {}, {}),
    "a URI": ("postgresql:///a?application_name=b&options=-c%20geqo%3Doff", {}, {}),
    "the environment": ("", {"PGDATABASE": "a", "PGAPPNAME": "b", "PGSSLMODE": "disable"}, {}),
    "the string comes first": ("dbname=a", {"PGDATABASE": "b"}, {}),
    "an old variable": ("sslcert=/nowhere", {"PGREQUIRESSL": "0", "PGSSLROOTCERT": "/none"}, {}),
    "a service": (
        "service=shop",
        {"PGDATABASE": "environment", "PGAPPNAME": "environment"},
        {".pg_service.conf": "[other]\ndbname=no\n[shop]\n# x\ndbname=a\ndbname=b\n"},
    ),
    "a service's file": (
        "",
        {"PGSERVICE": "shop", "PGSERVICEFILE": "{home}/services"},
        {"services": "[shop]\napplication_name=it's a\nconnect_timeout=5\n[late]\ndbname=z\n"},
    ),
    "the system's services": (
        "service=shop",
        {"PGSYSCONFDIR": "{home}"},
        {"pg_service.conf": "[shop]\ndbname=system\n"},
    ),
    "a password file": (
        "dbname=d",
        {},
        {".pgpass": "#127.0.0.1:*:*:*:no\n127.0.0.1:1:*:*:no\n*:*:d:*:a\\:b\\\\c:d\n*:*:*:*:z\n"},
    ),
    "a named password file": (
        "passfile={home}/mine",
        {},
        {"mine": "127.0.0.1:*:*:*:*\n", ".pgpass": "*:*:*:*:no\n"},
    ),
    "a password file without one": ("", {}, {".pgpass": "*:*:*:*:\n*:*:*:*:late\n"}),
    "a password before the file": ("password=p", {}, {".pgpass": "*:*:*:*:no\n"}),
    "PGPASSWORD": ("", {"PGPASSWORD": "e"}, {".pgpass": "*:*:*:*:no\n"}),
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_value_is_the_one_that_the_driver_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, written: Written, tmp_path: Path
) -> None:
    dsn, env, texts = SURROUNDINGS[name]
    for file, text in texts.items():
        written(file, text)
    for variable in psycoxide_variables():
        monkeypatch.delenv(variable, raising=False)
    env = {"HOME": str(tmp_path), **{k: v.format(home=tmp_path) for k, v in env.items()}}
    for variable, value in env.items():
        monkeypatch.setenv(variable, value)
    with ScriptedServer() as server:
        where = {
            "host": "127.0.0.1",
            "port": str(server.port),
            "user": "u",
            "gssencmode": "disable",
        }
        merged = psycoxide.extensions.make_dsn(dsn.format(home=tmp_path), **where)
        conn = psycoxide.connect(merged)
        theirs = conn.info.dsn_parameters
        conn.close()
        server.greet = ask_for_password
        password = sent_password(server, merged)
    ours = Settings(merged, env)
    ours.find_passwords([("127.0.0.1", where["port"])])
    named = {name: setting.value for name, setting in ours.found.items()}
    secret = named.pop("password", "")
    # The service stands for its options, and the password file is known once it is looked at.
    for option in ("service", "servicefile", "passfile"):
        named.pop(option, None)
        theirs.pop(option, None)
    assert {name: value for name, value in named.items() if value} == {
        name: value for name, value in theirs.items() if value
    }
    assert secret == password


def ask_for_password(session: Session) -> None:
    session.send(authentication(3))
    kind, body = session.take_message()
    assert kind == b"p"
    session.server.queries.append(body.rstrip(b"\0").decode())


def sent_password(server: ScriptedServer, dsn: str) -> str:
    """The password that the driver sends; empty if it has none."""
    before = len(server.queries)
    try:
        psycoxide.connect(dsn).close()
    except psycoxide.OperationalError as error:
        assert "no password supplied" in str(error)
        return ""
    return server.queries[before]


def psycoxide_variables() -> Mapping[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name.startswith(("PG", "PSYCO"))}


def test_each_source_is_told(doctor: Doctor, written: Written) -> None:
    written(".pg_service.conf", "[shop]\nuser=from_service\n")
    _, text = doctor.text(
        "postgresql://127.0.0.1:1/?service=shop", PGDATABASE="from_environment", PGPASSWORD="hush12"
    )
    for said in (
        "host = 127.0.0.1 (the URI)",
        "user = from_service (service, ",
        ".pg_service.conf, line 2)",
        "dbname = from_environment (environment, PGDATABASE)",
        "password = *** (environment, PGPASSWORD)",
        "sslmode = prefer (default)",
    ):
        assert said in text
    assert "hush12" not in text


def test_a_password_file_that_others_can_read_is_told(doctor: Doctor, written: Written) -> None:
    written(".pgpass", "*:*:*:*:hush13\n", mode=0o644)
    _, text = doctor.text("host=127.0.0.1 port=1")
    assert "as others than its owner may read it: chmod 0600" in text
    assert "hush13" not in text


def test_a_password_in_the_string_is_advised_against(doctor: Doctor) -> None:
    _, text = doctor.text("host=127.0.0.1 port=1 password=hush14", secrets=("hush14",))
    assert "settings: The password is in the connection string" in text


def test_no_secret_option_is_shown(doctor: Doctor) -> None:
    names = ("sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
    secrets = {name: f"hush16{at}" for at, name in enumerate(names)}
    dsn = " ".join(f"{name}={value}" for name, value in secrets.items())
    code, report = doctor.report(f"host=127.0.0.1 port=1 {dsn}", secrets=tuple(secrets.values()))
    assert (code, report["failed_step"]) == (11, "settings")
    (step,) = [step for step in report["steps"] if step["name"] == "settings"]
    assert step["summary"] == "invalid SCRAM client key"
    assert {step["facts"]["options"][name]["value"] for name in names} == {"***"}


def test_a_secret_is_hidden_however_it_is_written() -> None:
    redactor = Redactor()
    redactor.hide(["p@ss'w/rd", "ab"])
    assert redactor.text("p@ss'w/rd p%40ss%27w%2Frd p@ss\\'w/rd") == "*** *** ***"
    # A short one is a part of many words.
    assert redactor.text("ab=ab: about") == "***=***: about"
    assert redactor.value({"ab": ["ab", 1, None, ("ab",)]}) == {"ab": ["***", 1, None, ["***"]]}
    redactor.show(["ab"])
    assert redactor.text("role ab") == "role ab"
