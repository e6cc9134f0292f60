"""A model server that misbehaves on demand: plain asyncio in a thread, on a free loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import protocol_bodies


@dataclass
class Request:
    """What a client sent; `number` counts requests from 1."""

    number: int
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def rows(self) -> list[Any]:
        return protocol_bodies.rows(json.loads(self.body))


@dataclass
class Reply:
    """What the server answers.

    `cut` closes the connection after so many bytes of the body, with `reset` by a reset; `drip`
    sends it byte by byte with this pause; a reply without status closes the connection at once;
    `raw` is sent instead of an answer, and the connection closed.
    """

    body: Any = b""
    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: int | None = None
    reset: bool = False
    drip: float | None = None
    raw: bytes | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Behaviour = Callable[[Request], Reply]


def double(request: Request) -> Reply:
    """Answer twice the last value of each row."""
    return Reply([2 * last(row) for row in request.rows])


def last(row: Any) -> Any:
    if isinstance(row, dict):
        return list(row.values())[-1]
    return row[-1] if isinstance(row, list) else row


class Adversary:
    """The server; a context manager. Keeps all requests, and how many were open at most.

    `pages` answer the questions of clients (a GET, or a POST to one of them); what is asked is
    kept in `asked`. Any other GET is answered with 404. With `tls` it speaks TLS.
    """

    def __init__(
        self,
        behave: Behaviour = double,
        pages: dict[str, Reply] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.tls = tls
        self.behave = behave
        self.pages = pages or {}
        self.asked: list[str] = []
        self.requests: list[Request] = []
        self.open = self.most_open = 0
        self.errors: list[BaseException] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/score"

    @property
    def sizes(self) -> list[int]:
        return [len(request.rows) for request in self.requests]

    def __enter__(self) -> Adversary:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(5)
        assert not self.errors, self.errors

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        self._end = asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        async def connected(reader: Any, writer: Any) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self._talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            except Exception as error:
                self.errors.append(error)
            finally:
                tasks.discard(task)
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=2**24, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            raw = dict(line.split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            lowered = {name.lower(): value for name, value in raw.items()}
            method, path, _ = head[0].split()
            if method == "GET" or path in self.pages or path.endswith("/repository/index"):
                self.asked.append(f"{method} {path}")
                reply = self.pages.get(path, Reply(b"nothing here", 404))
                await asyncio.sleep(reply.delay)
                if reply.status is None:
                    return
                await self._answer(writer, reply)
                continue
            request = Request(len(self.requests) + 1, path, lowered, body)
            self.requests.append(request)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            try:
                reply = self.behave(request)
                await asyncio.sleep(reply.delay)
            finally:
                self.open -= 1
            if reply.status is None:
                return
            await self._answer(writer, reply)
            if reply.cut is not None or reply.raw is not None:
                return

    async def _answer(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        if reply.raw is not None:
            writer.write(reply.raw)
            await writer.drain()
            return
        content = reply.content
        lines = [f"HTTP/1.1 {reply.status} Whatever", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        if reply.drip is not None:
            for at in range(len(content)):
                writer.write(content[at : at + 1])
                await writer.drain()
                await asyncio.sleep(reply.drip)
            return
        writer.write(content if reply.cut is None else content[: reply.cut])
        await writer.drain()
        if reply.reset:
            # closing with a linger of 0 seconds sends a reset
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
