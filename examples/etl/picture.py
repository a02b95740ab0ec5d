"""The picture of memory over time, as SVG: dark lines and words on a white ground of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape

from memory import Sample

COLOURS = ("#b7410e", "#2f6c9e", "#5f7f3a")
INK, FAINT = "#222", "#ddd"
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 62, 44
WIDTH, HEIGHT = 620, 240


def draw(samples: list[Sample], imported: float, title: str) -> str:
    """The picture. `imported` is the memory in MB after the imports, which is a line of its own."""
    last = max((sample.seconds for sample in samples), default=0) or 1
    most = max([imported, *(sample.megabytes for sample in samples)])
    rungs = list(steps(most))
    highest = rungs[-1]

    def x(seconds: float) -> float:
        return LEFT + WIDTH * seconds / last

    def y(megabytes: float) -> float:
        return TOP + HEIGHT * (1 - megabytes / highest)

    out = [words(LEFT, 22, title, size=14)]
    for value in rungs:
        out.append(line(LEFT, y(value), LEFT + WIDTH, y(value), FAINT))
        out.append(words(LEFT - 8, y(value) + 4, f"{value:g}", "end"))
    out.append(words(LEFT - 8, TOP - 12, "MB", "end"))
    for value in steps(last):
        if value <= last:
            out.append(words(x(value), TOP + HEIGHT + 18, f"{value:g}", "middle"))
    out.append(words(LEFT + WIDTH, TOP + HEIGHT + 36, "seconds", "end"))
    for (phase, part), colour in zip(phases(samples), COLOURS):
        points = [(x(sample.seconds), y(sample.megabytes)) for sample in part]
        out.append(area(points, y(0), colour))
        out.append(words(points[0][0] + 4, TOP - 12, phase, fill=colour))
    out.append(line(LEFT, y(imported), LEFT + WIDTH, y(imported), INK, dashes="5 4"))
    out.append(words(LEFT + WIDTH - 4, y(imported) + 16, "after the imports", "end"))
    width, height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(title)}</title>\n"
        '<rect width="100%" height="100%" rx="8" fill="#fff"/>\n' + "\n".join(out) + "\n</svg>\n"
    )


def phases(samples: list[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    """The named phases in their order. Each lasts until the first sample of the next."""
    names = list(dict.fromkeys(sample.phase for sample in samples))
    for name in names:
        first = next(i for i, sample in enumerate(samples) if sample.phase == name)
        last = max(i for i, sample in enumerate(samples) if sample.phase == name)
        if name:
            yield name, samples[first : last + 2]


def steps(most: float) -> Iterator[float]:
    """Round numbers from 0 on, five to nine, of which the last is the first that is not below."""
    unit = 10.0 ** math.floor(math.log10(most))
    step = next(unit * part for part in (0.2, 0.25, 0.5, 1, 2) if most / (unit * part) <= 8)
    for number in range(math.ceil(most / step) + 1):
        yield round(step * number, 6)


def area(points: list[tuple[float, float]], floor: float, colour: str) -> str:
    along = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    first, last = points[0][0], points[-1][0]
    under = f"{first:.1f},{floor:.1f} {along} {last:.1f},{floor:.1f}"
    return (
        f'<polygon points="{under}" fill="{colour}" fill-opacity="0.18"/>\n'
        f'<polyline points="{along}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "none") -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-dasharray="{dashes}"/>'
    )


def words(
    x: float, y: float, text: str, anchor: str = "start", size: int = 12, fill: str = INK
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'font-family="system-ui, sans-serif" fill="{fill}">{escape(text)}</text>'
    )
