"""Tells the user when a model does not answer and requests are sent again and again."""

from __future__ import annotations

from collections.abc import Callable

from ...network.retry import Retry
from .failure import Clock, Failure

_PATIENCE = 3
"""Attempts of one request that fail without a word, once the model has answered before."""
_SILENCE = 30.0
"""Seconds between two warnings."""


class Watch:
    """Turns retries into few warnings of one line each. Used by one thread."""

    def __init__(
        self, alias: str, target: str, endless: bool, warn: Callable[[str], None], clock: Clock
    ) -> None:
        self._alias = alias
        self._target = target
        self._endless = endless
        self._warn = warn
        self._clock = clock
        self._ever = False
        self._warned_at: float | None = None
        self._since: float | None = None

    def failed(self, failure: Failure, attempts: int, wait: float) -> None:
        """A request failed for the `attempts`-th time, and is sent again after `wait` seconds."""
        now = self._clock.now()
        if self._since is None:
            self._since = now
        quiet = self._ever and attempts < _PATIENCE and wait < _SILENCE
        recent = self._warned_at is not None and now - self._warned_at < _SILENCE
        if quiet or recent:
            return
        self._warned_at = now
        text = f"udf.{self._alias}: {self._target} {failure.cause}; "
        text += f"trying again in {wait:.1f} s" if wait >= 1 else "trying again"
        if self._endless and failure.retry is Retry.UNLIMITED:
            text += (
                f" until it answers ({self._alias}.total_timeout or {self._alias}.max_retries "
                "would end that)"
            )
        self._warn(text)

    def answered(self) -> None:
        """A request got its answer."""
        self._ever = True
        if self._warned_at is not None and self._since is not None:
            took = self._clock.now() - self._since
            self._warn(f"udf.{self._alias}: {self._target} answers again after {took:,.1f} s")
            self._warned_at = None
        self._since = None
