"""ORDER BY inside of aggregates: rows of ranges in the order of some values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...column import Column, concat, nulls
from ...errors import BindError, DataError
from ...grouping.ranges import Ranges, of_lengths
from ...types import Type
from ..aggregate import Signature
from .extremes import split
from .values import Ints, Piece, Rows, listed, pieces, within

ORDERED = (Type.BIGINT, Type.FLOAT, Type.DATETIME)
_PORTION = 2_000_000


def ranks(columns: Sequence[Column], descending: Sequence[bool], name: str, ranges: Ranges) -> Ints:
    """Return the rank of each row, from 0 on; rows of equal values have the same.

    NULL is the lowest value, so that it comes last where the order is descending.
    Raises DataError for what has no order, and where a range has numbers as well as datetimes.
    """
    result = np.zeros(len(columns[0]) if columns else 0, np.int64)
    for column, reverse in zip(columns, descending, strict=True):
        own = _ranks(column, name, ranges)
        highest = int(own.max(initial=0))
        joined = result * (highest + 1) + (highest - own if reverse else own)
        result = _dense(joined) if len(columns) > 1 else joined
    return result


def _dense(values: NDArray[np.generic]) -> Ints:
    _, codes = np.unique(values, return_inverse=True)
    return np.asarray(codes, np.int64)


def _ranks(column: Column, name: str, ranges: Ranges) -> Ints:
    found = pieces(column, f"ORDER BY of {name}", ORDERED, ranges, from_text=False)
    if len(found) == 1 and found[0].rows is None:
        return _dense(found[0].values)
    if len(found) > 1:
        _refuse_mixture(found, len(column), name, ranges)
    kinds = np.zeros(len(column), np.int8)
    near, rest = np.zeros(len(column)), np.zeros(len(column), np.int64)
    for piece in found:
        rows = slice(None) if piece.rows is None else piece.rows
        kinds[rows] = 2 if piece.type is Type.DATETIME else 1
        if piece.type is Type.FLOAT:
            near[rows] = piece.values
        else:
            near[rows], rest[rows] = split(piece.values)
    order = np.lexsort((rest, near, kinds))
    differs = np.zeros(len(order), bool)
    for key in (kinds, near, rest):
        differs[1:] |= key[order][1:] != key[order][:-1]
    result = np.empty(len(order), np.int64)
    result[order] = np.cumsum(differs)
    return result


def _refuse_mixture(found: Sequence[Piece], count: int, name: str, ranges: Ranges) -> None:
    has = {
        moments: sum(
            within(p.rows, count, ranges).lengths
            for p in found
            if (p.type is Type.DATETIME) == moments
        )
        for moments in (True, False)
    }
    both = (np.asarray(has[True]) > 0) & (np.asarray(has[False]) > 0)
    if both.any():
        row = int(ranges.ends[int(np.argmax(both))]) - 1
        raise DataError(f"{name} cannot order numbers and datetimes together", row=row)


def in_order(rank: Ints, ranges: Ranges) -> tuple[Rows, Ranges]:
    """Return the rows of all ranges, each range's sorted by rank (ties stay), and the ranges."""
    rows, owners = ranges.flat()
    width = int(rank.max(initial=0)) + 1
    order = np.argsort(owners * width + rank[rows], kind="stable")
    return rows[order], of_lengths(np.maximum(ranges.lengths, 0))


def in_portions(
    ranges: Ranges, compute: Callable[[Ranges], Column], most: int = _PORTION
) -> Column:
    """Compute the results of ranges for about `most` rows at a time: ranges may overlap a lot."""
    portion = np.cumsum(np.maximum(ranges.lengths, 0)) // most
    cuts = np.flatnonzero(np.diff(portion)) + 1
    if len(cuts) == 0:
        return compute(ranges) if len(ranges) else nulls(0)
    bounds = [0, *cuts.tolist(), len(ranges)]
    return concat(
        [compute(Ranges(ranges.starts[a:b], ranges.ends[a:b])) for a, b in pairwise(bounds)]
    )


def check_order(
    signature: Signature, name: str, takes: Sequence[Type] = ORDERED, *, from_text: bool = False
) -> None:
    """Raise BindError if a value of ORDER BY is known to be of none of the types it takes."""
    open_types = (Type.ANY, Type.NULL, Type.NUMBER, *((Type.TEXT,) if from_text else ()))
    for kind in signature.order:
        if kind not in takes and kind not in open_types:
            raise BindError(
                f"ORDER BY of {name} takes {listed(takes)}, found {kind}",
                signature.span,
                "CAST it to one of these first",
            )
