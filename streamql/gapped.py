"""Rows chosen from other rows, with gaps: what the right side of a LEFT JOIN is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .column import Column, nulls
from .rows import Rows


class GappedRows(Rows):
    """Row i is row `index[i]` of `rows` where `known[i]`; elsewhere all of it is NULL."""

    def __init__(self, rows: Rows, index: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
        self._rows = rows
        self._index = index
        self._known = known
        self.textual = rows.textual

    def __len__(self) -> int:
        return len(self._index)

    def field(self, path: tuple[str, ...]) -> Column:
        return self._gapped(self._rows.field(path))

    def record(self) -> Column:
        return self._gapped(self._rows.record())

    def _gapped(self, column: Column) -> Column:
        if self._known.all():
            return column.take(self._index)
        if not self._known.any():
            return nulls(len(self._index))
        index = pa.array(self._index, mask=~self._known)
        integers = column.integers
        if integers is not None:
            integers = integers.take(index).fill_null(False)
        return Column(column.type, column.values.take(index), integers)

    def take(self, rows: NDArray[np.int64]) -> GappedRows:
        return GappedRows(self._rows, self._index[rows], self._known[rows])
