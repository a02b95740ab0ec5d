"""What PyInstaller asks, by the entry point `pyinstaller40`, where the package's hooks are.

See <https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package>.
"""

from __future__ import annotations

import os


def hook_dirs() -> list[str]:
    """The directories of hooks: one that is no package, as they are no modules of ours."""
    return [os.path.join(os.path.dirname(os.path.abspath(__file__)), "hooks")]
