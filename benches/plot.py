"""Writes the results of `make bench` and `make bench-growth` into docs/performance.md.

    python benches/plot.py [--bench .cache/bench.json] [--again FILE ...]
                           [--asleep .cache/bench-asleep.json]
                           [--one .cache/bench-1.json] [--growth .cache/growth.json]

The workloads that are compared with asyncpg have a section of their own, and so have those that
make Arrow tables.
Only the part of the page between the marks is written anew, and in it only the sections with a
file. The SVG files beside the page are drawn from its new tables.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pictures
import workloads
from drivers import BASELINE, Asyncpg
from report import compared, least, least_ratios
from targets import HOPES, MOST_EACH, TARGETS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "performance.md"
PICTURES = DOCS / "pictures"
# The sections between the marks, in their order; the first has no heading.
AGAIN, AWAITED, ARROW, ASLEEP, ONE, GROWTH = (
    "The same again",
    "Coroutines, beside asyncpg",
    "Arrow tables",
    "With processors that sleep",
    "On one processor",
    "Growth",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="plot", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(".cache/bench.json"))
    parser.add_argument("--again", type=Path, nargs="*", default=[], help="further such runs")
    parser.add_argument("--asleep", type=Path, default=Path(".cache/bench-asleep.json"))
    parser.add_argument("--one", type=Path, default=Path(".cache/bench-1.json"))
    parser.add_argument("--growth", type=Path, default=Path(".cache/growth.json"))
    options = parser.parse_args()
    page = written(PAGE.read_text(), options)
    PAGE.write_text(page)
    PICTURES.mkdir(exist_ok=True)
    for name, drawn in pictures.draw(page).items():
        (PICTURES / name).write_text(drawn)
    return 0


def written(page: str, options: argparse.Namespace) -> str:
    """The page, in which the sections with a file are written anew."""
    parts = pictures.sections(page)
    if options.bench.exists():
        whole = json.loads(options.bench.read_text())
        arrow = {name: whole[name] for name in workloads.GROUPS["arrow"] if name in whole}
        bench = {name: runs for name, runs in whole.items() if name not in arrow}
        if compared_with(BASELINE, bench):
            parts[""] = "![client CPU against psycopg2](pictures/ratios.svg)\n\n" + table(bench)
            # The further runs were compared with an earlier one: they say nothing about this.
            parts.pop(AGAIN, None)
            if options.again:
                runs = [bench, *(json.loads(path.read_text()) for path in options.again)]
                parts[AGAIN] = runs_table(runs)
        if awaited := compared_with(Asyncpg.name, bench):
            parts[AWAITED] = awaited_table(awaited)
        if arrow:
            parts[ARROW] = arrow_table(arrow)
    for title, path in ((ASLEEP, options.asleep), (ONE, options.one)):
        if path.exists():
            parts[title] = table(json.loads(path.read_text()))
    if options.growth.exists():
        growth = json.loads(options.growth.read_text())
        parts[GROWTH] = "![growth](pictures/growth.svg)\n\n" + growth_table(growth)
    before, _, rest = page.partition(pictures.MARKS[0])
    _, _, after = rest.partition(pictures.MARKS[1])
    inside = [
        (f"## {title}\n\n" if title else "") + parts[title].strip()
        for title in ("", AGAIN, AWAITED, ARROW, ASLEEP, ONE, GROWTH)
        if parts.get(title)
    ]
    return "\n\n".join([before + pictures.MARKS[0], *inside, pictures.MARKS[1] + after])


def compared_with(baseline: str, bench: dict[str, Any]) -> dict[str, Any]:
    """The workloads with this baseline, as far as there are figures of it and of psycoxide."""
    return {
        name: runs
        for name, runs in bench.items()
        if workloads.ALL[name].baseline == baseline and runs.get(baseline) and runs.get("psycoxide")
    }


def drivers_of(bench: dict[str, Any]) -> list[str]:
    """The drivers with figures, ours first."""
    found = {driver for runs in bench.values() for driver, own in runs.items() if own}
    return [driver for driver in pictures.COLOURS if driver in found]


def table(bench: dict[str, Any]) -> str:
    bench = compared_with(BASELINE, bench)
    drivers = drivers_of(bench)
    lines = [
        f"| | {' | '.join(drivers)} | wanted |",
        "|---" * (len(drivers) + 2) + "|",
    ]
    for name, runs in bench.items():
        base = runs[BASELINE]
        cells = []
        for driver in drivers:
            own = runs.get(driver)
            if not own:
                cells.append("-")
                continue
            _cpu, least, wall, rss = compared(base, own)
            cells.append(f"{least:.2f} · {wall:.2f} · {rss:.2f}")
        wanted = TARGETS.get(name)
        about = f"{workloads.ALL[name].about} (`{name}`)"
        lines.append(f"| {about} | {' | '.join(cells)} | {wanted or ''} |")
    return "\n".join(lines) + "\n"


def runs_table(benches: list[dict[str, Any]]) -> str:
    """psycoxide's ratios in each of several runs: client CPU and wall time beside psycopg2."""
    lines = [
        f"| |{' run |' * len(benches)} wanted |",
        "|---" * (len(benches) + 2) + "|",
    ]
    for name, wanted in TARGETS.items():
        if workloads.ALL[name].baseline != BASELINE:
            continue
        own = [bench[name] for bench in benches if name in bench]
        found = [compared(runs[BASELINE], runs["psycoxide"]) for runs in own]
        cells = [f"{least:.2f} · {wall:.2f}" for _cpu, least, wall, _rss in found]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {wanted} |")
    return "\n".join(lines) + "\n"


