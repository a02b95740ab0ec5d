"""Command line: `python tools/clients [client...]`. See `--help`, and docs/compatibility.md."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from upstream.database import Scratch

from clients import compare, place, watch
from clients.catalog import CLIENTS, DEFAULT, INSIDE
from clients.client import Prepared
from clients.compare import Comparison, Outcome


def main() -> int:
    options = arguments()
    # So that the started processes are ended, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    allowed = compare.read_allowed(options.allow) if options.allow else []
    database = Scratch(options.dsn, options.psql)
    server = database.sql("show server_version").strip()
    done, failed = [], []
    for name in options.clients or DEFAULT:
        client = CLIENTS[name]
        try:
            say(f"{client.title}: setting up")
            prepared = client.prepare(options.cache)
            theirs, ours = (
                with_driver(driver, prepared, database, server, options)
                for driver in (client.peer, "psycoxide")
            )
        except place.CannotPrepare as error:
            say(f"{client.title}: {error}")
            failed.append(name)
            continue
        title = f"{client.title} {prepared.version}, Python {prepared.interpreter.version}"
        one = Comparison(
            f"{client.title} {prepared.version}",
            theirs,
            ours,
            allowed,
            name,
            client.peer,
        )
        done.append(one)
        found = compare.differences(one)
        say(f"{title}: " + (f"at {client.peer}'s level" if one.good else f"behind {client.peer}"))
        if found:
            print(found, flush=True)
    print(f"PostgreSQL {server}")
    print(compare.table(done))
    behind = [one.name for one in done if not one.good]
    if failed or behind:
        print(f"behind the drivers compared with: {' '.join(failed + behind)}")
        return 1
    print("psycoxide passes what the drivers compared with pass")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="clients", description=__doc__)
    parser.add_argument("clients", nargs="*", metavar="client", help=", ".join(CLIENTS))
    parser.add_argument("--dsn", default=os.environ.get("PSYCOXIDE_TEST_DSN", ""))
    parser.add_argument("--psql", default=os.environ.get("PSYCOXIDE_TEST_PSQL", "psql"))
    parser.add_argument("--cache", type=Path, default=place.ROOT / ".cache" / "clients")
    parser.add_argument("--allow", type=Path, help="file of tests (globs) that may be behind")
    parser.add_argument("--fresh", action="store_true", help="run the other drivers again, too")
    options = parser.parse_args()
    if not options.dsn:
        parser.error("no server: give --dsn or run under tools/pgserver.py")
    unknown = set(options.clients) - set(CLIENTS)
    if unknown:
        parser.error(
            f"no such client: {', '.join(sorted(unknown))} (there are {', '.join(CLIENTS)})"
        )
    options.cache = options.cache.resolve()
    return options


def with_driver(
    driver: str, prepared: Prepared, database: Scratch, server: str, options: argparse.Namespace
) -> Outcome:
    """Run a client's tests with a driver; the results of others than psycoxide are kept."""
    client = prepared.client
    name = client.name if driver == "psycoxide" else client.same_as or client.name
    path = options.cache / f"{name}-{driver}.json"
    command = client.command(prepared, database, "DATABASE", driver)
    key = {
        "versions": [
            prepared.requirement,
            prepared.interpreter.version,
            server,
            *place.PEERS[client.peer],
        ],
        # Which tests are run, and how: everything that does not depend on the server's port.
        "inside": hashlib.sha256(
            b"".join(path.read_bytes() for path in sorted(INSIDE.glob("*.py")))
        ).hexdigest(),
        "tests": [part for part in command if "/" not in part or part.startswith("test/")],
    }
    if driver != "psycoxide" and not options.fresh and path.exists():
        known = json.loads(path.read_text())
        if known["key"] == key and known["finished"]:
            say(f"{client.title} with {driver}: remembered")
            return Outcome.from_json(known)
    say(f"{client.title} with {driver}: running")
    outcome = run(driver, prepared, database, options.cache)
    path.write_text(json.dumps({"key": key, **outcome.to_json()}, indent=1))
    return outcome


def run(driver: str, prepared: Prepared, database: Scratch, cache: Path) -> Outcome:
    client = prepared.client
    name = f"clients_{client.name.replace('-', '_')}_{os.getpid()}"
    folder = place.driver(cache, driver, prepared.interpreter, prepared.python)
    python = place.with_driver(
        cache / "venvs" / f"{client.name}-with-{driver}",
        prepared.interpreter,
        prepared.python,
        folder,
    )
    variables = client.environment(prepared, database, name)
    paths = [str(INSIDE), *filter(None, [variables.pop("PYTHONPATH", None)])]
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    env = {
        **{key: os.environ[key] for key in kept if key in os.environ},
        **variables,
        "CLIENTS_DRIVER": client.peer if client.by_run else driver,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONFAULTHANDLER": "1",
    }
    if client.binds:
        # Nothing to the peer.
        env["PSYCOXIDE_BINDING"] = "auto"
    alias: list[str] = []
    if driver == "psycoxide" and client.by_shim:
        place.run([python, "-m", "psycoxide", "shim", "install"])
    elif driver == "psycoxide" and client.by_run:
        alias = ["-m", "psycoxide", "run"]
    command = [*place.unprivileged(), python, *alias,
               *client.command(prepared, database, name, driver)]  # fmt: skip
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="psycoxide-clients-") as scratch:
        try:
            events = watch.run_all(
                command,
                client.folder(prepared),
                env,
                Path(scratch),
                watch.Limits(client.test_limit, client.idle_limit, client.limit),
                lambda: client.database(database, name),
            )
        finally:
            database.sql(f'drop database if exists "{name}" with (force)', check=False)
            log = Path(scratch) / "log"
            if log.exists():
                (cache / f"{client.name}-{driver}.log").write_bytes(log.read_bytes())
    if events.finished and events.driver.get("name") != driver:
        raise place.CannotPrepare(f"its tests ran on {events.driver}, not on {driver}")
    results = {client.test_name(test): result for test, result in events.results.items()}
    return Outcome(events.driver, results, time.monotonic() - began, events.finished)


def say(text: str) -> None:
    print(f"[clients] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
