"""The pictures of docs/performance.md, drawn from the tables of that page and from nothing else.

So a picture is as old as its table: after a change of the table it is drawn anew. A test compares
them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.sax.saxutils import escape

MARKS = ("<!-- figures -->", "<!-- end of figures -->")
COLOURS = {
    "psycoxide": "#b7410e",
    "psycopg": "#5b8db8",
    "psycopg-binary": "#a6c3dc",
    "asyncpg": "#8fb573",
    "psqlpy": "#c9a94f",
}
# The workloads at the top of the page, in words.
GLANCE = {
    "rt_simple": "20,000 round trips",
    "rt_param": "20,000 statements with parameters",
    "f_text5": "300,000 rows of short texts",
    "f_numeric": "300,000 numerics",
    "f_mixed": "200,000 rows of mixed columns",
    "f_tstz": "300,000 timestamps",
    "d_dict": "200,000 rows as dictionaries",
    "f_uuid": "300,000 uuids",
    "copy_in": "1,000,000 rows by COPY FROM",
    "copy_out": "2,000,000 rows by COPY TO",
}
FONT = 'font-family="system-ui, sans-serif"'


class Ratios(NamedTuple):
    """A workload: each driver's figure, and psycoxide's goal."""

    name: str
    own: dict[str, float]
    wanted: float | None


class Growth(NamedTuple):
    """A line: its first and last size, and its slope; psycopg2's slope, and how many times as fast
    psycoxide is, if these are known."""

    name: str
    first: str
    last: str
    slope: float
    baseline: float | None
    times: float | None


def draw(page: str) -> dict[str, str]:
    """The page's pictures, by the names of their files, drawn from its tables."""
    found = sections(page)
    made = {}
    if ratios := list(ratios_of(found.get("", ""))):
        made["ratios.svg"] = bars(ratios)
        if chosen := {row.name: row.own["psycoxide"] for row in ratios if row.name in GLANCE}:
            made["glance.svg"] = glance(chosen)
    if growths := list(growths_of(found.get("Growth", ""))):
        made["growth.svg"] = slopes(growths)
    return made


def sections(page: str) -> dict[str, str]:
    """The sections between the marks, by their headings; the first one's heading is empty."""
    inside = page.partition(MARKS[0])[2].partition(MARKS[1])[0]
    first, *others = re.split(r"^## ", inside, flags=re.MULTILINE)
    parts = (part.partition("\n") for part in others)
    return {"": first.strip(), **{title: body.strip() for title, _, body in parts}}


def rows(section: str) -> Iterator[tuple[str, list[str]]]:
    """The rows of a section's table: the name in backquotes, and the other cells."""
    for line in section.splitlines():
        named = re.match(r"\| .*`(\w+)`\)? \|", line)
        if named:
            yield named[1], [cell.strip() for cell in line.strip("|").split("|")][1:]


def ratios_of(section: str) -> Iterator[Ratios]:
    """A table's ratios of client CPU, which are the first number in its cells."""
    head = next((line for line in section.splitlines() if line.startswith("| |")), "")
    drivers = [cell.strip() for cell in head.strip("|").split("|")][1:-1]
    for name, (*cells, wanted) in rows(section):
        figures = {
            driver: float(cell.split(" ")[0]) for driver, cell in zip(drivers, cells) if cell != "-"
        }
        yield Ratios(name, figures, float(wanted) if wanted else None)


def growths_of(section: str) -> Iterator[Growth]:
    for name, (first, last, slope, *beside) in rows(section):
        baseline, times = map(float, beside) if beside else (None, None)
        yield Growth(name, first, last.partition(" ")[0], float(slope), baseline, times)


