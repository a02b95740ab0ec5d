"""Colours, as people and notifications name them."""

from __future__ import annotations

import dataclasses

import webcolors

# webcolors knows the names of CSS 3; CSS 4 has one more.
LATER = {"rebeccapurple": "#663399"}


class NotAColour(ValueError):
    """Neither the name of a colour in CSS nor #rrggbb."""


@dataclasses.dataclass(frozen=True)
class Colour:
    """A colour that may be shown: it has only what `parse` recognised."""

    name: str
    code: str  # always #rrggbb


def parse(text: str) -> Colour:
    """The colour that `text` names, by a name of CSS ('red'), as #rrggbb or as #rgb.

    Raises `NotAColour`. Text from others goes through here before it goes anywhere else.
    """
    name = text.strip().lower()
    try:
        if name.startswith("#"):
            code = webcolors.normalize_hex(name)
            return Colour(code, code)
        return Colour(name, LATER.get(name) or webcolors.name_to_hex(name))
    except ValueError:
        raise NotAColour(f"{brief(text)} is no colour") from None


def brief(text: str, most: int = 40) -> str:
    """Text from outside, quoted and cut, fit for a message or a terminal."""
    return ascii(text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}")
