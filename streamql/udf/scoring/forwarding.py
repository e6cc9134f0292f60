"""A scorer in front of another one: what it does not change goes on to that one."""

from __future__ import annotations

from collections.abc import Callable

from .scorer import Scorer


class ForwardingScorer(Scorer):
    """Forwards everything but `submit`; its counters are those of the scorer behind it."""

    def __init__(self, inner: Scorer) -> None:
        self.stats = inner.stats
        self.ordered = inner.ordered
        self._inner = inner

    @property
    def on_progress(self) -> Callable[[], None] | None:
        return self._inner.on_progress

    @on_progress.setter
    def on_progress(self, call: Callable[[], None] | None) -> None:
        self._inner.on_progress = call

    def flush(self, final: bool = False) -> None:
        self._inner.flush(final)

    @property
    def saturated(self) -> bool:
        return self._inner.saturated

    def wait(self, timeout: float | None = None) -> bool:
        return self._inner.wait(timeout)

    def cancel(self) -> None:
        self._inner.cancel()
