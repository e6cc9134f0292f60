"""MIN and MAX of numbers, datetimes, bits, and of text where the query says it is text.

A value that is not declared or cast as text is compared as a number even if it is a text, so that
'9' is less than '10'. Bigints and floats are compared exactly, and the result keeps
its own type; of a bigint and a float of the same value the bigint is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column, combine
from ...errors import DataError
from ...grouping.ranges import Ranges, States, fold
from ...types import STORAGE, Type
from ..aggregate import Accumulator, Aggregate, Signature
from .slots import SlotArrays
from .values import Floats, Ints, Piece, Rows, pieces, static_type, within

_ORDERED = (Type.BIT, Type.BIGINT, Type.FLOAT, Type.DATETIME)
_KINDS = {Type.BIGINT: 1, Type.FLOAT: 1, Type.DATETIME: 2, Type.BIT: 3, Type.TEXT: 4}
"""Values of one kind can be compared."""
_KIND_NAMES = ("", "number", "datetime", "bit", "text")


@dataclass(frozen=True)
class Extreme(Aggregate):
    """MIN or MAX; `text` if the query says that the values are text."""

    name: str
    type: Type
    text: bool

    @property
    def takes(self) -> Collection[Type]:
        """The types of values that can be compared."""
        return (*_ORDERED, Type.TEXT) if self.text else _ORDERED

    @property
    def better(self) -> np.ufunc:
        """The choice between two values."""
        return np.minimum if self.name == "MIN" else np.maximum

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        column = inputs[0]
        found = pieces(column, self.name, self.takes, ranges)
        try:
            return self.of(found, len(column), ranges)
        except _Mixture as mixture:
            start, end = ranges.starts[mixture.at], ranges.ends[mixture.at]
            kinds = _kinds(found, len(column))[start:end]
            known = kinds[kinds > 0]
            row = start + int(np.argmax((kinds > 0) & (kinds != known[0])))
            raise _cannot_compare(self.name, known[0], kinds[row - start], int(row)) from None

    def of(self, found: Sequence[Piece], count: int, ranges: Ranges) -> Column:
        """Return the values of ranges over pieces of `count` rows. Raises _Mixture."""
        best: dict[Type, tuple[Rows, NDArray[Any]]] = {}
        filled = np.zeros((5, len(ranges)), bool)
        sorted_texts = None
        for piece in found:
            inner = within(piece.rows, count, ranges)
            values = piece.values
            if piece.type is Type.TEXT:
                sorted_texts, values = _text_ranks(values)
            rows = np.flatnonzero(inner.lengths > 0)
            best[piece.type] = rows, fold((values,), inner.take(rows), self._merge)[0]
            filled[_KINDS[piece.type], rows] = True
        mixed = filled.sum(axis=0) > 1
        if mixed.any():
            raise _Mixture(int(np.argmax(mixed)))
        if Type.BIGINT in best and Type.FLOAT in best:
            self._decide(best)
        parts: list[tuple[Rows | None, Column]] = []
        for kind, (rows, values) in best.items():
            if kind is Type.TEXT:
                assert sorted_texts is not None
                array = sorted_texts.take(pa.array(values))
            else:
                if kind is Type.FLOAT:
                    values = values + 0.0  # of 0.0 and -0.0 numpy takes either
                array = pa.array(values).cast(STORAGE[kind])
            parts.append((None if len(rows) == len(ranges) else rows, Column(kind, array)))
        return combine(len(ranges), parts)

    def _merge(self, a: States, b: States) -> States:
        return (self.better(a[0], b[0]),)

    def _decide(self, best: dict[Type, tuple[Rows, NDArray[Any]]]) -> None:
        """Where a range has a bigint and a float, leave the better one only."""
        (whole, bigints), (rough, numbers) = best[Type.BIGINT], best[Type.FLOAT]
        both = np.intersect1d(whole, rough, assume_unique=True)
        at, beside = np.searchsorted(whole, both), np.searchsorted(rough, both)
        order = compare(bigints[at], numbers[beside])
        float_wins = order > 0 if self.name == "MIN" else order < 0
        drop, lose = at[float_wins], beside[~float_wins]
        best[Type.BIGINT] = np.delete(whole, drop), np.delete(bigints, drop)
        best[Type.FLOAT] = np.delete(rough, lose), np.delete(numbers, lose)

    def accumulator(self) -> Accumulator:
        return _Extremes(self)


def split(bigints: Ints) -> tuple[Floats, Ints]:
    """Return the nearest floats and what is missing: the pairs have the order of the bigints."""
    near = bigints.astype(np.float64)
    top = near >= 2.0**63  # not a bigint itself
    back = np.where(top, 0.0, near).astype(np.int64)
    rest = np.where(top, bigints - (2**63 - 1) - 1, bigints - back)
    return near, rest


def compare(bigints: Ints, numbers: Floats) -> Ints:
    """Return -1, 0 or 1 for a bigint below, equal to or above a float, exactly."""
    near, rest = split(bigints)
    above, below = near > numbers, near < numbers
    return np.where(above, 1, np.where(below, -1, np.sign(rest)))


class _Mixture(Exception):
    """Range `at` has values of several kinds."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at


def _cannot_compare(name: str, first: int, second: int, row: int | None) -> DataError:
    return DataError(
        f"{name} cannot compare a {_KIND_NAMES[first]} with a {_KIND_NAMES[second]}", row=row
    )


