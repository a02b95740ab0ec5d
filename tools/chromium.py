#!/usr/bin/env python3
"""Installs Debian's Chromium for the tests that need a browser, where there is none and we may.

Where we may not, it says so and ends well: those tests are then skipped, naming the reason.
"""

from __future__ import annotations

import shutil
import sys

import packages

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The path of a Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def main() -> int:
    if find():
        return 0
    if not packages.may_install():
        print("no Chromium here (apt-get install chromium needs root)", file=sys.stderr)
        return 0
    print("installing Debian's chromium", file=sys.stderr)
    if not packages.install(["chromium"]):
        print("apt-get could not install chromium", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
