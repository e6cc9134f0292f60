"""What a keeper is: it holds the rows or states of one window of a query until they are due."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...column import Column
from ...expressions.nodes import Aggregation

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Arrivals:
    """The rows of a batch as a keeper needs them.

    Attributes:
        codes: the group of each row.
        times: the time of each row.
        events: the input event of each row, for messages.
        inputs: the arguments of each aggregate.
        sessions: for session windows, what each row shares a session with; None: its group.
    """

    codes: Ints
    times: Ints
    events: Ints
    inputs: Sequence[Sequence[Column]]
    sessions: Ints | None = None


@dataclass(frozen=True)
class Closed:
    """Windows that are due: the end and group of each, and the value of each aggregate."""

    ends: Ints
    codes: Ints
    values: list[Column]


class Keeper(ABC):
    """Holds one window of GROUP BY. Times in `close` rise; a window is due once `end < time`."""

    def __init__(self, aggregations: Sequence[Aggregation]) -> None:
        self._aggregations = aggregations

    @abstractmethod
    def add(self, rows: Arrivals) -> None:
        """Take rows. Raises DataError or FunctionError with place and event."""

    @abstractmethod
    def close(self, time: int) -> Closed | None:
        """Return the windows that end before `time` and were not returned before.

        If these are too many to be held at once they are the first of them, and some are `waiting`:
        further calls, before all else, return the rest.
        """

    @property
    def waiting(self) -> bool:
        """Whether windows that have been closed were not returned."""
        return False

    @property
    @abstractmethod
    def count(self) -> int:
        """How many rows, or running states, are held."""

    @abstractmethod
    def live(self) -> Ints:
        """Return the groups that something is held for."""

    @abstractmethod
    def recode(self, moved: Ints) -> None:
        """Take over new group codes: group g is now `moved[g]`."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain values, arrays and Columns."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
