"""Settings of the process for the tests of the tools."""

import signal

# A shell starts background processes with Ctrl-C ignored, and the processes that a test starts and
# interrupts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
