"""The entry point `pyinstaller40`: it tells PyInstaller where the package's hooks are.

See <https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package>.
"""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """The directories of hooks: just one. It is no package, as hooks are no modules of ours."""
    return [os.path.join(os.path.dirname(os.path.abspath(__file__)), "hooks")]
