"""Writes what `make bench` and `make bench-growth` found into docs/performance.md, with pictures.

    python benches/plot.py [--bench .cache/bench.json] [--again FILE ...]
                           [--asleep .cache/bench-asleep.json]
                           [--one .cache/bench-1.json] [--growth .cache/growth.json]

Only the part of the page between the marks is written anew, and the SVG files beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import workloads
from drivers import BASELINE
from report import compared
from targets import TARGETS

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "performance.md"
PICTURES = DOCS / "pictures"
MARKS = ("<!-- figures -->", "<!-- end of figures -->")
COLOURS = {
    "psycoxide": "#b7410e",
    "psycopg": "#5b8db8",
    "psycopg-binary": "#a6c3dc",
    "asyncpg": "#8fb573",
    "psqlpy": "#c9a94f",
}
FONT = 'font-family="system-ui, sans-serif"'


def main() -> int:
    parser = argparse.ArgumentParser(prog="plot", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bench", type=Path, default=Path(".cache/bench.json"))
    parser.add_argument("--again", type=Path, nargs="*", default=[], help="further such runs")
    parser.add_argument("--asleep", type=Path, default=Path(".cache/bench-asleep.json"))
    parser.add_argument("--one", type=Path, default=Path(".cache/bench-1.json"))
    parser.add_argument("--growth", type=Path, default=Path(".cache/growth.json"))
    options = parser.parse_args()
    parts = []
    PICTURES.mkdir(exist_ok=True)
    if options.bench.exists():
        bench = json.loads(options.bench.read_text())
        drivers = drivers_of(bench)
        (PICTURES / "ratios.svg").write_text(bars(bench, drivers))
        parts.append("![client CPU against psycopg2](pictures/ratios.svg)\n")
        parts.append(table(bench, drivers))
        if options.again:
            runs = [bench, *(json.loads(path.read_text()) for path in options.again)]
            parts.append("## The same again\n")
            parts.append(runs_table(runs))
    for title, path in (
        ("With processors that sleep", options.asleep),
        ("On one processor", options.one),
    ):
        if path.exists():
            bench = json.loads(path.read_text())
            parts.append(f"## {title}\n")
            parts.append(table(bench, drivers_of(bench)))
    if options.growth.exists():
        growth = json.loads(options.growth.read_text())
        (PICTURES / "growth.svg").write_text(slopes(growth))
        parts.append("## Growth\n\n![growth](pictures/growth.svg)\n")
        parts.append(growth_table(growth))
    text = PAGE.read_text()
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(f"{before}{MARKS[0]}\n\n" + "\n".join(parts) + f"\n{MARKS[1]}{after}")
    return 0


def drivers_of(bench: dict[str, Any]) -> list[str]:
    """Those with figures, ours first."""
    found = {driver for runs in bench.values() for driver, own in runs.items() if own}
    return [driver for driver in COLOURS if driver in found]


def table(bench: dict[str, Any], drivers: list[str]) -> str:
    lines = [
        f"| | {' | '.join(drivers)} | wanted |",
        "|---" * (len(drivers) + 2) + "|",
    ]
    for name, runs in bench.items():
        base = runs.get(BASELINE)
        if not base or not runs.get("psycoxide"):
            continue
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
    """What psycoxide had in each of several runs: client CPU and wall time beside psycopg2."""
    lines = [
        f"| |{' run |' * len(benches)} wanted |",
        "|---" * (len(benches) + 2) + "|",
    ]
    for name, wanted in TARGETS.items():
        own = [bench[name] for bench in benches if name in bench]
        found = [compared(runs[BASELINE], runs["psycoxide"]) for runs in own]
        cells = [f"{least:.2f} · {wall:.2f}" for _cpu, least, wall, _rss in found]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {wanted} |")
    return "\n".join(lines) + "\n"


def bars(bench: dict[str, Any], drivers: list[str]) -> str:
    """A group of bars for each workload, on a logarithmic scale."""
    rows = []
    for name, runs in bench.items():
        base = runs.get(BASELINE)
        if base and runs.get("psycoxide"):
            own = {
                driver: compared(base, runs[driver])[1] for driver in drivers if runs.get(driver)
            }
            rows.append((name, own))
    left, width, bar, gap, top = 160, 600, 7, 8, 56
    most = max(value for _, own in rows for value in own.values())
    low, high = math.log(0.25), math.log(most * 1.3)

    def at(value: float) -> float:
        return left + width * (math.log(max(value, 0.25)) - low) / (high - low)

    y: float = top
    out = []
    for name, own in rows:
        out.append(text(left - 8, y + bar * len(own) / 2 + 4, name, "end"))
        for driver, value in own.items():
            start, end = sorted((at(1), at(value)))
            out.append(
                f'<rect x="{start:.1f}" y="{y:.1f}" width="{max(end - start, 1):.1f}" '
                f'height="{bar - 1}" fill="{COLOURS[driver]}"/>'
            )
            if driver == "psycoxide":
                # Behind the mark of what is wanted, where that is near.
                mark = at(TARGETS.get(name, 1))
                clear = mark if 0 <= mark - end < 28 else end
                out.append(text(max(clear, at(1)) + 4, y + bar, f"{value:.1f}", "start", 10))
            y += bar
        if wanted := TARGETS.get(name):
            x, upper = at(wanted), y - bar * len(own)
            out.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{upper - 2:.1f}" y2="{upper + bar:.1f}" '
                'stroke="#111" stroke-width="2"/>'
            )
        y += gap
    grid = []
    for value in (0.25, 0.5, 1, 2, 5, 10, 20, 50):
        if math.log(value) <= high:
            grid.append(
                f'<line x1="{at(value):.1f}" x2="{at(value):.1f}" y1="{top - 6}" y2="{y:.0f}" '
                f'stroke="{"#444" if value == 1 else "#ddd"}"/>'
            )
            grid.append(text(at(value), top - 12, f"{value:g}", "middle", 11))
    legend, x = [], float(left)
    for driver in drivers:
        legend.append(f'<rect x="{x}" y="14" width="11" height="11" fill="{COLOURS[driver]}"/>')
        legend.append(text(x + 16, 24, driver))
        x += 34 + 7 * len(driver)
    legend.append(text(x + 10, 24, "psycopg2's client CPU over the driver's; | is wanted"))
    return picture(left + width + 60, y + 10, grid + out + legend)


def slopes(growth: dict[str, Any]) -> str:
    """Time over size, both relative to the first point shown, both logarithmic."""
    left, top, width, height = 60, 30, 520, 400
    names = list(growth)
    points = {name: [(size, seconds) for size, seconds in growth[name]["points"]] for name in names}
    xs = [math.log10(size) for own in points.values() for size, _ in own]
    ys = [math.log10(seconds) for own in points.values() for _, seconds in own]
    x0, x1, y0, y1 = min(xs), max(xs), math.floor(min(ys)), math.ceil(max(ys))

    def place(size: float, seconds: float) -> tuple[float, float]:
        across = left + width * (math.log10(size) - x0) / (x1 - x0)
        down = top + height * (1 - (math.log10(seconds) - y0) / (y1 - y0))
        return across, down

    out = []
    for power in range(y0, y1 + 1):
        _, down = place(10**x0, 10**power)
        out.append(f'<line x1="{left}" x2="{left + width}" y1="{down:.1f}" y2="{down:.1f}" '
                   'stroke="#ddd"/>')  # fmt: skip
        out.append(text(left - 6, down + 4, f"1e{power}", "end", 11))
    for power in range(math.ceil(x0), math.floor(x1) + 1):
        across, _ = place(10**power, 10**y0)
        out.append(f'<line x1="{across:.1f}" x2="{across:.1f}" y1="{top}" y2="{top + height}" '
                   'stroke="#ddd"/>')  # fmt: skip
        out.append(text(across, top + height + 16, f"1e{power}", "middle", 11))
    for index, name in enumerate(names):
        colour = f"hsl({index * 360 // len(names)}, 60%, 42%)"
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points[name]))
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = top + 18 * index + 8
        out.append(f'<rect x="{left + width + 14}" y="{y}" width="12" height="4" fill="{colour}"/>')
        label = f"{name}  {growth[name]['slope']:.2f}"
        out.append(text(left + width + 32, y + 6, label))
    out.append(text(left, 18, "seconds of client CPU over size; slopes beside"))
    return picture(left + width + 190, top + height + 30, out)


def growth_table(growth: dict[str, Any]) -> str:
    lines = ["| what grows | from | to | slope |", "|---|---|---|---|"]
    for name, own in growth.items():
        first, last = own["points"][0][0], own["points"][-1][0]
        note = f" (not {own['left_out']}: memory)" if own["left_out"] else ""
        lines.append(
            f"| {own['about']} (`{name}`) | {first:,} | {last:,}{note} | {own['slope']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'{FONT} fill="#222">{escape(words)}</text>'
    )


def picture(width: float, height: float, content: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}">\n'
        '<rect width="100%" height="100%" rx="8" fill="#fff"/>\n'
        + "\n".join(content)
        + "\n</svg>\n"
    )


if __name__ == "__main__":
    sys.exit(main())
