"""Each way to fail, against real servers and played ones: the exit code, the step, the cause.

`Doctor.report()` looks for secrets in all that is printed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from fixtures.certificates import Authority, write, write_key
from fixtures.messages import message, reporting, rows, string
from fixtures.ports import closed_port, silent_port
from fixtures.scripted_server import Ended, ScriptedServer, Session, encrypting
from fixtures.server import ServerUnderTest

from psycoxide._doctor.report import EXIT_CODES

from .conftest import HUSH, Doctor

QUOTED = HUSH.replace("'", r"\'")


class Given(NamedTuple):
    """How the command is called: the connection string, and environment."""

    dsn: str
    env: Mapping[str, str] = MappingProxyType({})
    # What else must not be shown.
    secrets: tuple[str, ...] = ()


class Lab:
    """Servers, real and played, and the files of a home directory."""

    def __init__(self, server: ServerUnderTest, home: Path, stack: contextlib.ExitStack) -> None:
        self.server = server
        self.home = home
        self.stack = stack

    def real(self, **options: str) -> str:
        """The connection string of the server under test, with these options in place of its."""
        merged = {**self.server.parameters, "connect_timeout": "10", **options}
        return " ".join(f"{name}='{value}'" for name, value in merged.items() if value)

    def file(self, name: str, text: str) -> str:
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def silent(self) -> str:
        port = self.stack.enter_context(silent_port())
        return f"host=127.0.0.1 port={port} connect_timeout=1 password='{QUOTED}'"

    def played(self, *, options: str = "", **how: Any) -> str:
        """A scripted server's connection string."""
        made = self.stack.enter_context(ScriptedServer(**how))
        return f"{made.dsn} password='{QUOTED}' {options}"

    def speaking(self, words: bytes, *, at_once: bool = False) -> str:
        """Something that is not PostgreSQL: it says this, at once or when it is spoken to."""
        listener = self.stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def speak() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        if not at_once:
                            connection.recv(100)
                        connection.sendall(words)
                        time.sleep(0.05)

        threading.Thread(target=speak, daemon=True).start()
        port = listener.getsockname()[1]
        return f"host=127.0.0.1 port={port} connect_timeout=5 password='{QUOTED}'"

    def certificate(self, *, days: tuple[int, int] = (-1, 20)) -> tuple[str, str, str]:
        """The files of an authority, and of a certificate that it has signed for localhost."""
        authority = Authority("an authority of this test")
        certificate, key = authority.issue("x", "localhost", days=days)
        root = write(self.home / "root.crt", authority.certificate)
        own = write(self.home / "own.crt", certificate)
        return str(root), str(own), str(write_key(self.home / "own.key", key))

    def needs_tls(self) -> dict[str, str]:
        if not self.server.tls:
            pytest.skip("this server runs without TLS")
        return self.server.tls


def silent_handshake(session: Session) -> None:
    session.send(b"S")
    session.take(1)
    while True:
        session.take(1)


def silent_login(session: Session) -> None:
    """Ask for a password, and say nothing more."""
    session.send(message(b"R", b"\0\0\0\x03"))
    session.take_message()
    session.take_message()
    raise Ended


def refusing_with(sqlstate: str, text: str, severity: str = "FATAL") -> Callable[[Session], None]:
    def refuse(session: Session) -> None:
        fields = {"S": severity, "V": "FATAL", "C": sqlstate, "M": text}
        body = b"".join(name.encode() + string(value) for name, value in fields.items())
        session.send(message(b"E", body + b"\0"))
        raise Ended

    return refuse


def expired(lab: Lab) -> Given:
    root, own, key = lab.certificate(days=(-9, -2))
    options = f"host=localhost hostaddr=127.0.0.1 sslmode=verify-full sslrootcert={root}"
    return Given(lab.played(tls=encrypting(own, key), options=options))


def as_another_product(sql: str, _session: Session) -> bytes | None:
    return rows("CockroachDB CCL v23.1.0") if "version()" in sql else None


def gone_at(part: str, *, told: bool = False) -> Callable[[str, Session], bytes | None]:
    """A server that ends the session at this statement, and says why or does not."""

    def answer(sql: str, session: Session) -> bytes | None:
        if part not in sql:
            return None
        if told:
            refusing_with("57P01", "terminating connection due to administrator command")(session)
        raise Ended

    return answer


def no_root(lab: Lab) -> Given:
    lab.needs_tls()
    return Given(lab.real(sslmode="verify-full"))


def wrong_root(lab: Lab) -> Given:
    lab.needs_tls()
    root, _, _ = lab.certificate()
    return Given(
        lab.real(host="localhost", hostaddr="127.0.0.1", sslmode="verify-ca", sslrootcert=root)
    )


def wrong_name(lab: Lab) -> Given:
    root = lab.needs_tls()["root"]
    options = {"host": "db.example.test", "hostaddr": "127.0.0.1", "sslmode": "verify-full"}
    return Given(lab.real(**options, sslrootcert=root))


