"""Reports the outcome: a table by module, the failures, a JSON file, and the exit code."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import json
import re
from pathlib import Path

from .processes import Collected, Result

OUTCOMES = ("passed", "failed", "error", "timeout", "crash", "skipped")
BAD = ("failed", "error", "timeout", "crash")


def table(collected: Collected, results: list[Result], modules: list[str], wall: float) -> None:
    driver = collected.driver
    print(f"driver: {driver.get('name')} {driver.get('version')}, libpq {driver.get('libpq')}")
    width = max(len(name) for name in modules)
    row = "{:<" + str(width) + "} {:>6} " + " ".join(["{:>7}"] * len(OUTCOMES)) + " {:>7.1f}s{}"
    print(f"{'module':<{width}} {'tests':>6} " + " ".join(f"{name:>7}" for name in OUTCOMES))
    for name in modules:
        own = [result for result in results if result.module == name]
        count = collections.Counter(result.outcome for result in own)
        note = "  cannot be imported" if name in collected.not_imported else ""
        seconds = sum(result.seconds for result in own)
        print(row.format(name, len(own), *(count[o] for o in OUTCOMES), seconds, note))
    count = collections.Counter(result.outcome for result in results)
    print(row.format("TOTAL", len(results), *(count[o] for o in OUTCOMES), wall, ""))


def failures(results: list[Result]) -> None:
    for result in results:
        if result.outcome in BAD:
            name = result.id.removeprefix("tests.")
            print(f"{result.outcome.upper():7} {name}: {gist(result.text)}")
    reasons = collections.Counter(r.text for r in results if r.outcome == "skipped")
    for reason, count in reasons.most_common():
        print(f"skipped {count:3}: {reason}")


def gist(text: str, length: int = 160) -> str:
    """The most telling line of a traceback."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    if lines[0].startswith(("timed out", "worker ended")):
        at = re.search(r'File "[^"]*/tests/([^"]+)", line (\d+)', text)
        return lines[0] + (f", at {at[1]}:{at[2]}" if at else "")
    for line in reversed(lines):  # a server's message may have several lines
        if re.match(r"(?!LINE|DETAIL|HINT|CONTEXT|QUERY)[A-Za-z_][\w.]*(: |$)", line):
            return line[:length]
    return lines[-1][:length]


def save(path: Path, collected: Collected, results: list[Result], wall: float) -> None:
    count = collections.Counter(result.outcome for result in results)
    content = {
        "driver": collected.driver,
        "wall": round(wall, 1),
        "total": {name: count[name] for name in OUTCOMES},
        "not_imported": collected.not_imported,
        "tests": [dataclasses.asdict(result) for result in results],
    }
    path.write_text(json.dumps(content, indent=1))


def read_globs(path: Path | None) -> list[str]:
    if path is None:
        return []
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def verdict(
    results: list[Result], collected: Collected, allowed: list[str], at_least: int | None
) -> int:
    """Print the closing line. Returns 1 if fewer tests passed than must, or, without that figure,
    if a test failed that is not an allowed failure."""
    bad = [result.id for result in results if result.outcome in BAD]
    passed = sum(result.outcome == "passed" for result in results)
    skipped = sum(result.outcome == "skipped" for result in results)
    unexpected = [name for name in bad if not any(fnmatch.fnmatch(name, glob) for glob in allowed)]
    for name in collected.not_imported:
        print(f"tests.{name} cannot be imported: {gist(collected.not_imported[name])}")
    ran = passed + len(bad)
    share = 100 * passed / ran if ran else 0.0
    print(
        f"psycopg2's own suite: {passed} of {ran} pass ({share:.1f} %), {skipped} skipped, "
        f"{len(bad) - len(unexpected)} of the failures expected"
    )
    if at_least is not None:
        if passed < at_least:
            print(f"at least {at_least} passed before: something broke")
        return int(passed < at_least)
    return int(bool(unexpected or collected.not_imported or not results))
