"""Run every check in a process of its own: `python tests/torture [options]`.

A crash, an abort or a hang of the driver costs one check, and is told from a failure. The exit code
is 0 when every check passed or was skipped, `allowed_failures.txt` aside.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lab

HERE = Path(__file__).resolve().parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini")]
PYTEST += ["--rootdir", str(HERE), "--confcutdir", str(HERE)]

# Beyond a check's own limit, after which its whole process group is killed.
GRACE = 20.0


@dataclasses.dataclass
class Check:
    """A numbered check, and what came of it."""

    id: str
    level: str
    timeout: float
    alone: bool
    nodeid: str
    title: str
    result: str = ""
    seconds: float = 0.0
    why: str = ""
    output: str = ""

    @property
    def failed(self) -> bool:
        return self.result not in ("pass", "skip")


def main() -> int:
    options = arguments()
    with lab.lab() as description:
        env = {**os.environ, "TORTURE_LAB": json.dumps(description)}
        # The suite decides where it connects, not what the caller's shell happens to export.
        env = {name: value for name, value in env.items() if not name.startswith("PG")}
        checks = [
            check
            for check in collect({**env, "TORTURE_DRIVER": options.drivers[0]})
            if not options.only or check.id.startswith(tuple(options.only))
        ]
        results = {}
        for driver in options.drivers:
            chosen = {**env, "TORTURE_DRIVER": driver}
            done = run_all(checks, chosen, options.jobs)
            results[driver] = [again(check, chosen) for check in done] if options.again else done
    if options.out:
        options.out.write_text(json.dumps(as_json(results), indent=1))
    allowed = allowed_failures()
    return max(summary(driver, done, allowed) for driver, done in results.items())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drivers", nargs="+", default=["psycoxide"])
    parser.add_argument("--out", type=Path, help="write the results as JSON to this file")
    parser.add_argument("--jobs", type=int, default=2, help="checks at a time")
    parser.add_argument(
        "--again", action="store_true", help="run what failed thrice more, by itself, and say so"
    )
    parser.add_argument("only", nargs="*", help="beginnings of ids: A01, B")
    return parser.parse_args()


def collect(env: dict[str, str]) -> list[Check]:
    with tempfile.NamedTemporaryFile(suffix=".json") as listing:
        command = [*PYTEST, "--collect-only", "--list-checks", listing.name, str(HERE)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        rows = json.loads(Path(listing.name).read_text())
    return sorted((Check(**row) for row in rows), key=lambda check: check.id)


def run_all(checks: list[Check], env: dict[str, str], jobs: int) -> list[Check]:
    """Run the checks, several at a time where they do not disturb each other."""
    done = []
    for alone in (False, True):
        chosen = [check for check in checks if check.alone == alone]
        with concurrent.futures.ThreadPoolExecutor(1 if alone else jobs) as pool:
            for check in pool.map(lambda check: run(check, env), chosen):
                done.append(check)
                why = f"\n      {check.why}" if check.failed else ""
                line = f"{check.id:5} {check.result:5} {check.seconds:5.1f} s  {check.title[:70]}"
                print(line + why, flush=True)
    return sorted(done, key=lambda check: check.id)


def run(check: Check, env: dict[str, str]) -> Check:
    began = time.monotonic()
    process = subprocess.Popen(
        [*PYTEST, "-x", "--tb=short", str(HERE / check.nodeid)],
        cwd=HERE,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=check.timeout + GRACE)
        result = judge(process.returncode, output)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        result = "hang"
    finally:
        # What the check left running, if anything: the group is this runner's own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    errors = [line for line in output.splitlines() if line.startswith("E ")]
    why = " | ".join(errors[:4]) or output.strip()[-300:]
    seconds = round(time.monotonic() - began, 2)
    return dataclasses.replace(
        check, result=result, seconds=seconds, why=why[:600], output=output[-6000:]
    )


def again(check: Check, env: dict[str, str]) -> Check:
    """A check that failed, run three times more with nothing beside it: it fails if any fails.

    A machine that does much else can miss a limit. That it failed once is printed all the same.
    """
    if not check.failed:
        return check
    for _ in range(3):
        repeated = run(check, env)
        if repeated.failed:
            return repeated
    print(f"{check.id:5} unsteady: {check.result} once, then passed thrice\n      {check.why}")
    return repeated


def judge(code: int, output: str) -> str:
    if code == 0:
        return "skip" if " skipped" in output and " passed" not in output else "pass"
    # pytest-timeout tells the stacks between rows of plus signs, and ends the process.
    if "Timeout" in output and "+++" in output:
        return "hang"
    return "fail" if code == 1 else "crash"


def as_json(results: dict[str, list[Check]]) -> dict[str, list[dict[str, object]]]:
    return {
        driver: [dataclasses.asdict(check) for check in done] for driver, done in results.items()
    }


def allowed_failures() -> set[str]:
    """The checks that may fail, and why, stand in `allowed_failures.txt`."""
    lines = (HERE / "allowed_failures.txt").read_text().splitlines()
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def summary(driver: str, done: list[Check], allowed: set[str]) -> int:
    """Print what came out; psycoxide's failures make the exit code."""
    count = {
        kind: sum(check.result == kind for check in done)
        for kind in ("pass", "fail", "hang", "crash", "skip")
    }
    print(f"{driver}: " + ", ".join(f"{number} {kind}" for kind, number in count.items() if number))
    if driver != "psycoxide":
        return 0
    for check in done:
        if check.id in allowed and check.result == "pass":
            print(f"{check.id} passes: it need not be allowed to fail any more")
    unexpected = [check.id for check in done if check.failed and check.id not in allowed]
    if unexpected:
        print("failed: " + " ".join(unexpected))
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
