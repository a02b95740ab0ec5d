"""The suite's fixtures, as plugins: one subject a file under tests/fixtures/."""

import sys
from pathlib import Path

# The plugins are named as modules of this folder, wherever pytest was started.
sys.path.insert(0, str(Path(__file__).resolve().parent))

pytest_plugins = [
    "fixtures.server",
    "fixtures.connections",
    "fixtures.processes",
]
