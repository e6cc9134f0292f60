"""COUNT: how many events, or how many values that are not NULL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from ...column import Column
from ...grouping.ranges import Ranges
from ...types import Type
from ..aggregate import Accumulator, Aggregate, Signature
from .slots import SlotArrays
from .values import Ints, within


@dataclass(frozen=True)
class Count(Aggregate):
    """COUNT(*) without inputs, COUNT(x) with one."""

    name: str = "COUNT"
    type: Type = Type.BIGINT

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        rows = None
        if inputs and inputs[0].values.null_count:
            rows = np.flatnonzero(inputs[0].valid())
        return _bigints(within(rows, len(times), ranges).lengths)

    def accumulator(self) -> Accumulator:
        return _Counts()


class _Counts(SlotArrays):
    fields: ClassVar = {"counts": 0}

    def take_rows(self, slots: Ints, inputs: Sequence[Column]) -> None:
        if inputs and inputs[0].values.null_count:
            slots = slots[inputs[0].valid()]
        np.add.at(self.arrays["counts"], slots, 1)

    def result(self, slots: Ints, ranges: Ranges) -> Column:
        before = np.append(0, np.cumsum(self.arrays["counts"][slots]))
        return _bigints(before[ranges.ends] - before[ranges.starts])


def _bigints(values: Ints) -> Column:
    return Column(Type.BIGINT, pa.array(values))


def count(_: Signature) -> Aggregate:
    """Return COUNT; it takes values of any type."""
    return Count()
