"""DISTINCT: any aggregate, of the different values of each range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from ...column import Column
from ...errors import RunError
from ...grouping.keys import KeyTable
from ...grouping.ranges import Ranges, argsort_codes, of_lengths
from ...types import Type
from ..aggregate import Aggregate
from .ordering import in_portions
from .values import Ints

_PLAIN = (Type.BIGINT, Type.FLOAT, Type.TEXT, Type.DATETIME)
"""Types whose values are equal if what is stored is."""


@dataclass(frozen=True)
class Distinct(Aggregate):
    """An aggregate that sees only the first of equal values (equal as for GROUP BY)."""

    inner: Aggregate
    name: str = field(init=False)
    type: Type = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.inner.name} DISTINCT")
        object.__setattr__(self, "type", self.inner.type)

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        before = _previous(_codes(inputs, len(times)))

        def compute(some: Ranges) -> Column:
            rows, owners = some.flat()
            first = np.flatnonzero(before[rows] < some.starts[owners])
            rows, owners = rows[first], owners[first]
            chosen = of_lengths(np.bincount(owners, minlength=len(some)))
            try:
                return self.inner.over([c.take(rows) for c in inputs], times[rows], chosen)
            except RunError as error:
                if error.row is not None:
                    error.row = int(rows[error.row])
                raise

        return in_portions(ranges, compute)


def _codes(inputs: Sequence[Column], count: int) -> Ints:
    """Return a number for each row that is the same for equal values."""
    if len(inputs) == 1 and inputs[0].type in _PLAIN:
        values = inputs[0].values
        if inputs[0].type is Type.FLOAT:
            values = pc.add(values, 0.0)  # -0.0 equals 0.0
        encoded = pc.dictionary_encode(values, null_encoding="encode")
        return np.asarray(encoded.indices, np.int64)
    return KeyTable(len(inputs)).codes(inputs, count)


def _previous(codes: Ints) -> Ints:
    """Return for each row the last row before it with the same code, -1 if there is none."""
    order = argsort_codes(codes)
    again = np.flatnonzero(codes[order[1:]] == codes[order[:-1]])
    before = np.full(len(codes), -1, np.int64)
    before[order[again + 1]] = order[again]
    return before
