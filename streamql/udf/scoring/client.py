"""Models behind HTTP: one POST, and what its answer means."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...errors import UsageError
from ...network.connection import tls_context, what_broke
from ...network.headers import headers_of
from ...network.retry import Retry
from ...network.secret import Secret
from .failure import Clock, Failure, of_status
from .place import Question, Reply
from .settings import ScoringSettings
from .transport import Answer, Transport

if TYPE_CHECKING:
    import aiohttp

_IDLE = 30.0
_PIECE = 262_144
_ESCAPED = re.compile(r'["$`\\]')
"""What a shell would read inside of double quotes."""
_ERROR_BYTES = 65_536


def check_url(alias: str, url: str) -> None:
    """Raise UsageError when this is not the address of a model."""
    parts = urlsplit(url)
    try:
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        port_fits = False
    plain = url.isprintable() and not re.search(r"\s", url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain or not port_fits:
        raise UsageError(
            f"{shown_url(url)!r} is not the URL of a model",
            hint=f"e.g. --function {alias}=http://127.0.0.1:5001/score",
        )
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"the URL of udf.{alias} has a password in it",
            hint=f"keep the key out of the URL: --set {alias}.key=env:NAME or file:PATH",
        )


def shown_url(url: str) -> str:
    """Return a URL without what could be a secret: no user, no password, no query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" + ("?..." if parts.query else "")


class HttpTransport(Transport):
    """POSTs bodies to a URL, each over a connection of its own. Lives in the loop."""

    def __init__(self, url: str, settings: ScoringSettings, clock: Clock) -> None:
        self.target = shown_url(url)
        self._url = url
        self._settings = settings
        self._clock = clock
        self._headers, self._secrets = headers_of(settings.headers, settings.key)
        self._tls = _tls(url, settings)
        proxy = settings.proxy
        self._proxy = proxy.value() if isinstance(proxy, Secret) else proxy
        self._client: aiohttp.ClientSession | None = None

    def warm(self) -> None:
        """Make the client (importing aiohttp costs 150 ms: better before the first row is there).

        Must be called in the loop.
        """
        if self._client is None:
            self._client = _client(self._headers, self._tls, self._proxy == "env")

    async def send(self, body: bytes, timeout: float) -> Answer:
        import aiohttp  # noqa: PLC0415 - see `warm`

        self.warm()
        try:
            async with asyncio.timeout(timeout):
                return await self._post(body)
        except TimeoutError:
            raise Failure(
                f"gave no answer within {timeout:,.3g} s", Retry.UNLIMITED, label="timeout"
            ) from None
        except aiohttp.ClientPayloadError as error:
            if type(error.__cause__).__name__ == "ContentEncodingError":
                raise _bad_body("a body that cannot be unpacked") from None
            raise self._broken(error) from None
        except aiohttp.InvalidURL as error:
            raise Failure(f"cannot be asked: {error}", Retry.NEVER, label="connection") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from None

    async def _post(self, body: bytes) -> Answer:
        assert self._client is not None
        proxy = None if self._proxy == "env" else self._proxy
        headers = {"content-length": str(len(body))}
        async with self._client.post(
            self._url,
            data=body if len(body) <= _PIECE else _pieces(body),
            headers=headers,
            proxy=proxy,
            allow_redirects=False,
        ) as response:
            good = response.status == 200
            limit = self._settings.max_answer_bytes if good else _ERROR_BYTES
            chunks: list[bytes] = []
            total = 0
            # piece by piece, unpacked: a small body may unpack to gigabytes
            while total <= limit and (chunk := await response.content.readany()):
                chunks.append(chunk)
                total += len(chunk)
            if total > limit:
                response.close()
                if good:
                    raise _bad_body(f"more than {limit:,} bytes")
            answer = Answer(b"".join(chunks))
            if good:
                return answer
            text = self.hidden(answer.shown())
            raise of_status(response.status, response.headers, text, self._clock.wall())

    async def ask(self, question: Question, timeout: float, limit: int) -> Reply:
        """Return what the server says about itself, `limit` bytes at most. Never fails."""
        import aiohttp  # noqa: PLC0415 - see `warm`

        self.warm()
        assert self._client is not None
        asked = self._client.request(
            question.method,
            question.url,
            data=b"{}" if question.method == "POST" else None,
            proxy=None if self._proxy == "env" else self._proxy,
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(timeout), asked as response:
                body = bytearray()
                while len(body) <= limit and (chunk := await response.content.readany()):
                    body += chunk
                if len(body) > limit:
                    response.close()
                    return Reply(response.status, said=f"more than {limit:,} bytes")
                return Reply(response.status, bytes(body))
        except TimeoutError:
            return Reply(None, said=f"gave no answer within {timeout:,.3g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(None, said=self._broken(error).cause)

    def curl(self, body: bytes) -> str:
        words = ["curl", "-X", "POST", shlex.quote(self.target)]
        for name, value in _shown_headers(self._settings):
            words += ["-H", f'"{name}: {value}"']
        return " ".join([*words, "--data-binary", shlex.quote(body.decode())])

    def hidden(self, text: str) -> str:
        for value in self._secrets:
            text = text.replace(value, "***")
        return text

    def _broken(self, error: Exception) -> Failure:
        """Return the failure of a connection."""
        cause, certificate = what_broke(error)
        if certificate:
            hint = "a private authority's certificate is given with the setting ca_file"
            return Failure(cause, Retry.NEVER, label="connection", hint=hint)
        down = cause.startswith("cannot be reached")
        hint = "see that the model's server runs; streamql model probe URL asks it"
        return Failure(
            self.hidden(cause), Retry.UNLIMITED, label="connection", hint=hint if down else None
        )

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()


def _bad_body(found: str) -> Failure:
    return Failure(f"answered {found}", Retry.NEVER, rows_to_blame=True, label="200", status=200)


async def _pieces(body: bytes) -> AsyncIterator[memoryview]:
    """Yield a body in pieces, so that other connections go on while a large one is sent."""
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield view[start : start + _PIECE]


def _shown_headers(settings: ScoringSettings) -> Iterator[tuple[str, str]]:
    """Yield the headers for a shell's double quotes: secrets by the place where they are kept."""
    yield "content-type", "application/json"
    if settings.key is not None:
        yield "authorization", f"Bearer {_reference(settings.key)}"
    for name, value in settings.headers.items():
        if isinstance(value, Secret):
            yield name.lower(), _reference(value)
        else:
            yield name.lower(), _ESCAPED.sub(r"\\\g<0>", value)


def _reference(secret: Secret) -> str:
    return f"${secret.place}" if secret.kind == "env" else f"$(cat {shlex.quote(secret.place)})"


def _client(headers: dict[str, str], tls: Any, from_environment: bool) -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - see `HttpTransport.warm`

    # how many connections there are is decided by who sends
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE, ssl=tls or True)
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        # asyncio.timeout bounds the whole attempt, slow bytes included
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None),
        # a load balancer's cookie would lead all requests to one instance
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=from_environment,
    )


def _tls(url: str, settings: ScoringSettings) -> Any:
    """Return the TLS context; plain HTTP needs none, and one costs 20 ms to make."""
    if not url.startswith("https:") and settings.proxy is None:
        return False
    return tls_context(settings.ca_file, settings.client_cert, settings.client_key)
