"""DISTINCT: any aggregate, of the different values of each range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...column import Column
from ...errors import RunError
from ...grouping.keys import KeyTable
from ...grouping.ranges import Ranges, of_lengths
from ...types import Type
from ..aggregate import Aggregate
from .ordering import in_portions
from .values import Ints


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
        table = KeyTable(len(inputs))
        codes = table.codes(inputs, len(times))

        def compute(some: Ranges) -> Column:
            rows, owners = some.flat()
            _, first = np.unique(owners * max(table.count, 1) + codes[rows], return_index=True)
            first.sort()
            rows, owners = rows[first], owners[first]
            chosen = of_lengths(np.bincount(owners, minlength=len(some)))
            try:
                return self.inner.over([c.take(rows) for c in inputs], times[rows], chosen)
            except RunError as error:
                if error.row is not None:
                    error.row = int(rows[error.row])
                raise

        return in_portions(ranges, compute)
