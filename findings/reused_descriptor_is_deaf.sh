#!/bin/sh
# add_reader() for a new socket does nothing, and says nothing, if an old one with the same number was
# closed without remove_reader().
#
# Seen: uvloop 0.23.0, asyncio of CPython 3.10 to 3.13, Linux, November 2026.
#
# A driver's socket is closed, by a library or a destructor, before its loop hears of it; the kernel gives
# the next socket the lowest free number, which is the old one's. Both loops find that number among
# their readers, so they put the new callback in the place of the old one and leave epoll alone, as
# it watches the number already. It does not: epoll forgot the old file when that was closed. The new
# socket is never heard of. One would expect an error, or that the later call counts. remove_reader() in
# between helps, even if it comes after the new socket was made.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check uvloop==0.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import socket

import uvloop


async def heard(remove):
    """How often a reader is called for a socket that is sent two bytes, one after the other."""
    loop = asyncio.get_running_loop()
    old, _old_peer = socket.socketpair()
    number = old.fileno()
    loop.add_reader(number, print, "the old reader was called")
    await asyncio.sleep(0.02)
    old.close()
    new, peer = socket.socketpair()
    assert new.fileno() == number
    if remove:
        loop.remove_reader(number)
    calls = []
    loop.add_reader(number, lambda: calls.append(new.recv(1)))
    for _ in range(2):
        peer.send(b"x")
        await asyncio.sleep(0.05)
    loop.remove_reader(number)
    return len(calls)


seen = {}
for name, factory in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
    for remove in (False, True):
        loop = factory()
        seen[name, remove] = loop.run_until_complete(heard(remove))
        loop.close()
        print(f"{name:8} remove_reader() {'called' if remove else 'left out':9} {seen[name, remove]} of 2 heard")
assert seen == {key: 2 * key[1] for key in seen}, "this has changed"
PYTHON
