"""The suite's fixtures, as plugins: one subject a file under tests/fixtures/."""

import signal
import sys
from pathlib import Path

# The plugins are named as modules of this folder, wherever pytest was started.
sys.path.insert(0, str(Path(__file__).resolve().parent))

# A shell starts what runs in the background with Ctrl-C ignored, and so would every process that a
# test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "fixtures.scripted_server",
    "fixtures.server",
    "fixtures.connections",
    "fixtures.loops",
    "fixtures.processes",
    "fixtures.environments",
    "fixtures.relay",
    "fixtures.pooler",
    "fixtures.ports",
    "fixtures.isolated",
    "fixtures.browser",
    "fixtures.properties",
    "fixtures.push",
    "fixtures.web",
    "fixtures.shop",
]
