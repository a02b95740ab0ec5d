"""Keeping secrets out of what is shown.

Secret options are never shown in the first place. This is for texts that others made: errors of the
driver, of the server and of the system may repeat a part of what they were given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
# Parts of names that options with secrets have, here and in other software.
MARKS = ("pass", "pwd", "secret", "key", "token", "credential")

# Shorter secrets are a part of many words, which tell nothing of them.
_SHORT = 4


class Redactor:
    """Puts `***` in the place of secrets in texts."""

    def __init__(self) -> None:
        self._secrets: list[str] = []
        self._shown: set[str] = set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these from now on, also as they are written in URIs and quoted values."""
        for secret in filter(None, secrets):
            quoted = secret.replace("\\", "\\\\").replace("'", "\\'")
            for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), quoted):
                if form not in self._secrets:
                    self._secrets.append(form)
        # The longest first: a shorter one may be a part of it.
        self._secrets.sort(key=len, reverse=True)

    def show(self, values: Iterable[str]) -> None:
        """These are no secrets, even if a password is the same text."""
        self._shown.update(values)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            if secret in self._shown:
                continue
            if len(secret) < _SHORT:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
            else:
                text = text.replace(secret, HIDDEN)
        return text

    def value(self, value: Any) -> Any:
        """The same for all texts in lists and dicts; the keys of dicts are our own."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value
