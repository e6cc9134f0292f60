"""A source read from a position to its end, one partition after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..formats.decoded import Decoded
from .contract import Position, Reader, Source, last_event, shifted


class Reading:
    """Reads the partitions of a source one after the other.

    A position has the `partition`, where its `reader` is, and the number of the event `after` which
    to go on: events up to it that the reader gives again are left out.
    """

    def __init__(self, source: Source, position: Position | None = None) -> None:
        self._source = source
        self._partitions = list(source.partitions())
        self._reader: Reader | None = None
        self._given: dict[str, Any] = dict(position or {})
        if position is not None:
            self._partitions = self._partitions[self._place(str(position["partition"])) :]
        self._at: dict[str, Any] = self._given or {"partition": self._partitions[0]}

    def _place(self, partition: str) -> int:
        try:
            return self._partitions.index(partition)
        except ValueError:
            raise InputError(
                f"{self._source.name} has no partition {partition}, where reading stopped",
                hint="put it back, or start again with --from-start",
            ) from None

    def read(self) -> list[Decoded] | None:
        """Return the events that are there now; None at the end of the last partition."""
        while True:
            if self._reader is None:
                if not self._partitions:
                    return None
                self._reader = self._open(self._partitions.pop(0))
            blocks = self._reader.read()
            self._at["reader"] = dict(self._reader.position())
            if blocks is not None:
                return self._skipped(blocks)
            self._reader.close()
            self._reader = None

    def _open(self, partition: str) -> Reader:
        if self._given.get("partition") == partition:
            self._at = dict(self._given)
        else:
            self._at = {"partition": partition}
        return self._source.open(partition, self._at.get("reader"))

    def _skipped(self, blocks: list[Decoded]) -> list[Decoded]:
        """Return what is behind the event after which to go on."""
        after = int(self._at.get("after", 0))
        if not after or not blocks:
            return blocks
        if last_event(blocks[-1]) > after:
            del self._at["after"]
        left = [shifted(block, 0, after) for block in blocks]
        return [block for block in left if block is not None]

    def position(self) -> Position:
        """Return where to resume: after the last event that `read` returned."""
        return dict(self._at)

    def close(self) -> None:
        """Let go of the partition at hand."""
        if self._reader is not None:
            self._reader.close()


class ReadingWithout(Reading):
    """Leaves out events by their numbers."""

    def __init__(
        self, source: Source, numbers: NDArray[np.int64], position: Position | None = None
    ) -> None:
        super().__init__(source, position)
        self._numbers = numbers

    def read(self) -> list[Decoded] | None:
        blocks = super().read()
        if blocks is None:
            return None
        return [self._kept(block) for block in blocks]

    def _kept(self, block: Decoded) -> Decoded:
        keep = ~np.isin(block.events, self._numbers)
        bad = tuple(b for b in block.bad if b.event not in self._numbers)
        return replace(block, rows=block.rows.filter(keep), events=block.events[keep], bad=bad)
