"""Rows that were read in different ways, in the order of their events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..column import Column, combine
from ..rows import Rows

Index = NDArray[np.int64]


class MergedRows(Rows):
    """Parts of a relation put together: row `places[i][j]` is row j of part i.

    The places of each part rise; each row belongs to one part. A field is put together when it is
    asked for.
    """

    def __init__(self, parts: Sequence[Rows], places: Sequence[Index]) -> None:
        self._parts = list(parts)
        self._places = list(places)
        self._count = sum(len(p) for p in places)
        self._cache: dict[tuple[str, ...], Column] = {}

    def __len__(self) -> int:
        return self._count

    def field(self, path: tuple[str, ...]) -> Column:
        if path not in self._cache:
            self._cache[path] = self._joined([part.field(path) for part in self._parts])
        return self._cache[path]

    def record(self) -> Column:
        return self._joined([part.record() for part in self._parts])

    def _joined(self, columns: list[Column]) -> Column:
        return combine(self._count, list(zip(self._places, columns, strict=True)))

    def take(self, rows: Index) -> Rows:
        owner = np.empty(self._count, np.int8)
        inner = np.empty(self._count, np.int64)
        for number, places in enumerate(self._places):
            owner[places] = number
            inner[places] = np.arange(len(places))
        owners = owner[rows]
        parts, kept = [], []
        for number, part in enumerate(self._parts):
            places = np.flatnonzero(owners == number)
            if len(places):
                parts.append(part.take(inner[rows[places]]))
                kept.append(places)
        if len(parts) == 1:
            return parts[0]
        return MergedRows(parts, kept)