def _kinds(found: Sequence[Piece], count: int) -> NDArray[np.int8]:
    """Return the kind of each row, 0 for NULL."""
    kinds = np.zeros(count, np.int8)
    for piece in found:
        kinds[slice(None) if piece.rows is None else piece.rows] = _KINDS[piece.type]
    return kinds


def _text_ranks(texts: pa.StringArray) -> tuple[pa.StringArray, Ints]:
    """Return the different texts by code point, and the place of each text among them."""
    encoded = texts.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)  # by bytes of UTF-8: that is by code point
    ranks = np.empty(len(order), np.int64)
    ranks[np.asarray(order)] = np.arange(len(order))
    return encoded.dictionary.take(order), ranks[np.asarray(encoded.indices)]


class _Extremes(SlotArrays):
    """The best value of each type per slot, and whether there is one."""

    fields: ClassVar = {"has_bigint": False, "has_float": False, "has_datetime": False,
        "has_bit": False, "has_text": False, "bigint": 0, "float": 0.0, "datetime": 0, "bit": 0,
        "text": None}  # fmt: skip
    _names: ClassVar = {Type.BIGINT: "bigint", Type.FLOAT: "float", Type.DATETIME: "datetime",
        Type.BIT: "bit", Type.TEXT: "text"}  # fmt: skip

    def __init__(self, owner: Extreme) -> None:
        super().__init__()
        self._owner = owner
        self._seen: set[int] = set()

    def take_rows(self, slots: Ints, inputs: Sequence[Column]) -> None:
        found = pieces(inputs[0], self._owner.name, self._owner.takes)
        self._seen |= {_KINDS[p.type] for p in found}
        if len(self._seen) > 1:
            self._refuse_mixture(found, slots)
        for piece in found:
            name, own, values = self._names[piece.type], piece.of(slots), piece.values
            best, has = self.arrays[name], self.arrays[f"has_{name}"]
            if piece.type is Type.TEXT:
                self._take_texts(own, values, best)
            else:
                fresh = np.flatnonzero(~has[own])
                best[own[fresh]] = values[fresh]
                self._owner.better.at(best, own, values)
            has[own] = True

    def _take_texts(self, slots: Ints, texts: pa.StringArray, best: NDArray[Any]) -> None:
        ordered, ranks = _text_ranks(texts)
        touched, where = np.unique(slots, return_inverse=True)
        chosen = np.full(len(touched), len(ordered) if self._owner.name == "MIN" else -1)
        self._owner.better.at(chosen, where, ranks)
        choose = min if self._owner.name == "MIN" else max
        # a loop over slots, not over rows
        for slot, text in zip(touched, ordered.take(pa.array(chosen)).to_pylist(), strict=True):
            best[slot] = text if best[slot] is None else choose(best[slot], text)

    def _refuse_mixture(self, found: Sequence[Piece], slots: Ints) -> None:
        """Raise DataError with the first row of another kind than its slot."""
        kinds = _kinds(found, len(slots))
        own = np.zeros(self.count, np.int8)
        for kind, name in self._names.items():
            own[self.arrays[f"has_{name}"][: self.count]] = _KINDS[kind]
        fresh = np.flatnonzero((own[slots] == 0) & (kinds > 0))[::-1]
        own[slots[fresh]] = kinds[fresh]
        bad = (kinds > 0) & (kinds != own[slots])
        if bad.any():
            row = int(np.argmax(bad))
            raise _cannot_compare(self._owner.name, own[slots[row]], kinds[row], row)

    def result(self, slots: Ints, ranges: Ranges) -> Column:
        found = []
        for kind, name in self._names.items():
            rows = np.flatnonzero(self.arrays[f"has_{name}"][slots])
            if len(rows):
                values = self.arrays[name][slots[rows]]
                text = kind is Type.TEXT
                found.append(Piece(kind, rows, pa.array(values, pa.string()) if text else values))
        try:
            return self._owner.of(found, len(slots), ranges)
        except _Mixture:
            raise DataError(
                f"{self._owner.name} cannot compare values of different kinds"
            ) from None

    def snapshot(self) -> dict[str, Any]:
        state = super().snapshot()
        if _KINDS[Type.TEXT] not in self._seen:  # the rule; objects would be copied one by one
            return {**state, "text": pa.nulls(self.count, pa.string())}
        texts = state["text"]
        return {**state, "text": lambda: pa.array(texts(), pa.string())}

    def restore(self, state: dict[str, Any]) -> None:
        texts = state["text"]
        if texts.null_count == len(texts):
            super().restore({**state, "text": np.full(len(texts), None, object)})
        else:
            super().restore({**state, "text": np.array(texts.to_pylist(), object)})
        for kind, name in self._names.items():
            if self.arrays[f"has_{name}"].any():
                self._seen.add(_KINDS[kind])


def extreme(name: str) -> Callable[[Signature], Aggregate]:
    """Return what makes MIN or MAX for a signature."""

    def make(signature: Signature) -> Aggregate:
        if signature.types[0] is Type.TEXT:
            return Extreme(name, Type.TEXT, True)
        kind = static_type(signature, name, _ORDERED)
        return Extreme(name, Type.ANY if kind is Type.NUMBER else kind, False)

    return make