def awaited_table(bench: dict[str, Any]) -> str:
    """The ratios of minima: client CPU, wall time and memory of asyncpg over the driver's."""
    drivers = [driver for driver in drivers_of(bench) if driver != Asyncpg.name]
    lines = [
        f"| | {' | '.join(drivers)} | wanted | hoped for |",
        "|---" * (len(drivers) + 3) + "|",
    ]
    for name, runs in bench.items():
        cells = [awaited_cell(name, runs[Asyncpg.name], runs.get(driver)) for driver in drivers]
        wanted = f"up to {MOST_EACH[name]} kB" if name in MOST_EACH else TARGETS.get(name, "")
        cells += [str(wanted), str(HOPES.get(name, ""))]
        lines.append(f"| {workloads.ALL[name].about} (`{name}`) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def awaited_cell(name: str, base: list[dict[str, Any]], own: list[dict[str, Any]] | None) -> str:
    if not own:
        return "-"
    if name in MOST_EACH:
        return f"{least(own, 'rss_each'):.0f} kB each, {least(own, 'cpu'):.3f} s"
    return " · ".join(f"{value:.2f}" for value in least_ratios(base, own))


def arrow_table(bench: dict[str, Any]) -> str:
    """The ratios of minima: each peer's over psycoxide's. Each workload has its own peers."""
    lines = ["| | beside | client CPU · wall · memory | wanted |", "|---" * 4 + "|"]
    for name, runs in bench.items():
        baseline = workloads.ALL[name].baseline
        for peer in [baseline, *(one for one in runs if one not in (baseline, "psycoxide"))]:
            if not runs.get(peer) or not runs.get("psycoxide"):
                continue
            ratios = least_ratios(runs[peer], runs["psycoxide"])
            cell = " · ".join(f"{value:.2f}" for value in ratios)
            wanted = TARGETS.get(name, "") if peer == baseline else ""
            lines.append(f"| {workloads.ALL[name].about} (`{name}`) | {peer} | {cell} | {wanted} |")
    return "\n".join(lines) + "\n"


def growth_table(growth: dict[str, Any]) -> str:
    lines = ["| what grows | from | to | slope | psycopg2's | times as fast |", "|---" * 6 + "|"]
    for name, own in growth.items():
        first, last = own["points"][0][0], own["points"][-1][0]
        note = f" (not {own['left_out']}: memory)" if own["left_out"] else ""
        lines.append(
            f"| {own['about']} (`{name}`) | {first:,} | {last:,}{note} | {own['slope']:.2f}"
            f" | {own['baseline']:.2f} | {own['times']:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
