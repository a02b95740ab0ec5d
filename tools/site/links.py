"""Links of the manual's pages that a view of the repository can follow and the site cannot.

A hook of mkdocs (mkdocs.yml). A link to a file outside of docs/ becomes its text and the file's
path; a link to a folder of docs/ leads to that folder's README.md.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
_LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(([^()\s#]+)(#[^()\s]*)?\)")


def adapted(markdown: str, page: str) -> str:
    """The text of a page, `page` being its path in docs/. Links to nothing stay, to be reported."""

    def adapt(link: re.Match[str]) -> str:
        label, target = link[1], link[2]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
        if "://" in target or not (DOCS / path).exists():
            return link[0]
        if path.startswith("../"):
            return f"{label} (`{path[3:]}`)"
        if (DOCS / path).is_dir():
            return f"[{label}]({target.rstrip('/')}/README.md)"
        return link[0]

    return _LINK.sub(adapt, markdown)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for each page."""
    return adapted(markdown, page.file.src_uri)
