"""What can be set about a scoring function, and how it is read from `--set score.NAME=VALUE`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ... import units
from ...errors import UsageError, nearest, suggest
from ...network.headers import read_header
from ...network.secret import ADVICE, Secret
from ...on_error import OnError as OnError
from ...on_error import Policy as Policy
from ...on_error import policy
from ...types import Type, type_named
from . import options
from .options import option
from .protocols.azureml import AzureML
from .protocols.catalog import PROTOCOLS, protocol_named, settings_of
from .protocols.protocol import Protocol
from .tuner import Limits

_BATCHES, _PARALLEL = Limits(1, 100_000), Limits(1, 100)
"""What `auto` tunes within."""
_HEADER = "header."


def type_of_answers(value: str) -> Type:
    """Read the type of a call's answers, `any` included. Raises ValueError."""
    if value.strip().lower() == "any":
        return Type.ANY
    found = type_named(value)
    if found is None:
        raise ValueError("bigint, float, nvarchar(max), bit, datetime, record, array or any")
    return found


# ruff: noqa: RUF009 - `option` makes a field, as `dataclasses.field` does
@dataclass(frozen=True)
class ScoringSettings:
    """Settings of one scoring function; `scoring.md` section 4 has the meaning of the first ones.

    Attributes:
        max_batch_count, parallel_requests: `Limits` are those within which they tune themselves.
        rate_limit: for the function as a whole; None for no limit.
        ordered: rows leave in the order in which they came; else as they are answered, where
            nothing after the call depends on the order.
        cache: answers that are kept for identical rows; None keeps none.
        breaker: the share of failed requests above which the server is left alone.
        breaker_pause: seconds until it is asked again then.
        max_retries: retries of one request; None is 10, and no limit for 503 and broken
            connections.
        on_error: what happens to a row that cannot be scored.
        returns: the type that every answer must have; `any` takes all.
        max_answer_bytes: a longer answer is an error.
        proxy: None sends directly; "env" takes the proxy from the environment.
        signature: where the model's signature is read: `auto` asks the server, `off` does not; or
            a file or a URL of the server's.
        row_schema: the JSON Schema of a row, as text; what the user says wins over the server.
        validate: whether rows are checked against it before they are sent: `off`, `sample` (the
            first of the events, and then some), `all`.
        given: the names of what the user has set, the protocol's settings among them.
        protocol: how rows become a body and a body rows; has the protocol's own settings.
    """

    max_batch_count: int | Limits = option(1000, options.tuned(1, 1_000_000, _BATCHES))
    max_batch_bytes: int = option(4_000_000, units.size(1, 2**30))
    max_batch_wait: float = option(0.0, options.duration(zero=True), http_only=True)
    parallel_requests: int | Limits = option(
        20, options.tuned(1, 10_000, _PARALLEL), http_only=True
    )
    rate_limit: options.Rate | None = option(None, options.rate, http_only=True)
    ordered: bool = option(True, units.flag, http_only=True)
    cache: options.CacheSize | None = option(None, options.cache, http_only=True)
    breaker: float | None = option(None, options.share, http_only=True)
    breaker_pause: float = option(30.0, options.duration(), http_only=True)
    attempt_timeout: float = option(100.0, options.duration(), http_only=True)
    total_timeout: float | None = option(None, options.duration(none=True), http_only=True)
    max_retries: int | None = option(None, units.count(0, 1_000_000), http_only=True)
    max_answer_bytes: int = option(100_000_000, units.size(1, 2**31), http_only=True)
    on_error: Policy = option(Policy(), policy)
    returns: Type = option(Type.ANY, type_of_answers)
    key: Secret | None = option(None, options.secret, http_only=True)
    ca_file: str | None = option(None, options.file, http_only=True)
    client_cert: str | None = option(None, options.file, http_only=True)
    client_key: str | None = option(None, options.file, http_only=True)
    proxy: str | Secret | None = option(None, options.proxy, http_only=True)
    headers: Mapping[str, str | Secret] = field(default_factory=dict, metadata={"http_only": True})
    signature: str = option("auto", options.text, http_only=True)
    row_schema: str | None = option(None, options.json_schema)
    validate: str = option("off", units.word("off", "sample", "all"))
    protocol: Protocol = field(default_factory=AzureML)
    given: frozenset[str] = frozenset()

    @property
    def batch_limits(self) -> Limits:
        """The least and the greatest `max_batch_count`."""
        given = self.max_batch_count
        return given if isinstance(given, Limits) else Limits(given, given)

    @property
    def parallel_limits(self) -> Limits:
        """The least and the greatest `parallel_requests`."""
        given = self.parallel_requests
        return given if isinstance(given, Limits) else Limits(given, given)

    @classmethod
    def from_strings(cls, values: Mapping[str, str], alias: str = "score") -> ScoringSettings:
        """Return the settings given as text, e.g. {"max_batch_count": "100"}.

        Raises UsageError for an unknown name (with the nearest known one) and for a value that
        does not fit; `alias` is the function's name in these messages.
        """
        protocol: type[Protocol] = AzureML
        if "protocol" in values:
            protocol = _read(alias, "protocol", values["protocol"], protocol_named)
        own, special = options.readers(cls), settings_of(protocol)
        chosen: dict[str, Any] = {}
        chosen_special: dict[str, Any] = {}
        headers: dict[str, str | Secret] = {}
        for name, value in values.items():
            if name == "protocol":
                continue
            if name in own:
                chosen[name] = _read(alias, name, value, own[name])
            elif name in special:
                chosen_special[name] = _read(alias, name, value, special[name])
            elif name.startswith(_HEADER):
                header = name[len(_HEADER) :]
                headers[header] = _read(alias, name, value, partial(read_header, header))
            else:
                raise _unknown(alias, name, [*own, *special, "protocol", "header.NAME"], protocol)
        if chosen.get("client_key") and not chosen.get("client_cert"):
            raise UsageError(
                f"{alias}.client_key is given without {alias}.client_cert",
                hint="a key belongs to a certificate",
            )
        made = protocol.made(chosen_special)
        return cls(**chosen, headers=headers, protocol=made, given=frozenset(values))

    def refuse_http_only(self, alias: str) -> None:
        """Raise UsageError when something is given that means nothing without HTTP."""
        only = {f.name for f in dataclasses.fields(self) if f.metadata.get("http_only")}
        here = f"models behind HTTP; {alias} runs in this process"
        for name in sorted(self.given):
            if name in only or name.startswith(_HEADER):
                raise UsageError(f"{alias}.{name} is a setting of {here}")
        if isinstance(self.max_batch_count, Limits):
            raise UsageError(f"{alias}.max_batch_count=auto is for {here}")


def _read(alias: str, name: str, value: str, read: options.Reader) -> Any:
    try:
        return read(value)
    except ValueError as error:
        shown = "" if "secret" in str(error) else f", found {value!r}"
        raise UsageError(f"{alias}.{name} takes {error}{shown}", hint=_advice(str(error))) from None


def _advice(message: str) -> str | None:
    if "secret" not in message:
        return None
    return ADVICE


def _unknown(alias: str, name: str, known: list[str], protocol: type[Protocol]) -> UsageError:
    for other in PROTOCOLS:
        if name in options.readers(other):
            return UsageError(
                f"{alias}.{name} is a setting of protocol {other.name}, not of {protocol.name}",
                hint=f"set {alias}.protocol={other.name}",
            )
    hint = "say header.NAME=VALUE" if name in ("header", "headers") else suggest(name, known)
    if hint is None or nearest(name, known) is None:
        hint = hint or f"there is {', '.join(sorted(known))}"
    return UsageError(f"{alias} has no setting {name!r}", hint=hint)
