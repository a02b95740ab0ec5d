"""The manual names every option of a connection, with its environment variable."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
KEYWORDS = ROOT / "crates" / "psycoxide-net" / "src" / "config" / "keywords.rs"

_KEYWORD = re.compile(r'^    (?:option|secret)\("(\w+)", (?:Some\("(\w+)"\)|None)', re.MULTILINE)


def test_every_option_is_in_the_manual():
    text = "".join(
        (ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("connecting.md", "tls.md")
    )
    named = set(re.findall(r"`(\w+)`", text))
    options = _KEYWORD.findall(KEYWORDS.read_text(encoding="utf-8"))
    assert len(options) > 45
    missing = {name for option in options for name in option if name} - named
    assert not missing
