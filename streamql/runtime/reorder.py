"""Rows that wait until nothing older can come, and leave in order of (time, arrival)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..batch import Batch, concat_batches, pack, unpack

_PIECE = 65_536
"""Rows that leave in one batch at most."""


class Waiting:
    """The rows that wait, in the order in which they came."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []

    @property
    def count(self) -> int:
        """How many rows wait."""
        return sum(b.count for b in self._batches)

    def add(self, batch: Batch) -> None:
        """Let rows wait."""
        if batch.count:
            self._batches.append(batch)

    def until(self, time: int) -> Iterator[Batch]:
        """Take out the rows that are not after `time`, in order of (time, arrival)."""
        if not self._batches:
            return
        times = np.concatenate([b.times for b in self._batches])
        if times.min() > time:
            return
        if times.max() <= time and bool((times[1:] >= times[:-1]).all()):
            batches, self._batches = self._batches, []
            for batch in batches:
                yield from _pieces(batch)
            return
        order = np.argsort(times, kind="stable")
        ready = int(np.searchsorted(times[order], time, "right"))
        batches = self._batches
        self._batches = list(_gather(batches, np.sort(order[ready:])))
        for start in range(0, ready, _PIECE):
            yield from _gather(batches, order[start : min(start + _PIECE, ready)])

    def snapshot(self) -> list[Any]:
        """Return the rows as plain values and Columns."""
        return [pack(b) for b in self._batches]

    def restore(self, state: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self._batches = [unpack(s) for s in state]


def _pieces(batch: Batch) -> Iterator[Batch]:
    """Yield a batch in pieces of a size that the next operator and the output can share out."""
    if batch.count <= _PIECE:
        yield batch
        return
    for start in range(0, batch.count, _PIECE):
        yield batch.take(np.arange(start, min(start + _PIECE, batch.count)))


def _gather(batches: list[Batch], rows: np.ndarray) -> Iterator[Batch]:
    """Yield one batch with these rows of several batches laid end to end, in the given order."""
    if len(rows) == 0:
        return
    ends = np.cumsum([b.count for b in batches])
    owners = np.searchsorted(ends, rows, "right")
    used = np.unique(owners)
    parts, places = [], []
    for owner in used.tolist():
        mine = np.flatnonzero(owners == owner)
        parts.append(batches[owner].take(rows[mine] - (ends[owner] - batches[owner].count)))
        places.append(mine)
    if len(parts) == 1:
        yield parts[0]
        return
    back = np.argsort(np.concatenate(places), kind="stable")
    yield concat_batches(parts).take(back)