def in_a_password_file(lab: Lab) -> Given:
    escaped = HUSH.replace(":", r"\:")
    lab.file(".pgpass", f"other:*:*:*:nothing\n*:*:*:*:{escaped}\n")
    return Given(lab.real(password=""))


def in_a_service(lab: Lab) -> Given:
    lab.file(".pg_service.conf", f"[shop]\npassword={HUSH}\n")
    return Given(lab.real(password="", service="shop"))


def in_the_environment(lab: Lab) -> Given:
    return Given(lab.real(password=""), {"PGPASSWORD": HUSH})


def in_a_uri(lab: Lab) -> Given:
    given = lab.server.parameters
    where = f"{given['host']}:{given['port']}/{given['dbname']}"
    return Given(f"postgresql://{given['user']}:{quote(HUSH, safe='')}@{where}")


def of_no_server(lab: Lab) -> Given:
    return Given(f"host={lab.home} port=5432 password='{QUOTED}'")


def a_role_that_is_rejected(lab: Lab) -> Given:
    if not lab.server.roles:
        pytest.skip("the given server's roles are not known")
    return Given(lab.real(user=lab.server.roles["rejected"]["user"]))


HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
SUPPORTED = "psycoxide supports PostgreSQL 12 to 19"

# Each: the step, what is said, and how it comes about.
CASES: dict[str, tuple[str, str, Callable[[Lab], Given]]] = {
    "a refused port": (
        "socket",
        "Connection refused",
        lambda _: Given(f"host=127.0.0.1 port={closed_port()} password='{QUOTED}'"),
    ),
    "an unknown host": (
        "lookup",
        "resolver",
        lambda _: Given(f"host=nosuch.invalid connect_timeout=5 password='{QUOTED}'"),
    ),
    "an address that is none": (
        "lookup",
        "no network address",
        lambda _: Given(f"hostaddr=nosuch.invalid password='{QUOTED}'"),
    ),
    "no Unix socket": ("socket", "No server listens on this socket", of_no_server),
    "a silent server": ("protocol", "said nothing", lambda lab: Given(lab.silent())),
    "a silent server without TLS": (
        "protocol",
        "said nothing",
        lambda lab: Given(f"{lab.silent()} sslmode=disable"),
    ),
    "HTTP": ("protocol", "it speaks HTTP", lambda lab: Given(lab.speaking(HTTP))),
    "HTTP without TLS": (
        "protocol",
        "supports servers of PostgreSQL 12 to 19",
        lambda lab: Given(f"{lab.speaking(HTTP)} sslmode=disable"),
    ),
    "SSH": (
        "protocol",
        "it speaks SSH",
        lambda lab: Given(lab.speaking(b"SSH-2.0-x\r\n", at_once=True)),
    ),
    "MySQL": (
        "protocol",
        "it speaks MySQL",
        lambda lab: Given(lab.speaking(b"\x4a\0\0\0\x0a8.0.36\0", at_once=True)),
    ),
    "noise": (
        "protocol",
        "its first words are",
        lambda lab: Given(lab.speaking(b"\x1b]0;hello\x07\xff\x00")),
    ),
    "a hang-up": (
        "protocol",
        "closes the connection without a word",
        lambda lab: Given(lab.speaking(b"")),
    ),
    "no TLS where it is demanded": (
        "tls",
        "server does not support SSL",
        lambda lab: Given(lab.played(options="sslmode=require")),
    ),
    "no root certificate": ("tls", "there is no authority to trust", no_root),
    "another root certificate": ("tls", "is signed by CN=", wrong_root),
    "another name": ("tls", "The certificate is for localhost", wrong_name),
    "an expired certificate": ("tls", "was valid to", expired),
    "a silent handshake": (
        "tls",
        "timeout expired",
        lambda lab: Given(
            lab.played(on_ssl=silent_handshake, options="sslmode=require connect_timeout=1")
        ),
    ),
    "a wrong password": (
        "authentication",
        "it comes from the argument",
        lambda lab: Given(lab.real(password=QUOTED)),
    ),
    "a wrong password in a URI": ("authentication", "it comes from the URI", in_a_uri),
    "one in a password file": ("authentication", ".pgpass, line 2", in_a_password_file),
    "one in a service file": ("authentication", ".pg_service.conf, line 2", in_a_service),
    "one in the environment": (
        "authentication",
        "it comes from environment, PGPASSWORD",
        in_the_environment,
    ),
    "no password": (
        "authentication",
        "no line of the password file",
        lambda lab: Given(lab.real(password="")),
    ),
    "a rejected role": ("authentication", "pg_hba.conf", a_role_that_is_rejected),
    "a refusal in another language": (
        "authentication",
        "Passwort-Auth",
        lambda lab: Given(
            lab.played(greet=refusing_with("28P01", "Passwort-Authentifizierung fehlgeschlagen"))
        ),
    ),
    "silence after the password": (
        "authentication",
        "timeout expired",
        lambda lab: Given(lab.played(greet=silent_login, options="connect_timeout=1")),
    ),
    "no such database": (
        "session",
        "has no database of this name",
        lambda lab: Given(lab.real(dbname="nosuch")),
    ),
    "no such database in another language": (
        "session",
        "existiert nicht",
        lambda lab: Given(
            lab.played(greet=refusing_with("3D000", "Datenbank »x« existiert nicht"))
        ),
    ),
    "a server that starts": (
        "session",
        "try again soon",
        lambda lab: Given(
            lab.played(greet=refusing_with("57P03", "the database system is starting up"))
        ),
    ),
    "a server that is full": (
        "session",
        "All connections",
        lambda lab: Given(
            lab.played(greet=refusing_with("53300", "sorry, too many clients already"))
        ),
    ),
    "a server of the wrong kind": (
        "session",
        "target_session_attrs",
        lambda lab: Given(lab.real(target_session_attrs="standby")),
    ),
    "an old server": (
        "server",
        f"PostgreSQL 9.6.2 is not supported: {SUPPORTED}",
        lambda lab: Given(lab.played(parameters=reporting(server_version="9.6.2"))),
    ),
    "another product": (
        "server",
        f"CockroachDB is not supported: {SUPPORTED}",
        lambda lab: Given(lab.played(answers=as_another_product)),
    ),
    "a pooler's console": (
        "server",
        "the console of PgBouncer 1.18.0, not a database",
        lambda lab: Given(lab.played(parameters=reporting(server_version="1.18.0/bouncer"))),
    ),
    "a loss in the middle": (
        "server",
        "The connection is lost",
        lambda lab: Given(lab.played(answers=gone_at("version()"))),
    ),
    "an end that is told": (
        "session",
        "terminating connection due to administrator command",
        lambda lab: Given(lab.played(answers=gone_at("in_recovery", told=True))),
    ),
    "a malformed string": (
        "settings",
        "cannot be read",
        lambda _: Given(f"host=h password={HUSH} two words", secrets=("two", "words")),
    ),
    "a malformed URI": (
        "settings",
        "cannot be read",
        lambda _: Given(f"postgresql://me:{quote(HUSH, safe='')}@[::1/db"),
    ),
    "a password that splits a URI": (
        "settings",
        "invalid integer value",
        lambda _: Given("postgresql://me:s3cr/et77@db.example/shop", secrets=("s3cr", "et77")),
    ),
    "a password that looks like a port": (
        "lookup",
        "***",
        lambda _: Given(
            "postgresql://nosuch.invalid:4711/et77@db.example/shop", secrets=("4711", "et77")
        ),
    ),
    "an invalid value": (
        "settings",
        "sslmode comes from the argument",
        lambda _: Given(f"sslmode=most password='{QUOTED}'"),
    ),
    "lists that do not match": (
        "settings",
        "could not match 3 port numbers",
        lambda _: Given(f"host=a,b port=1,2,3 password='{QUOTED}'"),
    ),
    "an unknown service": (
        "settings",
        "service comes from environment, PGSERVICE",
        lambda _: Given(f"password='{QUOTED}'", {"PGSERVICE": "nosuch"}),
    ),
}


