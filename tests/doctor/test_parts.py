"""The parts that no server is needed for: certificates, the driver's texts, the interpreter."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from fixtures.certificates import Authority, self_signed

import psycoxide
from psycoxide._doctor import bounded, certificates
from psycoxide._doctor.driver import judged
from psycoxide._doctor.entering import _look_at_dates
from psycoxide._doctor.hosts import Host, Target
from psycoxide._doctor.interpreter import _unsupported
from psycoxide._doctor.report import Finding
from psycoxide._doctor.wire import Seen

SERVER = 'connection to server at "127.0.0.1", port 5432 failed: '


def test_calls_that_block_are_left_alone_when_their_time_is_over() -> None:
    never = threading.Event()
    began = time.monotonic()
    calls = [lambda: 1, lambda: never.wait(30) and 2, lambda: 3]
    assert bounded.all_of(calls, 0.3) == [1, None, 3]
    assert time.monotonic() - began < 5
    never.set()
    assert bounded.all_of([], 1) == []
    with pytest.raises(ZeroDivisionError):
        bounded.all_of([lambda: 1 // 0], 1)


def test_what_a_certificate_says() -> None:
    made, _ = Authority("an authority").issue("mine", "db.example", "10.1.2.3", "::1")
    found = certificates.read(made.public_bytes(Encoding.DER))
    assert found is not None
    assert (found.subject, found.issuer) == ("CN=mine", "CN=an authority")
    assert found.names == ["db.example", "10.1.2.3", "::1"]
    assert found.not_before == made.not_valid_before_utc
    assert found.not_after == made.not_valid_after_utc


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((-1, 20), None),
        ((-100, 19), "The certificate CN=mine expires in 18 days."),
        ((-100, 22), None),
        ((-9, -1), "The certificate CN=mine has expired."),
    ],
)
def test_a_certificate_that_ends_soon(days: tuple[int, int], said: str | None) -> None:
    made, _ = Authority("an authority").issue("mine", days=days)
    host = Host("db.example", None, 5432, False)
    seen = Seen(Target(host, socket.AF_INET, ("192.0.2.1", 5432)))
    read = certificates.read(made.public_bytes(Encoding.DER))
    assert read is not None
    seen.chain = [read]
    finding = Finding("ok", "encrypted")
    _look_at_dates(seen, finding)
    assert (finding.cause, finding.status) == (said, "warning" if said else "ok")


def test_a_certificate_that_is_cut_or_changed_is_read_or_not_and_nothing_else() -> None:
    made, _ = self_signed("mine", "db.example", key="rsa")
    der = made.public_bytes(Encoding.DER)
    for end in range(len(der)):
        certificates.read(der[:end])
        certificates.read(der[:end] + bytes([der[end] ^ 0xFF]) + der[end + 1 :])
    assert certificates.read(b"") is None


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ('could not translate host name "x" to address: Name or service not known', "lookup"),
        ('could not parse network address "x": Name or service not known', "lookup"),
        (f"{SERVER}Connection refused\n\tIs the server running on that host and ...?", "socket"),
        (f"{SERVER}timeout expired", "protocol"),
        (f"{SERVER.replace('5432', '1')}timeout expired", "socket"),
        (f"{SERVER}server closed the connection unexpectedly\n\tThis probably", "protocol"),
        (f"{SERVER}received invalid response to SSL negotiation: H", "protocol"),
        (f"{SERVER}received unencrypted data after SSL response", "protocol"),
        (f"{SERVER}Connection reset by peer", "protocol"),
        (f"{SERVER}SSL error: certificate verify failed: certificate has expired", "tls"),
        (f"{SERVER}server does not support SSL, but SSL was required", "tls"),
        (f"{SERVER}private key file \"/k\" has group or world access; it must be", "tls"),
        (f"{SERVER}server doesn't support GSSAPI encryption, but it was required", "tls"),
        (f'{SERVER}FATAL:  password authentication failed for user "u"', "authentication"),
        (f'{SERVER}FATAL :  authentification par mot de passe échouée', "authentication"),
        (f"{SERVER}fe_sendauth: no password supplied", "authentication"),
        (f"{SERVER}authentication method requirement \"md5\" failed: x", "authentication"),
        (f'{SERVER}requirepeer specifies "a", but actual peer user name is "b"', "authentication"),
        (f"{SERVER}FATAL:  connection requires a valid client certificate", "authentication"),
        (f'{SERVER}FATAL:  database "x" does not exist', "session"),
        (f"{SERVER}FATAL:  sorry, too many clients already", "session"),
        (f"{SERVER}session is read-only", "session"),
        # Of several servers the one counts that got farthest.
        (f"{SERVER}Connection refused\n\tIs the server running\n{SERVER}FATAL:  no such user",
         "authentication"),
    ],
)  # fmt: skip
def test_the_driver_s_text_tells_the_step(text: str, step: str) -> None:
    failed = judged(text + "\n", {"127.0.0.1:5432": None})
    assert failed.step == step
    assert "connection to server" not in failed.reason and "\n" not in failed.reason


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("CPython", (3, 11), True, "linux"), None),
        (("CPython", (3, 16), True, "linux"), None),
        (("CPython", (3, 9), True, "linux"), "Python 3.9"),
        (("PyPy", (3, 11), True, "linux"), "PyPy"),
        (("CPython", (3, 14), False, "linux"), "Python without its global lock"),
        (("CPython", (3, 12), True, "win32"), "The system win32"),
    ],
)
def test_an_interpreter_that_is_not_supported(
    given: tuple[str, tuple[int, int], bool, str], said: str | None
) -> None:
    assert _unsupported(*given) == said


def test_an_interpreter_without_a_native_module_says_what_is_supported(tmp_path: Path) -> None:
    package = Path(psycoxide.__file__).parent
    shutil.copytree(
        package, tmp_path / "psycoxide", ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    done = subprocess.run(
        [sys.executable, "-m", "psycoxide", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "supports CPython 3.10 to 3.15 with its global lock" in done.stderr
