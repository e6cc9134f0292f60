"""Arrays and records that were made of columns: their text is written when somebody reads it.

A function that packs values for a model makes such a column. The model takes the columns out again,
so that no row is ever written; whoever else asks for `values` gets the JSON text that an array or a
record is everywhere in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .column import Column, Rows
from .types import Array, Type

Writer: TypeAlias = Callable[[Sequence[Column]], pa.StringArray]


class PackedColumn(Column):
    """One array for each row, or one record where the elements have names. No row is NULL.

    Attributes:
        elements: the values at each place, all of the same length; their numbers are equal to those
            in the text, though a whole one may be a float here and a bigint there.
        names: the names of the fields; None for arrays.
    """

    __slots__ = ("_text", "_write", "elements", "names")

    elements: tuple[Column, ...]
    names: tuple[str, ...] | None
    _write: Writer
    _text: Array | None

    def __init__(
        self, elements: Sequence[Column], names: Sequence[str] | None, write: Writer
    ) -> None:
        """`write` returns the JSON texts of such elements, row by row, without a NULL."""
        for name, value in (
            ("type", Type.ARRAY if names is None else Type.RECORD),
            ("integers", None),
            ("constant", False),
            ("elements", tuple(elements)),
            ("names", None if names is None else tuple(names)),
            ("_write", write),
            ("_text", None),
        ):
            object.__setattr__(self, name, value)  # as a frozen dataclass does it

    @property
    def values(self) -> Array:
        """The JSON text of each row."""
        text = self._text
        if text is None:
            text = self._write(self.elements)
            object.__setattr__(self, "_text", text)
        return text

    def __len__(self) -> int:
        return len(self.elements[0])

    def take(self, rows: Rows) -> Column:
        if self._text is not None:
            return super().take(rows)
        return self._with([element.take(rows) for element in self.elements])

    def filter(self, keep: NDArray[np.bool_]) -> Column:
        if self._text is not None:
            return super().filter(keep)
        return self._with([element.filter(keep) for element in self.elements])

    def slice(self, start: int, length: int) -> Column:
        part = self._with([element.slice(start, length) for element in self.elements])
        if self._text is not None:
            object.__setattr__(part, "_text", self._text.slice(start, length))
        return part

    def valid(self) -> NDArray[np.bool_]:
        return np.ones(len(self), bool)

    def _with(self, elements: Sequence[Column]) -> PackedColumn:
        return PackedColumn(elements, self.names, self._write)
