"""Sends the requests of the workload `web` to a web server: see `workloads/web.py`.

    python load.py PORT REQUESTS CLIENTS

Each client has a connection of its own, and sends one request after another. It prints how many
answers had which status, as JSON.
"""

from __future__ import annotations

import asyncio
import collections
import json
import sys

# Of twenty requests of a client, one takes a seat, and another gives it back.
EACH = 20
TAKES, GIVES_BACK = 7, 17


async def client(number: int, port: int, requests: int, answers: collections.Counter[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    guest = f"guest {number}"
    seat = f"{'ABCDEF'[number % 6]}{number % 10 + 1}"
    forms = {
        TAKES: ("/take", {"guest": guest, "seats": [seat]}),
        GIVES_BACK: ("/give-back", {"guest": guest}),
    }
    for count in range(number, number + requests):
        if count % EACH not in forms:
            writer.write(b"GET /seats HTTP/1.1\r\nHost: bench\r\n\r\n")
        else:
            path, form = forms[count % EACH]
            body = json.dumps(form).encode()
            head = (
                f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        status, *fields = answer.decode().split("\r\n")
        length = [field[15:] for field in fields if field.lower().startswith("content-length:")]
        if length:
            await reader.readexactly(int(length[0]))
        answers[int(status.split()[1])] += 1
    writer.close()


async def main(port: int, requests: int, clients: int) -> None:
    answers: collections.Counter[int] = collections.Counter()
    work = [client(number, port, requests // clients, answers) for number in range(clients)]
    await asyncio.gather(*work)
    print(json.dumps(answers))


asyncio.run(main(*(int(argument) for argument in sys.argv[1:])))