def outcome(name: str, lab: Lab) -> tuple[int, dict[str, Any]]:
    given = CASES[name][2](lab)
    return Doctor(lab.home).report(given.dsn, secrets=given.secrets, **given.env)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest,
    server: ServerUnderTest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[tuple[int, dict[str, Any]]]]]:
    """What the command says in each of the cases that are chosen. Some run side by side, as many
    only wait."""
    items = [item for item in request.session.items if item.path == request.path]
    names = [item.callspec.params["name"] for item in items if isinstance(item, pytest.Function)]
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        labs = {name: Lab(server, tmp_path_factory.mktemp("home"), stack) for name in names}
        yield {name: pool.submit(outcome, name, lab) for name, lab in labs.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_failure_names_its_step_and_cause_and_no_secret(
    outcomes: dict[str, Future[tuple[int, dict[str, Any]]]], name: str
) -> None:
    failing, says, _ = CASES[name]
    code, report = outcomes[name].result()
    assert report["failed_step"] == failing, report
    assert code == report["exit_code"] == EXIT_CODES[failing]
    steps = report["steps"]
    at = list(EXIT_CODES).index(failing)
    assert {step["status"] for step in steps[:at]} <= {"ok", "warning"}
    assert says in f"{steps[at]['summary']} {steps[at]['cause']}"
    has_connected = at >= list(EXIT_CODES).index("server")
    assert has_connected or all(step["status"] == "skipped" for step in steps[at + 1 :])
