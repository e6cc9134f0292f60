"""The interface of what scores the rows of a job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .stats import ScoringStats
from .ticket import Ticket


class Scorer(ABC):
    """Scores rows for one partition of a job. Called from one thread.

    Order of calls: `submit` and `flush` in any order; `cancel` or `close` once, at the end. A
    ticket's rows keep their order; tickets may be done in another order than they were submitted.

    Attributes:
        stats: counters so far.
        ordered: whether rows have to leave in the order in which they came.
        on_progress: called when a ticket is done or capacity is free, from another thread.
    """

    stats: ScoringStats
    ordered: bool = True
    on_progress: Callable[[], None] | None = None

    @abstractmethod
    def submit(self, rows: pa.StringArray, events: NDArray[np.int64]) -> Ticket:
        """Queue rows (JSON texts; NULL is sent as null) with their event numbers. Never blocks.

        Full batches are sent; the rest waits for more rows or for `flush`.
        """

    @abstractmethod
    def flush(self, final: bool = False) -> None:
        """Have partial batches sent: the end of an input's pull.

        With `max_batch_wait` they still wait that long to be filled, unless this is the `final`
        end of the input.
        """

    @property
    @abstractmethod
    def saturated(self) -> bool:
        """Whether the source should wait: enough rows are queued and in flight."""

    @abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Wait until something happened since the last wait; return False if nothing did."""

    @abstractmethod
    def cancel(self) -> None:
        """Give up everything within a second; tickets that are not done fail."""

    def close(self) -> None:
        """Give back connections; the last call. What is still queued is given up."""
        self.cancel()
