"""Several scorers side by side: the partitions of an input without partitions of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .scorer import Scorer
from .stats import ScoringStats
from .ticket import Ticket


class LanedScorer(Scorer):
    """Gives submitted rows to its scorers in turn, each with parallel requests of its own.

    Rows that were submitted together stay together. A scorer that is saturated is passed over, so
    that a slow lane does not hold up the others. Which lane scores a row makes no difference to its
    answer, and the order of the rows is that of the tickets.
    """

    def __init__(self, lanes: Sequence[Scorer]) -> None:
        self.ordered = lanes[0].ordered
        self._lanes = list(lanes)
        self._next = 0
        self._happened = threading.Event()
        self._told: Callable[[], None] | None = None
        for lane in lanes:
            lane.on_progress = self._progress

    @property
    def stats(self) -> ScoringStats:  # type: ignore[override]
        """The counters of all lanes together."""
        total = ScoringStats()
        for lane in self._lanes:
            total.add(lane.stats)
        return total

    @property
    def on_progress(self) -> Callable[[], None] | None:
        return self._told

    @on_progress.setter
    def on_progress(self, call: Callable[[], None] | None) -> None:
        self._told = call

    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        turn = [*self._lanes[self._next :], *self._lanes[: self._next]]
        lane = next((one for one in turn if not one.saturated), turn[0])
        self._next = (self._lanes.index(lane) + 1) % len(self._lanes)
        return lane.submit(rows, events)

    def flush(self, final: bool = False) -> None:
        for lane in self._lanes:
            lane.flush(final)

    @property
    def saturated(self) -> bool:
        return all(lane.saturated for lane in self._lanes)

    def wait(self, timeout: float | None = None) -> bool:
        happened = self._happened.wait(timeout)
        self._happened.clear()
        return happened

    def cancel(self) -> None:
        # side by side: each may take a second to close its connections
        with ThreadPoolExecutor(len(self._lanes), "close scorer") as threads:
            list(threads.map(lambda lane: lane.cancel(), self._lanes))

    def _progress(self) -> None:
        self._happened.set()
        if self._told is not None:
            self._told()
