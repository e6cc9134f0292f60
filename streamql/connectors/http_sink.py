"""Servers as outputs: `https://host/path` gets rows by POST, as JSON arrays."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from .. import units
from ..column import Column
from ..errors import OutputError, UsageError, suggest
from ..formats.json_write import encode_lines, encode_records
from ..network.connection import tls_context, what_broke
from ..network.headers import headers_of, read_header
from ..network.retry import Clock, Retry, class_of, pause, phrase, retry_after
from ..network.secret import ADVICE, Secret
from ..sifting import Refusal
from ..text import bytes_of, offsets_of, string_array
from .contract import AT_LEAST_ONCE
from .staged import Part, StagedSink, missing
from .uri import Uri, shown

if TYPE_CHECKING:
    import aiohttp

_SHOWN = 300
"""How much of an answer a message shows, in bytes."""

_HEADER = "header."
_READERS: dict[str, units.Reader] = {
    "max_rows": units.count(1, 1_000_000),
    "max_bytes": units.size(1, 2**30),
    "max_retries": units.count(0, 1_000_000),
    "timeout": units.seconds,
    "key": Secret.refer,
    "ca_file": units.path,
    "client_cert": units.path,
    "client_key": units.path,
    "query": str,
}


@dataclass(frozen=True, slots=True)
class Posting:
    """How rows are sent.

    Attributes:
        max_rows, max_bytes: rows and bytes of one request at most; a longer row goes alone.
        max_retries: attempts after the first, before the error is that of the output.
        timeout: seconds for one attempt.
        key: sent as `Authorization: Bearer`.
        ca_file, client_cert, client_key: files with certificates.
        query: what stands behind the question mark of the address.
        headers: further headers.
    """

    max_rows: int = 1_000
    max_bytes: int = 1_000_000
    max_retries: int = 10
    timeout: float = 30.0
    key: Secret | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    query: str = ""
    headers: Mapping[str, str | Secret] = field(default_factory=dict)

    @classmethod
    def of_options(cls, options: Mapping[str, str]) -> Posting:
        """Return what the options of a URI ask for. Raises UsageError."""
        chosen: dict[str, Any] = {}
        headers: dict[str, str | Secret] = {}
        for name, value in options.items():
            if name.startswith(_HEADER):
                header = name[len(_HEADER) :]
                headers[header] = _read(name, value, partial(read_header, header))
            elif name in _READERS:
                chosen[name] = _read(name, value, _READERS[name])
            else:
                known = [*_READERS, "header.NAME"]
                hint = suggest(name, known) or f"there are {', '.join(known)}"
                if name in ("header", "headers"):
                    hint = "say header.NAME=VALUE"
                raise UsageError(f"no option {name!r} of a server", hint=hint)
        if chosen.get("client_key") and not chosen.get("client_cert"):
            raise UsageError(
                "client_key is given without client_cert", hint="a key belongs to a certificate"
            )
        return cls(**chosen, headers=headers)


def _read(name: str, value: str, read: units.Reader) -> Any:
    try:
        return read(value)
    except ValueError as error:
        secret = "secret" in str(error)
        found = "" if secret else f", found {value!r}"
        raise UsageError(f"{name} takes {error}{found}", hint=ADVICE if secret else None) from None


class HttpSink(StagedSink):
    """Rows to a server: at least once, each request with a key by which it can tell a repetition.

    The key names the job and the rows, by their numbers. In jobs with checkpoints rows are sent
    when the checkpoint that holds them is saved: a request that is repeated after a crash has the
    same rows and the same key.
    """

    delivery = AT_LEAST_ONCE

    def __init__(self, url: str, posting: Posting, clock: Clock | None = None) -> None:
        super().__init__(shown(url))
        self._url = url + (f"?{posting.query}" if posting.query else "")
        self._posting = posting
        self._clock = clock or Clock()
        self._headers, self._secrets = headers_of(posting.headers, posting.key)
        self._tls: Any = False
        if url.startswith("https:"):
            self._tls = tls_context(posting.ca_file, posting.client_cert, posting.client_key)
        self._run = uuid.uuid4().hex
        self._sent = 0  # rows of the job that the server has taken, or refused for ever
        self._refusals: list[tuple[int, str]] = []  # of what is being stored
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: aiohttp.ClientSession | None = None

    # -- rows ---------------------------------------------------------------------------------

    def _fit(self, names: Sequence[str], columns: Sequence[Column]) -> Part:
        return _lines(encode_lines(names, columns))

    def write_records(self, texts: pa.StringArray) -> None:
        if len(texts):
            self._take(_lines(encode_records(texts)))

    def _stored(self) -> int | None:
        """Return what the checkpoint says: a server is not asked."""
        return self._base

    def _store(
        self, parts: Sequence[Part], base: int, epoch: int | None
    ) -> Sequence[tuple[int, str]]:
        self._sent = max(self._sent, base)
        for part in missing(parts, base, self._sent):
            for start, count in self._cut(part.arrays[0]):
                self._send(part.arrays[0].slice(start, count))
        found, self._refusals = self._refusals, []
        return found

    def _send(self, rows: pa.StringArray) -> None:
        """Send rows in one request; if that is refused for what they are, in halves of them."""
        count = len(rows)
        try:
            self._post(_body(rows), f"{self.job or self._run}-{self._sent}-{count}", count)
        except Refusal as refusal:
            if not self.dropping:
                raise refusal.error from refusal
            if count > 1:
                self._send(rows.slice(0, count // 2))
                self._send(rows.slice(count // 2))
                return
            self._refusals.append((self._sent, refusal.error.message))
        self._sent += count

    def _text(self, part: Part, row: int) -> str:
        text: str = part.arrays[0][row].as_py()
        return text.rstrip()

    def _cut(self, rows: pa.StringArray) -> Iterator[tuple[int, int]]:
        """Yield (first row, rows) of each request."""
        offsets = offsets_of(rows).astype(np.int64)
        start = 0
        while start < len(rows):
            room = offsets[start] + self._posting.max_bytes - 1  # a bracket more than line ends
            stop = int(np.searchsorted(offsets, room, "right")) - 1
            stop = min(max(stop, start + 1), start + self._posting.max_rows, len(rows))
            yield start, stop - start
            start = stop

    # -- requests -----------------------------------------------------------------------------

    def _post(self, body: bytes, key: str, count: int) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._deliver(body, key, count))

    async def _deliver(self, body: bytes, key: str, count: int) -> None:
        """Send a body until the server takes it or no attempt is left. Raises OutputError."""
        attempts = 0
        while True:
            attempts += 1
            cause, retry, wait, hint, status = await self._attempt(body, key)
            if not cause:
                return
            if retry is Retry.NEVER or attempts > self._posting.max_retries:
                tried = f" ({attempts} attempts)" if attempts > 1 else ""
                error = OutputError(
                    f"{self.name} {cause}{tried}; {self._sent:,} rows were sent before, and "
                    f"{count:,} were not taken",
                    hint=hint,
                    retriable=retry is not Retry.NEVER,
                )
                raise Refusal(error) if status in _OF_ROWS else error
            await self._clock.sleep(pause(attempts, wait, self._clock.random()))

    async def _attempt(
        self, body: bytes, key: str
    ) -> tuple[str, Retry, float | None, str | None, int]:
        """Send a body once; return what went wrong (nothing: empty), whether and when to retry,
        what may help, and the status (0: no answer)."""
        import aiohttp  # noqa: PLC0415 - 150 ms, for jobs that have such an output

        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls or True),
                headers={**self._headers, "content-type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with (
                asyncio.timeout(self._posting.timeout),
                self._client.post(
                    self._url, data=body, headers={"idempotency-key": key}, allow_redirects=False
                ) as response,
            ):
                answer = await response.content.read(_SHOWN)
                if 200 <= response.status < 300:
                    return "", Retry.NEVER, None, None, response.status
                wait = retry_after(response.headers.get("retry-after"), self._clock.wall())
                return (
                    self._refused(response.status, answer),
                    class_of(response.status),
                    wait,
                    _HINTS.get(response.status),
                    response.status,
                )
        except TimeoutError:
            cause = f"gave no answer within {self._posting.timeout:,.3g} s"
            return cause, Retry.UNLIMITED, None, None, 0
        except (aiohttp.ClientError, OSError) as error:
            cause, certificate = what_broke(error)
            retry = Retry.NEVER if certificate else Retry.UNLIMITED
            hint: str | None = "a private authority's certificate is given with ca_file=PATH"
            down = "see that the server runs; --set output_errors=retry waits for it"
            if not certificate:
                hint = down if cause.startswith("cannot be reached") else None
            return self._hidden(cause), retry, None, hint, 0

    def _refused(self, status: int, answer: bytes) -> str:
        said = self._hidden(" ".join(answer.decode("utf-8", "replace").split()))
        return f"answered {phrase(status)}" + (f": {said}" if said else "")

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _disconnect(self) -> None:
        if self._loop is None:
            return
        if self._client is not None:
            self._loop.run_until_complete(self._client.close())
        self._loop.close()
        self._loop = self._client = None


_OF_ROWS = frozenset({400, 409, 413, 422})
"""The statuses by which a server says that it is the rows that it does not take."""

_HINTS = {
    401: "give the key with key=env:NAME or header.NAME=env:NAME",
    403: "give the key with key=env:NAME or header.NAME=env:NAME",
    400: "--set output_errors=drop goes on without rows that are not taken",
    422: "--set output_errors=drop goes on without rows that are not taken",
    413: "send less at a time: max_rows=100 or max_bytes=100kB",
}


def _lines(data: pa.Buffer) -> Part:
    """Return JSON lines as rows; a line end stands behind each and nowhere else."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == ord("\n")) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return Part((), (string_array(offsets, pa.py_buffer(data)),))


def _body(rows: pa.StringArray) -> bytes:
    """Return lines as one JSON array: their line ends become commas."""
    data = bytes_of(rows).copy()
    data[offsets_of(rows)[1:] - offsets_of(rows)[0] - 1] = ord(",")
    data[-1] = ord("]")
    return b"[" + data.tobytes()


def open_http_sink(uri: Uri) -> HttpSink:
    """Return the sink of a URI such as `https://host/path?max_rows=100`."""
    url = f"{uri.scheme}://{uri.path}"
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"{shown(url)} has a password in it", hint=f"{ADVICE}: ...?key=env:NAME")
    try:
        fits = parts.port is None or parts.port > 0
    except ValueError:
        fits = False
    if not fits or not parts.hostname or not url.isprintable() or re.search(r"\s", url):
        raise UsageError(f"{url!r} is not the URL of a server", hint="e.g. https://host:8080/rows")
    return HttpSink(url, Posting.of_options(uri.options))
