"""The messages that brought events: what GetMetadataPropertyValue reads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..column import Column, nulls
from ..rows import ColumnRows, Rows
from ..types import Type


class MessageRows(Rows):
    """`properties`, which an event has under the reserved key, and `event`, its number.

    A property is decoded when it is asked for. Without a key there are no properties.
    """

    def __init__(self, rows: Rows, key: str | None, events: NDArray[np.int64]) -> None:
        self._rows = rows
        self._key = key
        self._events = events

    def __len__(self) -> int:
        return len(self._events)

    def field(self, path: tuple[str, ...]) -> Column:
        if path == ("event",):
            return Column(Type.BIGINT, pa.array(self._events))
        if path[0] != "properties" or self._key is None:
            return nulls(len(self))
        return self._rows.field((self._key, *path[1:]))

    def record(self) -> Column:
        columns = {name: self.field((name,)) for name in ("properties", "event")}
        return ColumnRows(columns, len(self)).record()

    def take(self, rows: NDArray[np.int64]) -> MessageRows:
        return MessageRows(self._rows.take(rows), self._key, self._events[rows])
