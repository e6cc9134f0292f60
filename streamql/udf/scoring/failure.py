"""What can go wrong with a request, and whether and when it is worth another attempt."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from urllib.parse import urlsplit

SHOWN = 500
"""How much of an answer and of a row a message shows, in characters."""

_LIMITED = frozenset({408, 425, 429, 500, 502, 504})
_ROWS = frozenset({400, 413, 422})
_MODEL = 424
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
LIMIT = 10
"""Retries of a failure that is not retried for ever, unless `max_retries` says otherwise."""


class Retry(Enum):
    """How often a failed request is sent again, where `max_retries` does not say."""

    NEVER = "never"
    LIMITED = "limited"
    UNLIMITED = "unlimited"


class Failure(Exception):
    """A request failed.

    Attributes:
        cause: what happened, as the end of a sentence that starts with the model's URL.
        retry: how often to try again.
        rows_to_blame: one of the rows can be the reason, so halves of the batch may do better.
        label: for the counters: the status, "connection" or "timeout".
        status, body: the answer, if there was one.
        wait: seconds the server asked to wait.
        spent: attempts were made and given up (by number or by time).
    """

    def __init__(
        self,
        cause: str,
        retry: Retry,
        *,
        rows_to_blame: bool = False,
        label: str = "",
        status: int | None = None,
        body: str = "",
        wait: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry = retry
        self.rows_to_blame = rows_to_blame
        self.label = label
        self.status = status
        self.body = body
        self.wait = wait
        self.hint = hint
        self.spent = False


def of_status(status: int, headers: Mapping[str, str], body: str, now: float) -> Failure:
    """Return the failure that an answer other than 200 means; `now` is the wall clock's time."""
    cause = f"answered {_phrase(status)}"
    retry, blame, hint = _class_of(status), status in _ROWS, None
    model_failed = headers.get("x-ms-run-function-failed", "").lower() == "true"
    if status == _MODEL:
        inner = headers.get("ms-azureml-model-error-statuscode", "").strip()
        blame = True
        retry = _class_of(int(inner)) if inner.isascii() and inner.isdigit() else Retry.NEVER
        cause += f" (the model's own status: {inner})" if inner else ""
    elif status == 500 and model_failed:
        # Azure ML's server, met without the gateway that makes a 424 of it
        blame = True
        cause += " (the model's run() failed)"
    elif status in (401, 403):
        hint = "give the endpoint's key with the setting key=env:NAME or key=file:PATH"
    elif 300 <= status < 400:
        hint = "requests are not sent on to another address; name the final one"
        hint += _final(headers.get("location", ""))
    return Failure(
        cause,
        retry,
        rows_to_blame=blame,
        label=str(status),
        status=status,
        body=body,
        wait=retry_after(headers.get("retry-after"), now),
        hint=hint,
    )


def _final(location: str) -> str:
    """Return `, URL` for the address a redirect names, without what could be a secret."""
    try:
        place = urlsplit(location)
    except ValueError:
        return ""
    if place.scheme not in ("http", "https"):
        return ""
    return shortened(f", {place.scheme}://{place.netloc.rpartition('@')[2]}{place.path}")


def _class_of(status: int) -> Retry:
    if status == 503:
        return Retry.UNLIMITED
    return Retry.LIMITED if status in _LIMITED else Retry.NEVER


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), else None."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        # a date without a zone is in UTC (RFC 9110)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = date.timestamp() - now
    return max(0.0, seconds) if math.isfinite(seconds) else None


class Clock:
    """Time and chance, as retries see them. Tests put their own in its place."""

    def now(self) -> float:
        """Return seconds of a clock that never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def random(self) -> float:
        """Return a number from 0 to 1."""
        return random.random()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def pause(attempt: int, wait: float | None, chance: float) -> float:
    """Return the seconds to wait before retry number `attempt` (from 1).

    Exponential backoff with full jitter. A wait the server asked for is kept, and spread a little
    so that the requests it sent away do not come back all at once.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 30))
    if wait is None:
        return longest * chance
    return wait + min(wait, _FIRST_PAUSE) * chance


def shortened(text: str, length: int = SHOWN) -> str:
    """Return at most `length` characters of a text."""
    return text if len(text) <= length else f"{text[:length]}..."
