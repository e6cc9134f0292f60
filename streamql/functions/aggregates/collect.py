"""Collect, CollectTop and TopOne: values or whole events of a group, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...column import Column, combine
from ...errors import BindError, DataError
from ...grouping.ranges import Ranges, States, fold
from ...text import bytes_of, offsets_of
from ...types import Type
from ..aggregate import Aggregate, Signature
from .ordering import check_order, in_order, in_portions, ranks
from .values import Ints, within

_MOST_BYTES = 1 << 29
MOST_TEXT = 1 << 30
"""Bytes of all arrays of one call, and of each: Arrow counts the bytes of texts in 31 bits, and
what comes after puts more beside them."""


class TooMuchText(DataError):
    """The arrays of some ranges are too long to be held at once, though none is by itself.

    Whoever asks for fewer ranges at a time gets them.
    """


@dataclass(frozen=True)
class Collect(Aggregate):
    """Collect([x]): the values that are not NULL, in order of (time, arrival)."""

    name: str = "Collect"
    type: Type = Type.ARRAY

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        texts = inputs[0].to_json()
        rows = np.flatnonzero(inputs[0].valid()) if texts.null_count else None
        known = texts.drop_null()
        _refuse_long(self.name, known, within(rows, len(times), ranges), ranges)

        def compute(some: Ranges) -> Column:
            inner = within(rows, len(times), some)
            return _arrays(known.take(pa.array(inner.flat()[0])), inner.lengths, some)

        return in_portions(ranges, compute, _rows_at_once(known))


def _refuse_long(name: str, texts: pa.StringArray, inner: Ranges, ranges: Ranges) -> None:
    """Raise DataError for an array that is too long, TooMuchText when all together are."""
    if not len(ranges):
        return
    offsets = offsets_of(texts).astype(np.int64)
    lengths = np.maximum(inner.lengths, 0)
    sizes = np.maximum(offsets[inner.ends] - offsets[inner.starts], 0) + lengths + 2
    longest = int(np.argmax(sizes))
    if sizes[longest] > MOST_TEXT:
        raise DataError(
            f"{name} gives an array of {_spoken(sizes[longest])} for "
            f"{int(inner.lengths[longest]):,} values, and a value has at most {_spoken(MOST_TEXT)}",
            hint="make the window shorter, or group by one more column",
            row=int(ranges.ends[longest]) - 1,
        )
    refuse_much(name, int(sizes.sum()))


def refuse_much(name: str, size: int) -> None:
    """Raise TooMuchText when so many bytes are too many for one call."""
    if size > MOST_TEXT:
        raise TooMuchText(
            f"{name} gives arrays of {_spoken(size)} for the rows of one batch, and at most "
            f"{_spoken(MOST_TEXT)} are held at once",
            hint="--set batch_rows=1000 makes batches smaller, LIMIT DURATION the arrays",
        )


def _spoken(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size} bytes"


def _rows_at_once(texts: pa.StringArray) -> int:
    """Return how many texts may be joined at once, so that Arrow's 32-bit offsets do not end."""
    size = int(texts.nbytes) // max(len(texts), 1) + 1
    return min(2_000_000, _MOST_BYTES // size + 1)


def _arrays(texts: pa.StringArray, lengths: Ints, ranges: Ranges) -> Column:
    """Return JSON arrays of `lengths` texts each; NULL where the range has no rows at all."""
    offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), texts)
    joined = pc.binary_join_element_wise("[", pc.binary_join(lists, ","), "]", "")
    empty = ranges.lengths <= 0
    if empty.any():
        joined = pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), joined)
    return Column(Type.ARRAY, joined)


@dataclass(frozen=True)
class CollectTop(Aggregate):
    """CollectTop(n [, x]) OVER (ORDER BY ...): the first n as records of rank and value."""

    most: int
    descending: tuple[bool, ...]
    name: str = "CollectTop"
    type: Type = Type.ARRAY

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        texts = inputs[0].to_json().fill_null("null")
        rank = ranks(inputs[1:], self.descending, self.name, ranges)
        average, held = len(bytes_of(texts)) // max(len(texts), 1) + 1, [0]

        def compute(some: Ranges) -> Column:
            rows, inner = in_order(rank, some)
            first = Ranges(inner.starts, np.minimum(inner.ends, inner.starts + self.most))
            held[0] += int(first.lengths.sum()) * (len('{"rank":,"value":},') + average)
            refuse_much(self.name, held[0])
            places, owners = first.flat()
            number = pa.array(places - inner.starts[owners] + 1).cast(pa.string())
            items = pc.binary_join_element_wise(
                '{"rank":', number, ',"value":', texts.take(pa.array(rows[places])), "}", ""
            )
            return _arrays(items, first.lengths, some)

        return in_portions(ranges, compute, _rows_at_once(texts))


@dataclass(frozen=True)
class TopOne(Aggregate):
    """TopOne([x]) OVER (ORDER BY ...): the value, or the whole event, of the first."""

    type: Type
    descending: tuple[bool, ...]
    name: str = "TopOne"

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        rank = ranks(inputs[1:], self.descending, self.name, ranges)
        first = np.asarray(fold((rank, np.arange(len(rank))), ranges, _earlier)[1], np.int64)
        some = np.flatnonzero(ranges.lengths > 0)
        if len(some) == len(ranges):
            return inputs[0].take(first)
        return combine(len(ranges), [(some, inputs[0].take(first[some]))])


def _earlier(a: States, b: States) -> States:
    """Choose between (rank, row) pairs; of equal ranks the left one."""
    second = np.less(b[0], a[0])
    return np.where(second, b[0], a[0]), np.where(second, b[1], a[1])


def collect(_: Signature) -> Aggregate:
    """Return Collect; it takes values of any type."""
    return Collect()


def collect_top(signature: Signature) -> Aggregate:
    """Return CollectTop. Raises BindError for a number below 1 and for text in ORDER BY."""
    most = signature.constants[0]
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise BindError(
            f"CollectTop needs a whole number from 1 on, found {most!r}",
            signature.spans[0],
            "write CollectTop(3) OVER (ORDER BY column)",
        )
    check_order(signature, "CollectTop")
    return CollectTop(most, signature.descending)


def top_one(signature: Signature) -> Aggregate:
    """Return TopOne. Raises BindError for text in ORDER BY."""
    check_order(signature, "TopOne")
    return TopOne(signature.types[0], signature.descending)
