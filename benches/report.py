"""Prints a workload's figures and, at the end, the ratios in a Markdown table for each baseline."""

from __future__ import annotations

import statistics
from typing import Any

import workloads
from targets import MOST_EACH, TARGETS
from workloads import Workload

Runs = dict[str, list[dict[str, Any]]]


def median(runs: list[dict[str, Any]], field: str) -> float:
    return float(statistics.median(run[field] for run in runs))


def least(runs: list[dict[str, Any]], field: str) -> float:
    return float(min(run[field] for run in runs))


def ratio(base: float, value: float) -> float:
    return base / value if value else float("nan")


def workload(of: Workload, runs: Runs, absent: dict[str, str]) -> None:
    base = runs.get(of.baseline) or []
    print(f"\n{of.name}: {of.about}")
    heads = ["cpu s", "user", "sys", "least", "wall s", "server", "MB"]
    ratios = ["cpu", "least", "wall", "rss"]
    print(f"{'':16}" + "".join(f"{head:>8}" for head in heads) + "  |" + "".join(
        f"{head + ' x':>8}" for head in ratios
    ))  # fmt: skip
    for driver, own in runs.items():
        if driver in absent:
            print(f"{driver:16}  {absent[driver]}")
            continue
        figures = [median(own, "cpu"), median(own, "user"), median(own, "system"),
                   least(own, "cpu"), median(own, "wall"), median(own, "server")]  # fmt: skip
        line = f"{driver:16}" + "".join(f"{figure:8.3f}" for figure in figures)
        line += f"{median(own, 'rss') / 1024:8.1f}  |"
        if base:
            line += "".join(f"{value:8.2f}" for value in compared(base, own))
        if "rss_fetched" in own[0]:
            line += f"  {memory_note(own)}"
        if "rss_each" in own[0]:
            line += f"  {median(own, 'rss_each'):.0f} kB each"
        print(line, flush=True)


def compared(base: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[float]:
    """Ratios of median CPU, least CPU, median wall clock, median peak RSS."""
    return [
        ratio(median(base, "cpu"), median(own, "cpu")),
        ratio(least(base, "cpu"), least(own, "cpu")),
        ratio(median(base, "wall"), median(own, "wall")),
        ratio(median(base, "rss"), median(own, "rss")),
    ]


def least_ratios(base: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[float]:
    """Ratios of the minima of CPU, wall clock and peak RSS: these are steady on a busy machine."""
    return [ratio(least(base, field), least(own, field)) for field in ("cpu", "wall", "rss")]


def memory_note(own: list[dict[str, Any]]) -> str:
    start = median(own, "rss_before")
    fetched = f"+{(median(own, 'rss_fetched') - start) / 1024:.0f} MB after fetchall"
    if "rss_executed" not in own[0]:
        return fetched
    return f"+{(median(own, 'rss_executed') - start) / 1024:.0f} MB after execute, {fetched}"


def summary(everything: dict[str, Runs], drivers: list[str]) -> None:
    """A table for each baseline: CPU by medians (by minima), wall, memory; the baseline is 1."""
    found: dict[str, dict[str, Runs]] = {}
    for name, runs in everything.items():
        baseline = workloads.ALL[name].baseline
        if runs.get(baseline):
            found.setdefault(baseline, {})[name] = runs
    for baseline, of_baseline in found.items():
        present = [one for one in drivers if any(one in runs for runs in of_baseline.values())]
        ratios(baseline, of_baseline, [one for one in present if one != baseline])


def ratios(baseline: str, everything: dict[str, Runs], others: list[str]) -> None:
    print(
        f"\n{baseline}'s figure over the driver's (more is better): cpu median (least), wall, rss\n"
    )
    print(f"| workload | {' | '.join(others)} | wanted |")
    print("|---" * (len(others) + 2) + "|")
    for name, runs in everything.items():
        base = runs[baseline]
        cells = []
        for driver in others:
            own = runs.get(driver)
            if own:
                cpu, best, wall, rss = compared(base, own)
                cells.append(f"{cpu:.2f} ({best:.2f}), {wall:.2f}, {rss:.2f}")
            else:
                cells.append("—")
        print(f"| {name} | {' | '.join(cells)} | {verdict(name, base, runs.get('psycoxide'))} |")


def verdict(name: str, base: list[dict[str, Any]], own: list[dict[str, Any]] | None) -> str:
    """The goal for psycoxide's least CPU or for its memory, and whether it is met."""
    if own and name in MOST_EACH:
        most = MOST_EACH[name]
        met = least(own, "rss_each") <= most
        return f"up to {most} kB each" + ("" if met else ": behind")
    wanted = TARGETS.get(name)
    if not wanted or not own:
        return ""
    return f"{wanted:g}" if compared(base, own)[1] >= wanted else f"{wanted:g}: behind"
