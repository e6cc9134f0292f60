"""SUM and AVG.

Bigints are added exactly, as high * 2^32 + low, so that nothing overflows on the way; floats are
added as floats. A sum is bigint if all its values are, and float as soon as one of them is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column, combine, nulls
from ...errors import DataError
from ...grouping.ranges import Ranges, States, fold
from ...types import Type
from ..aggregate import Accumulator, Aggregate, Signature
from .slots import SlotArrays
from .values import (
    NUMBERS,
    Floats,
    Ints,
    Piece,
    Rows,
    last_rows,
    pieces,
    refuse_infinite,
    static_type,
    within,
)

_HALF = 2**32
_SAFE = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """The sums of many groups; one entry per group in each array.

    Attributes:
        bigints: how many bigints a group has; their sum is `high` * 2^32 + `low`, with `low` in
            0..2^32-1.
        floats: how many floats a group has; their sum is `sums`.
        odd: whether a value was not finite, so that the sum need not be.
    """

    bigints: Ints
    high: Ints
    low: Ints
    floats: Ints
    sums: Floats
    odd: NDArray[np.bool_]

    def as_floats(self) -> Floats:
        """Return the sums as floats; that of the bigints is rounded once."""
        whole = self.high.astype(np.float64) * _HALF + self.low
        result: Floats = whole + self.sums
        return result


def _added(a: States, b: States) -> States:
    return (np.add(a[0], b[0]),)


def _add_up(values: Ints, ranges: Ranges) -> Ints:
    """Return the sum of each range, modulo 2^64."""
    before = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=before[1:])
    return before[ranges.ends] - before[ranges.starts]


def _largest(values: Ints) -> int:
    return max(int(values.max()), -int(values.min())) if len(values) else 0


def _halves(high: Ints, low: Ints) -> tuple[Ints, Ints]:
    """Return high and low such that low is in 0..2^32-1."""
    return high + (low >> 32), low & (_HALF - 1)


def _totals(column: Column, name: str, ranges: Ranges) -> Totals:
    """Return the sums of the rows of each range."""
    count, none = len(ranges), np.zeros(len(ranges), np.int64)
    bigints = high = low = floats = none
    sums, odd = np.zeros(count), np.zeros(count, bool)
    for piece in pieces(column, name, NUMBERS, ranges):
        inner = within(piece.rows, len(column), ranges)
        values = piece.values
        if piece.type is Type.FLOAT:
            floats = inner.lengths
            sums = fold((values,), inner, _added)[0].astype(np.float64) + 0.0
            if not np.isfinite(values.sum()):
                odd = _add_up((~np.isfinite(values)).astype(np.int64), inner) > 0
            continue
        bigints = inner.lengths
        if _largest(values) * int(bigints.max(initial=0)) < _SAFE:
            high, low = _halves(none, _add_up(values, inner))
        else:
            parts = _add_up(values >> 32, inner), _add_up(values & (_HALF - 1), inner)
            high, low = _halves(*parts)
    return Totals(bigints, high, low, floats, sums, odd)


@dataclass(frozen=True)
class _Totalled(Aggregate):
    """An aggregate that follows from the sum and the count of each group."""

    name: str
    type: Type

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        with np.errstate(all="ignore"):
            return self.of(_totals(inputs[0], self.name, ranges), last_rows(ranges))

    @abstractmethod
    def of(self, totals: Totals, blame: Rows | None) -> Column:
        """Return the value of each group; `blame` is the row to blame when it does not fit."""

    def accumulator(self) -> Accumulator:
        return _Sums(self)


@dataclass(frozen=True)
class Sum(_Totalled):
    """SUM(x)."""

    def of(self, totals: Totals, blame: Rows | None) -> Column:
        whole = totals.floats == 0
        some = whole & (totals.bigints > 0)
        beyond = some & ((totals.high >= 2**31) | (totals.high < -(2**31)))
        if beyond.any():
            at = int(np.argmax(beyond))
            raise DataError(
                "the result of SUM is no bigint",
                row=None if blame is None else int(blame[at]),
                hint="SUM(CAST(... AS float)) has no such bounds",
            )
        parts: list[tuple[Rows | None, Column]] = []
        if some.any():
            exact = totals.high * _HALF + totals.low
            parts.append(_part(Type.BIGINT, exact, some))
        if not whole.all():
            rough = totals.as_floats()
            refuse_infinite(rough, totals.odd | whole, self.name, blame)
            parts.append(_part(Type.FLOAT, rough, ~whole))
        return combine(len(whole), parts)


def _part(kind: Type, values: NDArray[Any], some: NDArray[np.bool_]) -> tuple[Rows | None, Column]:
    if some.all():
        return None, Column(kind, pa.array(values))
    rows = np.flatnonzero(some)
    return rows, Column(kind, pa.array(values[rows]))


@dataclass(frozen=True)
class Average(_Totalled):
    """AVG(x)."""

    def of(self, totals: Totals, blame: Rows | None) -> Column:
        counts = totals.bigints + totals.floats
        none = counts == 0
        if none.all():
            return nulls(len(counts))
        means = totals.as_floats() / counts
        refuse_infinite(means, totals.odd | none, self.name, blame)
        return Column(Type.FLOAT, pa.array(means, mask=none if none.any() else None))


class _Sums(SlotArrays):
    """Counts and sums of bigints and of floats.

    `low` takes whole values for as long as `_bound` tells that no sum in it can overflow.
    """

    fields: ClassVar = {
        "bigints": 0, "high": 0, "low": 0, "floats": 0, "sums": 0.0, "odd": False,
    }  # fmt: skip

    def __init__(self, owner: _Totalled) -> None:
        super().__init__()
        self._owner = owner
        self._bound = 0

    def take_rows(self, slots: Ints, inputs: Sequence[Column]) -> None:
        arrays = self.arrays
        for piece in pieces(inputs[0], self._owner.name, NUMBERS):
            own, values = piece.of(slots), piece.values
            if piece.type is Type.BIGINT:
                np.add.at(arrays["bigints"], own, 1)
                self._add_bigints(own, piece)
                continue
            np.add.at(arrays["floats"], own, 1)
            np.add.at(arrays["sums"], own, values)
            if not np.isfinite(values.sum()):
                arrays["odd"][own[~np.isfinite(values)]] = True

    def _add_bigints(self, slots: Ints, piece: Piece) -> None:
        high, low, values = self.arrays["high"], self.arrays["low"], piece.values
        most = _largest(values) * len(values)
        if self._bound + most >= _SAFE:
            high, low = _halves(high, low)
            self.arrays.update(high=high, low=low)
            self._bound = _HALF
        if self._bound + most < _SAFE:
            self._bound += most
            np.add.at(low, slots, values)
        else:
            self._bound += _HALF * len(values)
            np.add.at(high, slots, values >> 32)
            np.add.at(low, slots, values & (_HALF - 1))

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._bound = _SAFE  # so that the next rows begin with low in its bounds

    def result(self, slots: Ints, ranges: Ranges) -> Column:
        found = {name: array[slots] for name, array in self.arrays.items()}
        high, low = _halves(found["high"], found["low"])
        high, low = _halves(_add_up(high, ranges), _add_up(low, ranges))
        with np.errstate(all="ignore"):
            totals = Totals(
                _add_up(found["bigints"], ranges),
                high,
                low,
                _add_up(found["floats"], ranges),
                fold((found["sums"],), ranges, _added)[0].astype(np.float64),
                _add_up(found["odd"].astype(np.int64), ranges) > 0,
            )
            return self._owner.of(totals, None)


def total(signature: Signature) -> Aggregate:
    """Return SUM. Raises BindError for a type that is no number."""
    kind = static_type(signature, "SUM", NUMBERS)
    results = {Type.TEXT: Type.FLOAT, Type.NUMBER: Type.ANY}
    return Sum("SUM", results.get(kind, kind))


def average(signature: Signature) -> Aggregate:
    """Return AVG. Raises BindError for a type that is no number."""
    static_type(signature, "AVG", NUMBERS)
    return Average("AVG", Type.FLOAT)
