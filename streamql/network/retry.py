"""Whether and when a request that failed is worth another attempt."""

from __future__ import annotations

import asyncio
import math
import random
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus

_LIMITED = frozenset({408, 425, 429, 500, 502, 504})
# names of RFC 9110, where Python has others before 3.13
_RENAMED = {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class Retry(Enum):
    """How often a failed request is sent again, where `max_retries` does not say."""

    NEVER = "never"
    LIMITED = "limited"
    UNLIMITED = "unlimited"


def class_of(status: int) -> Retry:
    """Return how often to try again after an answer with this status."""
    if status == 503:
        return Retry.UNLIMITED
    return Retry.LIMITED if status in _LIMITED else Retry.NEVER


def phrase(status: int) -> str:
    """Return a status with its name: `503 Service Unavailable`."""
    try:
        return f"{status} {_RENAMED.get(status) or HTTPStatus(status).phrase}"
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


def pause(attempt: int, wait: float | None, chance: float) -> float:
    """Return the seconds to wait before retry number `attempt` (from 1).

    Exponential backoff with full jitter. A wait the server asked for is kept, and spread a little
    so that the requests it sent away do not come back all at once.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 30))
    if wait is None:
        return longest * chance
    return wait + min(wait, _FIRST_PAUSE) * chance


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
