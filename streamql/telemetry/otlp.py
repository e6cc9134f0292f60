"""What is sent to a collector: OTLP over HTTP in its JSON form, as the standard variables say.

Loaded only when something is to be sent; needs the extra `streamql[otel]`.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from ..errors import UsageError
from ..network.connection import tls_context
from .wanted import PREFIX, Signal

_DEFAULT = "http://localhost:4318"


@dataclass(frozen=True)
class Endpoint:
    """Where one signal goes, and how.

    Attributes:
        headers: sent with each request; they may be secrets.
        timeout: seconds for a request.
        zipped: the body is compressed.
        authorities: the file with the certificates that are trusted; None: those of the system.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float = 10.0
    zipped: bool = False
    authorities: str | None = None

    @classmethod
    def of(cls, signal: Signal, variables: Mapping[str, str]) -> Self:
        """Return the place that the variables describe; those of the signal win.

        Raises UsageError for what cannot be one.
        """

        def said(name: str) -> tuple[str, str]:
            own = f"{PREFIX}{signal}_{name}"
            return (
                (own, value)
                if (value := variables.get(own))
                else (
                    f"{PREFIX}{name}",
                    variables.get(f"{PREFIX}{name}") or "",
                )
            )

        name, url = said("ENDPOINT")
        if not url or not name.startswith(f"{PREFIX}{signal}"):
            url = f"{(url or _DEFAULT).rstrip('/')}/v1/{signal.lower()}"
        _check(name, url)
        name, protocol = said("PROTOCOL")
        if protocol.strip().lower() == "grpc":
            raise UsageError(
                f"{name} is grpc, and figures and traces are sent over HTTP",
                hint=f"{name}=http/json, and the collector's port for HTTP, often 4318",
            )
        name, seconds = said("TIMEOUT")
        pairs = (pair.partition("=") for pair in said("HEADERS")[1].split(",") if "=" in pair)
        return cls(
            url,
            {key.strip(): unquote(value.strip()) for key, _, value in pairs},
            _duration(name, seconds, "seconds") if seconds else 10.0,
            said("COMPRESSION")[1].strip().lower() == "gzip",
            said("CERTIFICATE")[1] or None,
        )

    def __str__(self) -> str:
        """The URL without what may be a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _check(name: str, url: str) -> None:
    """Raise UsageError when a URL is none to send to; what may be a secret is not repeated."""
    parts = urlsplit(url)
    example = "as in http://127.0.0.1:4318"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{name} is no URL of HTTP", hint=f"give one, {example}")
    if parts.username is not None:
        raise UsageError(
            f"{name} has a user in its URL",
            hint=f"{PREFIX}HEADERS=authorization=... says who sends",
        )
    try:
        _ = parts.port
    except ValueError:
        raise UsageError(f"{name} has a port that is none", hint=f"give one, {example}") from None


def interval(variables: Mapping[str, str]) -> float:
    """Return the seconds between two times that figures are sent.

    Raises UsageError for a variable that says something else.
    """
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    return _duration(name, variables.get(name) or "60000", "milliseconds") / 1000


def _duration(name: str, text: str, unit: str) -> float:
    try:
        duration = float(text)
    except ValueError:
        duration = math.nan
    if not 0 < duration < math.inf:
        raise UsageError(f"{name} is {text!r}, which is no number of {unit}")
    return duration


class Sender:
    """Sends bodies to one place. What cannot be sent is lost; `warn` is told of the first."""

    def __init__(self, endpoint: Endpoint, warn: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._warn: Callable[[str], None] | None = warn
        self._headers = {**endpoint.headers, "content-type": "application/json"}
        if endpoint.zipped:
            self._headers["content-encoding"] = "gzip"
        self._until: float | None = None
        # no redirects: headers are for this place, not for another that it names
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            self._opener.add_handler(handler)
        if endpoint.url.startswith("https:"):
            self._opener.add_handler(
                urllib.request.HTTPSHandler(context=tls_context(endpoint.authorities))
            )

    def send(self, body: Mapping[str, Any]) -> bool:
        """Send a body; tell whether the collector has taken it."""
        timeout = self._endpoint.timeout
        if self._until is not None:
            timeout = min(timeout, self._until - time.monotonic())
            if timeout <= 0:
                return self._lost("nobody answered before the job had ended")
        data = json.dumps(body, separators=(",", ":")).encode()
        if self._endpoint.zipped:
            data = gzip.compress(data, 1)
        try:
            request = urllib.request.Request(self._endpoint.url, data, self._headers)  # noqa: S310
            with self._opener.open(request, timeout=timeout):
                return True
        except urllib.error.HTTPError as error:
            with error:
                return self._lost(f"it answered {error.code}")
        except (OSError, ValueError, HTTPException) as error:
            return self._lost(_reason(error))

    def hurry(self, until: float) -> None:
        """The job has ended: what is left is sent until then, by the monotonic clock."""
        self._until = until

    def _lost(self, reason: str) -> bool:
        warn, self._warn = self._warn, None
        if warn is not None:
            warn(f"{self._endpoint} takes no telemetry: {reason}; the job goes on without")
        return False


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(inner, TimeoutError):
        return "no answer in time"
    if isinstance(inner, OSError) and (inner.errno or 0) > 0:
        return os.strerror(inner.errno or 0).lower()
    return f"{type(inner).__name__}: {inner}" if isinstance(inner, OSError) else "no HTTP"


@cache
def resource(version: str) -> Resource:
    """Return what the signals of this process are of; what the variables say of it wins."""
    known = OTELResourceDetector().detect().attributes
    ours = {
        "service.name": "streamql",
        "service.version": version,
        "service.instance.id": str(uuid.uuid4()),
    }
    return Resource.create({name: value for name, value in ours.items() if name not in known})


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return attributes in the JSON form of OTLP."""
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": number(value)}
        case _:
            return {"stringValue": str(value)}


def number(value: float) -> float | str:
    """Return a number as the JSON of protobuf has it, which knows those that are none."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
