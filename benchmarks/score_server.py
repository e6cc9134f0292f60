"""A scoring server with a fixed latency: what the model costs, without a model.

    python score_server.py PORT [SECONDS]       (needs orjson)

POST /score {"data": [[...], ...]} is answered SECONDS (0.2) after its first byte came, with one
number per row, in order: 3 + 2.5 times the row's last value, which anybody can check. N connections
kept busy with batches of B rows carry at most B * N / SECONDS rows per second, whatever the client
does. GET /stats: requests, rows, most requests at a time, `late`, the answers that left more than
5 ms late because this server was busy (a run with many of those has measured the server), `over`,
the mean milliseconds by which answers left after their time, and `seconds` from the first request
to the last answer. GET /begin: the same, and all counters begin anew.

It speaks no more of HTTP than the clients do, and its clock is finer than the millisecond to which
servers' timers are rounded: what is missing at the top of a client's rate is the client's.
"""

import asyncio
import selectors
import sys
import time

import orjson

LATE = 0.005
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
_STATS = ("requests", "rows", "most", "late")


class Server:
    """What all connections share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.open = 0
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self.over = 0.0
        self.first = self.last = 0.0
        self.stats = dict.fromkeys(_STATS, 0)

    def shown(self) -> bytes:
        mean = 1000 * self.over / max(1, self.stats["requests"])
        shown = {"over": round(mean, 3), "seconds": round(self.last - self.first, 4)}
        return orjson.dumps({**self.stats, **shown})


class Connection(asyncio.Protocol):
    """One client's requests, one after the other."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: asyncio.WriteTransport | None = None
        self.data = bytearray()
        self.began = 0.0
        self.size: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if not self.data:
            self.began = time.monotonic()
        self.data += data
        if self.size is None:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            self.size = end + 4 + length(bytes(self.data[:end]))
        if len(self.data) >= self.size:
            request = bytes(self.data)
            self.data.clear()
            self.size = None
            self.answer(request)

    def answer(self, request: bytes) -> None:
        server = self.server
        if request.startswith(b"GET"):
            self.write(server.shown())
            if request.startswith(b"GET /begin"):
                server.begin()
            return
        server.first = server.first or self.began
        server.open += 1
        server.stats["most"] = max(server.stats["most"], server.open)
        rows = orjson.loads(request[request.index(b"\r\n\r\n") + 4 :])["data"]
        body = orjson.dumps([3 + 2.5 * float(row[-1]) for row in rows])
        due = self.began + server.seconds
        asyncio.get_running_loop().call_at(due, self.leave, body, len(rows), due)

    def leave(self, body: bytes, rows: int, due: float) -> None:
        server = self.server
        server.open -= 1
        server.last = time.monotonic()
        over = server.last - due
        server.over += over
        server.stats["requests"] += 1
        server.stats["rows"] += rows
        server.stats["late"] += over > LATE
        self.write(body)

    def write(self, body: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(_HEAD % (len(body), body))


def length(head: bytes) -> int:
    """Return the size of the body that a head announces."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int, seconds: float) -> None:
    server = Server(seconds)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", port)
    await listening.serve_forever()


def main() -> None:
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.2
    # epoll rounds a wait up to a millisecond, select does not
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve(int(sys.argv[1]), seconds))


if __name__ == "__main__":
    main()
