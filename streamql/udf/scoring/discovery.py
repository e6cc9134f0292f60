"""Finds out about a model by asking its server: the protocol, the address, the signature."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from ...errors import UsageError, suggest
from ...types import Type
from . import options
from .client import HttpTransport, shown_url
from .failure import Clock
from .loop import ScoringLoop
from .place import Found, Place, Question, Reply
from .protocols.auto import Auto
from .protocols.catalog import PROTOCOLS
from .protocols.protocol import Protocol
from .settings import ScoringSettings
from .signature import Signature

_PATIENCE = 5.0
"""Seconds for one question: a job must not wait long for what it can do without."""
_ALTOGETHER = 20.0
_MOST_BYTES = 32_000_000
_SHOWN = 60

Ask = Callable[[Question], Reply]
Heard = Callable[[Question, Reply], None]


@dataclass
class Learned:
    """What was found out.

    Attributes:
        settings: the settings to go on with.
        url: where requests are sent.
        asked: the questions, each with its reply, in their order.
        recognised: whether a server told that it speaks the protocol.
        signature: the model's signature, None when there is none.
    """

    settings: ScoringSettings
    url: str
    asked: list[tuple[Question, Reply]] = field(default_factory=list)
    recognised: bool = False
    signature: Signature | None = None


def needed(settings: ScoringSettings) -> bool:
    """Return whether no request can be sent before the server was asked."""
    return isinstance(settings.protocol, Auto) or settings.validate != "off"


def learn(
    alias: str,
    url: str,
    settings: ScoringSettings,
    loop: ScoringLoop,
    clock: Clock,
    heard: Heard | None = None,
) -> Learned:
    """Return what is known about a model; asks its server as far as the settings want it.

    With `heard`, which gets each question with its reply, the server is asked even where nothing
    depends on it. Raises UsageError when the settings need something (a protocol, a row's schema)
    that nobody tells.
    """
    learned = Learned(settings, url)
    protocol = settings.protocol
    given: dict[str, Any] = (
        dict(protocol.given) if isinstance(protocol, Auto) else _given(protocol, settings.given)
    )
    place = Place(url, given)
    found: Found | None = None
    if isinstance(protocol, Auto) or heard is not None or _curious(settings):
        server = _Server(url, settings, loop, clock, heard)
        try:
            kind, found = _search(protocol, place, server.ask)
        finally:
            server.close()
        learned.asked = server.asked
        learned.recognised = found is not None
        if isinstance(protocol, Auto):
            kind = kind or _by_path(place)
            if kind is None:
                silent = learned.asked and all(r.status is None for _, r in learned.asked)
                known = f"set {alias}.protocol to {', '.join(p.name for p in PROTOCOLS)}"
                raise UsageError(
                    f"udf.{alias}: no protocol found: {told(learned.asked)}",
                    hint="start the server, or look at the address" if silent else known,
                )
            protocol = _instead(alias, kind, given)
    if settings.signature not in ("auto", "off"):
        found = _declared(alias, place, settings, loop, clock, protocol, learned)
    if found is not None:
        protocol = protocol.learned(found.settings, settings.given)
        learned.signature = found.signature
    learned.settings = _completed(alias, replace(settings, protocol=protocol), learned.signature)
    learned.url = address(alias, url, learned.settings.protocol, learned.signature)
    return learned


def address(alias: str, url: str, protocol: Protocol, signature: Signature | None = None) -> str:
    """Return where requests are sent. Raises UsageError when the protocol needs more for that."""
    place = Place(url)
    if signature is not None and signature.path and not place.path:
        return place.with_path(signature.path)
    try:
        return protocol.address(place)
    except ValueError as error:
        raise UsageError(f"udf.{alias}: protocol {protocol.name} needs {error}") from None


def told(asked: list[tuple[Question, Reply]]) -> str:
    """Return the questions with their replies as the end of a sentence."""
    return "; ".join(f"{q.method} {shown_url(q.url)}: {outcome(r)}" for q, r in asked)


def outcome(reply: Reply) -> str:
    """Return a reply in a few words."""
    if reply.status is None:
        return reply.said
    text = reply.said or reply.body[: 2 * _SHOWN].decode("utf-8", "replace")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"{reply.status} {short}".strip()


class _Server:
    """Asks a model's server, each question once; gives up once it cannot be reached."""

    def __init__(
        self,
        url: str,
        settings: ScoringSettings,
        loop: ScoringLoop,
        clock: Clock,
        heard: Heard | None = None,
    ) -> None:
        self.asked: list[tuple[Question, Reply]] = []
        self._known: dict[Question, Reply] = {}
        self._transport = HttpTransport(url, settings, clock)
        self._patience = min(settings.attempt_timeout, _PATIENCE)
        self._loop = loop
        self._clock = clock
        self._heard = heard
        self._end = clock.now() + _ALTOGETHER

    def ask(self, question: Question) -> Reply:
        """Return the reply; one without a status when there was none."""
        if question in self._known:
            return self._known[question]
        if self.asked and self.asked[-1][1].status is None:
            return self.asked[-1][1]
        if self._clock.now() > self._end:
            return Reply(None, said="was asked for long enough")
        replies: list[Reply] = []

        async def work() -> None:
            replies.append(await self._transport.ask(question, self._patience, _MOST_BYTES))

        in_time = self._loop.run(work(), self._patience + 1)
        reply = replies[0] if in_time and replies else Reply(None, said="gave no answer")
        reply = replace(reply, said=self._transport.hidden(reply.said))
        self._known[question] = reply
        self.asked.append((question, reply))
        if self._heard is not None:
            self._heard(question, reply)
        return reply

    def close(self) -> None:
        """Close the connections."""
        self._loop.run(self._transport.close(), 1)


def _curious(settings: ScoringSettings) -> bool:
    """Return whether the server may know something that the settings do not say."""
    if settings.signature != "auto" or not settings.protocol.describes:
        return False
    known = {"returns", "row_schema"} <= settings.given
    return not (known and settings.given & {"parameter", "input_name", "model"})


def _given(protocol: Protocol, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in vars(protocol).items() if name in names}


def _search(
    protocol: Protocol, place: Place, ask: Ask
) -> tuple[type[Protocol] | None, Found | None]:
    """Return the protocol the server speaks, and what it told; (None, None) for none."""
    candidates = PROTOCOLS if isinstance(protocol, Auto) else (type(protocol),)
    # what the path looks like is asked first
    likely = _by_path(place)
    for kind in sorted(candidates, key=lambda one: one is not likely):
        found = _discover(kind.discover(place), ask)
        if found is not None:
            return kind, found
    return None, None


def _discover(steps: Generator[Question, Reply, Found | None], ask: Ask) -> Found | None:
    try:
        question = next(steps)
        while True:
            question = steps.send(ask(question))
    except StopIteration as ended:
        found: Found | None = ended.value
        return found


def _by_path(place: Place) -> type[Protocol] | None:
    """Return the protocol whose paths look like this one, for servers that tell nothing."""
    marks = {
        "/invocations": "mlflow",
        "/v2/models/": "kserve-v2",
        "/v1/models/": "kserve-v1",
        "/v1/embeddings": "openai-embeddings",
        "/score": "azureml",
    }
    path = f"{place.path}/"
    name = next((name for mark, name in marks.items() if f"{mark.rstrip('/')}/" in path), None)
    return next((one for one in PROTOCOLS if one.name == name), None)


def _instead(alias: str, kind: type[Protocol], given: dict[str, Any]) -> Protocol:
    """Return the protocol that was found, with the settings given for it."""
    known = options.readers(kind)
    for name in given:
        if name not in known:
            raise UsageError(
                f"{alias}.{name} is no setting of protocol {kind.name}, which is found",
                hint=suggest(name, known) or f"--set {alias}.protocol=... says which one it is",
            )
    return kind.made(given)


def _declared(
    alias: str,
    place: Place,
    settings: ScoringSettings,
    loop: ScoringLoop,
    clock: Clock,
    protocol: Protocol,
    learned: Learned,
) -> Found:
    """Return what the file or the URL of the setting `signature` tells. Raises UsageError."""
    where = settings.signature
    if where.startswith(("http://", "https://")):
        if urlsplit(where)[:2] != urlsplit(place.url)[:2]:
            raise UsageError(
                f"{alias}.signature={shown_url(where)} is on another host than the model, "
                "which would get the model's key",
                hint="download it, and give the file",
            )
        server = _Server(place.url, settings, loop, clock)
        try:
            reply = server.ask(Question(where))
        finally:
            server.close()
        learned.asked += server.asked
        document, name = reply.json, shown_url(where)
        if reply.status != 200:
            raise UsageError(f"{alias}.signature={name}: {outcome(reply)}")
    else:
        name = where
        try:
            document = orjson.loads(Path(where).read_bytes())
        except OSError as error:
            raise UsageError(f"{alias}.signature={where}: {error.strerror}") from None
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{alias}.signature={where} is not JSON: {error}") from None
    found = protocol.read(document, place, name)
    if found is None:
        raise UsageError(f"{alias}.signature={name} is no description for protocol {protocol.name}")
    return found


def _completed(
    alias: str, settings: ScoringSettings, signature: Signature | None
) -> ScoringSettings:
    """Return the settings with what the signature adds; what the user set stays."""
    if "returns" not in settings.given:
        returns = settings.protocol.answers
        if returns is Type.ANY and signature is not None:
            returns = signature.returns
        settings = replace(settings, returns=returns)
    if settings.row_schema is None and signature is not None and signature.row:
        settings = replace(settings, row_schema=orjson.dumps(signature.row).decode())
    if settings.validate != "off" and settings.row_schema is None:
        raise UsageError(
            f"{alias}.validate={settings.validate}: nobody says what a row looks like",
            hint=f"set {alias}.row_schema to a JSON Schema or to the path of a file with one",
        )
    return settings
