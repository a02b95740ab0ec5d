"""What the tests of the tools need of their process."""

import signal

# A shell starts what runs in the background with Ctrl-C ignored, and so would every process that a
# test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
