"""VAR, VARP, STDEV and STDEVP, computed without the cancellation of sums of squares.

Ranges merge (count, mean, sum of squared deviations). A slot sums deviations from its first value
instead, one row after the other: as the first value is one of the values, what cancels is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column, nulls
from ...grouping.ranges import Ranges, States, fold
from ...types import Type
from ..aggregate import Accumulator, Aggregate, Signature
from .slots import SlotArrays
from .values import (
    NUMBERS,
    Floats,
    Ints,
    Rows,
    floats,
    last_rows,
    refuse_infinite,
    static_type,
    within,
)


@dataclass(frozen=True)
class Variance(Aggregate):
    """VAR and its kin.

    Attributes:
        sample: divide by n - 1, not by n.
        root: the standard deviation, not the variance.
    """

    name: str
    sample: bool
    root: bool
    type: Type = Type.FLOAT

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        column = inputs[0]
        piece = floats(column, self.name, ranges)
        inner = within(piece.rows, len(column), ranges)
        values: Floats = piece.values
        states = (np.ones(len(values)), values, np.zeros(len(values)))
        odd = _any(~np.isfinite(values), inner)
        return self.of(states, inner, odd, last_rows(ranges))

    def of(
        self, states: States, ranges: Ranges, odd: NDArray[np.bool_], blame: Rows | None
    ) -> Column:
        """Return the values of ranges of (count, mean, squared deviations), none of them empty."""
        with np.errstate(all="ignore"):
            counts, _, squares = fold(states, ranges, _merged)
            divisor = np.asarray(counts, np.float64) - (1 if self.sample else 0)
            none = divisor <= 0
            if none.all():
                return nulls(len(none))
            result = np.asarray(squares, np.float64) / divisor
            if self.root:
                result = np.sqrt(result)
        refuse_infinite(result, odd | none, self.name, blame)
        return Column(Type.FLOAT, pa.array(result, mask=none))

    def accumulator(self) -> Accumulator:
        return _Deviations(self)


def _any(flags: NDArray[np.bool_], ranges: Ranges) -> NDArray[np.bool_]:
    """Tell for each range whether a flag in it is set."""
    if not flags.any():
        return np.zeros(len(ranges), bool)
    before = np.append(0, np.cumsum(flags))
    result: NDArray[np.bool_] = before[ranges.ends] > before[ranges.starts]
    return result


def _merged(a: States, b: States) -> States:
    """Merge (count, mean, squared deviations) of two sets of values."""
    (n, mean, squares), (m, other, more) = a, b
    count = np.add(n, m)
    apart = np.subtract(other, mean)
    share = np.divide(m, count)
    return (
        count,
        np.add(mean, np.multiply(apart, share)),
        np.add(np.add(squares, more), np.multiply(np.multiply(apart, apart), n * share)),
    )


class _Deviations(SlotArrays):
    """Per slot: how many values, the first, and sums of deviations from it and their squares."""

    fields: ClassVar = {"counts": 0, "first": 0.0, "sums": 0.0, "squares": 0.0, "odd": False}

    def __init__(self, owner: Variance) -> None:
        super().__init__()
        self._owner = owner

    def take_rows(self, slots: Ints, inputs: Sequence[Column]) -> None:
        arrays = self.arrays
        piece = floats(inputs[0], self._owner.name)
        values, own = piece.values, piece.of(slots)
        first = arrays["first"]
        fresh = np.flatnonzero(arrays["counts"][own] == 0)[::-1]
        # of several rows of a new slot the first is written last, and stays
        first[own[fresh]] = values[fresh]
        np.add.at(arrays["counts"], own, 1)
        apart = values - first[own]
        np.add.at(arrays["sums"], own, apart)
        np.add.at(arrays["squares"], own, apart * apart)
        if not np.isfinite(values.sum()):
            arrays["odd"][own[~np.isfinite(values)]] = True

    def result(self, slots: Ints, ranges: Ranges) -> Column:
        counts = self.arrays["counts"][slots]
        filled = np.flatnonzero(counts)
        inner = within(filled, len(slots), ranges)
        found = {name: array[slots[filled]] for name, array in self.arrays.items()}
        with np.errstate(all="ignore"):
            n = found["counts"].astype(np.float64)
            means = found["sums"] / n
            # not np.maximum(0, ...): a value that is not finite must stay visible
            squares = found["squares"] - found["sums"] * means
            squares[squares < 0] = 0.0
        states = (n, found["first"] + means, squares)
        return self._owner.of(states, inner, _any(found["odd"], inner), None)


def deviation(name: str, *, sample: bool, root: bool) -> Callable[[Signature], Aggregate]:
    """Return what makes the aggregate of this name for a signature."""

    def make(signature: Signature) -> Aggregate:
        static_type(signature, name, NUMBERS)
        return Variance(name, sample, root)

    return make
