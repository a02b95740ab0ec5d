#!/bin/sh
# On uvloop a reader is called once after the peer has reset the connection, and never again.
#
# Seen: uvloop 0.23.0, asyncio of CPython 3.11, Linux, November 2026.
#
# A server says why it ends the connection, and resets it. The reader of loop.add_reader() receives once
# each time it is called, as the loop calls it again while there is more: readiness is a level. On
# asyncio's loop it gets the last words, then ConnectionResetError. On uvloop it gets the last words and
# is not called any more, though select() says that the socket is readable: libuv stops watching a
# socket that has an error. A program that waits for the end of the connection waits for ever. One
# would expect both loops to behave alike, as they do when the peer closes in the ordinary way.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -q --disable-pip-version-check uvloop==0.23.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import select
import socket
import struct

import uvloop


async def received(reset):
    """What the reader receives in half a second, one piece a call."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname())
        theirs, _ = listening.accept()
    ours.setblocking(False)
    loop, pieces = asyncio.get_running_loop(), []

    def read():
        try:
            piece = ours.recv(100)
        except ConnectionResetError:
            piece = "reset"
        pieces.append(piece)
        if piece in (b"", "reset"):
            loop.remove_reader(ours.fileno())

    loop.add_reader(ours.fileno(), read)
    await asyncio.sleep(0.1)
    theirs.send(b"last words")
    if reset:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    await asyncio.sleep(0.5)
    assert select.select([ours], [], [], 0)[0], "the socket is not readable"
    loop.remove_reader(ours.fileno())
    ours.close()
    return pieces


seen = []
for name, make in (("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop)):
    for reset in (False, True):
        loop = make()
        seen.append(loop.run_until_complete(received(reset)))
        loop.close()
        print(f"{name:8} {'reset' if reset else 'closed':7} {seen[-1]}")
words = b"last words"
assert seen == [[words, b""], [words, "reset"], [words, b""], [words]], "this has changed"
PYTHON
