"""The tour's output: sections, steps, code, tables, bars, and counted checks."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

BAR_WIDTH = 44
NARROW = 20


class Unexpected(Exception):
    """A check of the tour failed."""


class Show:
    """Prints, checks, and counts the checks."""

    def __init__(self) -> None:
        # A pipe or a log file has no width of its own, and a small width would cut the tables.
        console = Console(highlight=False)
        self.console = console if console.is_terminal else Console(highlight=False, width=100)
        self.seen: list[tuple[str, str]] = []
        self.current = ""

    def title(self, text: str) -> None:
        self.console.print(Panel(Text(text, justify="center"), style="bold cyan"))

    def section(self, number: int, title: str, lead: str) -> None:
        self.current = title
        self.console.print()
        self.console.print(Rule(f"[bold]{number}. {title}[/] [dim]{lead}[/]", align="left"))

    def step(self, text: str) -> None:
        self.console.print(f"\n[cyan]▸[/] {text}")

    def code(self, source: str | Callable[..., Any] | type, language: str = "python") -> None:
        """Show a snippet, or the source of the function or class that runs next."""
        text = source if isinstance(source, str) else inspect.getsource(source)
        self.console.print()
        syntax = Syntax(
            textwrap.dedent(text).strip(),
            language,
            theme="ansi_dark",
            background_color="default",
            padding=(0, 4),
            word_wrap=True,
        )
        self.console.print(syntax)

    def value(self, label: str, value: Any) -> None:
        self.console.print(f"    {label} ", Text(str(value), style="green"), sep="")

    def table(self, headings: list[str], rows: Iterable[Iterable[Any]]) -> None:
        """Narrow columns get the width they need, wide ones share the rest and are cut."""
        cells = [[str(cell) for cell in row] for row in rows]
        needed = [max(map(cell_len, column)) for column in zip(headings, *cells)]
        wide = [width for width in needed if width >= NARROW]
        room = self.console.width - 3 * len(needed) - sum(needed) + sum(wide)
        table = Table(show_edge=False, pad_edge=True, header_style="dim")
        for heading, width in zip(headings, needed):
            fits = width if width < NARROW else min(width, room // len(wide))
            table.add_column(heading, no_wrap=True, width=fits)
        for row in cells:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def bars(self, unit: str, rows: list[tuple[str, float, str]]) -> None:
        """A bar for each row, all on one scale; a row has a label, a value and a remark."""
        largest = max(value for _label, value, _remark in rows)
        width = max(len(label) for label, _value, _remark in rows)
        for label, value, remark in rows:
            bar = "█" * max(1, round(BAR_WIDTH * value / largest))
            self.console.print(
                f"    {label:<{width}} [cyan]{bar}[/] {value:.0f} {unit}  [dim]{remark}[/]"
            )

    def curve(self, label: str, samples: list[float], largest: float) -> None:
        """A value over time, as a line of small bars."""
        marks = "▁▂▃▄▅▆▇█"
        line = "".join(marks[min(7, int(8 * value / (largest or 1)))] for value in samples)
        self.console.print(f"    {label} [cyan]{line}[/]")

    def check(self, what: str, got: Any, wanted: Any = True) -> None:
        """Print that something holds, after checking it; if it does not, the tour ends here."""
        if got != wanted:
            raise Unexpected(f"{what}: got {got!r}, wanted {wanted!r}")
        self.seen.append((self.current, what))
        self.console.print(f"    [green]✔[/] {what}")

    def failed(self, text: str) -> None:
        self.console.print(Panel(Text(text), title="the tour ends here", style="bold red"))

    def summary(self, seconds: float) -> None:
        self.console.print()
        table = Table("section", "what was shown, and checked", title="What you saw", style="dim")
        last = ""
        for section, what in self.seen:
            table.add_row(section if section != last else "", Text(what))
            last = section
        self.console.print(table)
        self.console.print(f"[bold green]{len(self.seen)} checks held[/] in {seconds:.1f} s")