def bars(workloads: list[Ratios]) -> str:
    """A group of bars for each workload, on a logarithmic scale."""
    left, width, bar, gap, top = 160, 600, 7, 8, 56
    most = max(value for row in workloads for value in row.own.values())
    low, high = math.log(0.25), math.log(most * 1.3)

    def at(value: float) -> float:
        return left + width * (math.log(max(value, 0.25)) - low) / (high - low)

    y: float = top
    out = []
    for name, own, wanted in workloads:
        out.append(text(left - 8, y + bar * len(own) / 2 + 4, name, "end"))
        for driver, value in own.items():
            start, end = sorted((at(1), at(value)))
            out.append(rectangle(start, y, max(end - start, 1), bar - 1, COLOURS[driver]))
            if driver == "psycoxide":
                # To the right of the goal's mark, if that is near.
                mark = at(wanted or 1)
                clear = mark if 0 <= mark - end < 28 else end
                out.append(text(max(clear, at(1)) + 4, y + bar, f"{value:.1f}", "start", 10))
            y += bar
        if wanted:
            upper = y - bar * len(own)
            out.append(vertical(at(wanted), upper - 2, upper + bar, "#111", 2))
        y += gap
    grid = []
    for value in (0.25, 0.5, 1, 2, 5, 10, 20, 50):
        if math.log(value) <= high:
            grid.append(vertical(at(value), top - 6, y, "#444" if value == 1 else "#ddd"))
            grid.append(text(at(value), top - 12, f"{value:g}", "middle", 11))
    legend, x = [], float(left)
    for driver in [name for name in COLOURS if any(name in row.own for row in workloads)]:
        legend.append(rectangle(x, 14, 11, 11, COLOURS[driver]))
        legend.append(text(x + 16, 24, driver))
        x += 34 + 7 * len(driver)
    legend.append(text(x + 10, 24, "psycopg2's client CPU over the driver's; | is wanted"))
    return picture(left + width + 60, y + 10, grid + out + legend)


def glance(own: dict[str, float]) -> str:
    """A bar for each workload of GLANCE: how many times psycopg2's client CPU is psycoxide's."""
    left, width, step, top = 260, 420, 24, 40
    bottom = top + step * len(own)
    scale = width / max(1.0, *own.values())
    out = [text(12, 20, "psycopg2's client CPU over psycoxide's: at 1 both need the same")]
    for index, name in enumerate(name for name in GLANCE if name in own):
        y, end = top + step * index, own[name] * scale
        out.append(text(left - 8, y + 13, GLANCE[name], "end"))
        out.append(rectangle(left, y, end, 17, COLOURS["psycoxide"]))
        out.append(text(left + end + 6, y + 13, f"{own[name]:.1f}"))
    out.append(vertical(left + scale, top - 6, bottom, "#444"))
    return picture(left + width + 60, bottom + 8, out)


def slopes(growths: list[Growth]) -> str:
    """A dot for each slope, between growth in proportion and growth with the square, and a ring for
    psycopg2's."""
    left, width, step, top = 130, 420, 22, 62
    bottom = top + step * len(growths)
    found = [row.slope for row in growths] + [row.baseline or row.slope for row in growths]
    least, most = min(0.5, *found), max(2.0, *found)

    def at(slope: float) -> float:
        return left + width * (slope - least) / (most - least)

    out = [text(12, 20, "client CPU over size, both logarithmic: the slope of each, and the sizes")]
    for value, words in ((0.5, "0.5"), (1.0, "1: in proportion"), (1.5, "1.5"),
                         (2.0, "2: with the square")):  # fmt: skip
        out.append(vertical(at(value), top - 8, bottom, "#444" if value == 1 else "#ddd"))
        out.append(text(at(value), top - 14, words, "middle", 11))
    for index, (name, first, last, slope, baseline, times) in enumerate(growths):
        y = top + step * index + 10
        out.append(text(left - 8, y + 4, name, "end"))
        start, end = sorted((at(1), at(slope)))
        out.append(rectangle(start, y - 1, end - start, 2, COLOURS["psycoxide"]))
        out.append(f'<circle cx="{at(slope):.1f}" cy="{y}" r="4" fill="{COLOURS["psycoxide"]}"/>')
        if baseline is not None:
            out.append(
                f'<circle cx="{at(baseline):.1f}" cy="{y}" r="4" fill="none" stroke="#444"/>'
            )
        out.append(
            text(max(at(slope), at(baseline or 1), at(1)) + 9, y + 4, f"{slope:.2f}", "start", 11)
        )
        beside = "" if times is None else f", {times:.1f} times as fast as psycopg2"
        out.append(text(left + width + 20, y + 4, f"{first} to {last}{beside}", "start", 11))
    return picture(left + width + 180 + 160 * any(row.times for row in growths), bottom + 12, out)


def rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" fill="{fill}"/>'


def vertical(x: float, above: float, below: float, stroke: str, width: int = 1) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{above:.1f}" y2="{below:.1f}" '
        f'stroke="{stroke}" stroke-width="{width}"/>'
    )


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
