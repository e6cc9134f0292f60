"""Arrays of numbers out of V8 as numbers: a function that computes what a model wants.

The first batch comes back as text, like all arrays. If its first row has some numbers and nothing
else, the next calls have room for as many numbers of each row in the shared buffer; a row that
returns anything else comes as text beside them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column
from ...packed import PackedColumn
from ...types import Type
from .number_texts import array_texts
from .transport import LIST, Argument

_NUMBERS = re.compile(r"\[(?:-?\d[\d.e+-]*,)*-?\d[\d.e+-]*\]")
_MOST_BYTES = 64 * 1024 * 1024


def width_of(column: Column) -> int:
    """Return how many numbers the arrays of a column have, to judge by the first; 0 for others."""
    if isinstance(column, PackedColumn):
        return len(column.elements)
    if column.type is not Type.ARRAY or column.values.null_count == len(column):
        return 0
    text = column.values[0].as_py()
    return text.count(",") + 1 if text and _NUMBERS.fullmatch(text) else 0


def room_for(width: int, count: int) -> list[Argument]:
    """Return what keeps room in the buffer for arrays of so many numbers; nothing if it is much."""
    size = 8 * width * count
    return [Argument(f"{LIST}{width}", room=size)] if 0 < size <= _MOST_BYTES else []


def packed(numbers: NDArray[np.float64]) -> PackedColumn:
    """Return the arrays whose numbers lie in a table, a row of it for each place."""
    own = numbers.copy()
    return PackedColumn([Column(Type.FLOAT, pa.array(place)) for place in own], None, _written)


def _written(elements: Sequence[Column]) -> pa.StringArray:
    return array_texts([np.asarray(element.values) for element in elements])
