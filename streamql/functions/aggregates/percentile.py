"""PERCENTILE_CONT and PERCENTILE_DISC: the value a given share of a group's values lies below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ...column import Column, combine
from ...errors import BindError
from ...grouping.ranges import Ranges
from ...types import Type
from ..aggregate import Aggregate, Signature
from .ordering import ORDERED, check_order, in_order, in_portions, ranks
from .values import NUMBERS, Ints, Piece, floats, pieces, within


@dataclass(frozen=True)
class PercentileCont(Aggregate):
    """PERCENTILE_CONT(p): the value at place p * (n - 1), between two values if need be."""

    share: float
    descending: bool
    name: str = "PERCENTILE_CONT"
    type: Type = Type.FLOAT

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        piece = floats(inputs[0], self.name, ranges)
        values = piece.values
        rank = ranks([Column(Type.FLOAT, pa.array(values))], (self.descending,), self.name, ranges)

        def compute(some: Ranges) -> Column:
            inner = within(piece.rows, len(times), some)
            rows, inner = in_order(rank, inner)
            filled = np.flatnonzero(inner.lengths)
            place = self.share * (inner.lengths[filled] - 1)
            low = np.floor(place).astype(np.int64)
            high = np.minimum(low + 1, inner.lengths[filled] - 1)
            before = values[rows[inner.starts[filled] + low]]
            after = values[rows[inner.starts[filled] + high]]
            part = place - low
            with np.errstate(all="ignore"):
                result = np.where(before == after, before, before * (1 - part) + after * part)
            return combine(len(some), [(filled, Column(Type.FLOAT, pa.array(result)))])

        return in_portions(ranges, compute)


@dataclass(frozen=True)
class PercentileDisc(Aggregate):
    """PERCENTILE_DISC(p): the first value up to which lies a share of at least p."""

    share: float
    descending: bool
    type: Type
    name: str = "PERCENTILE_DISC"

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        found = pieces(inputs[0], self.name, ORDERED, ranges)
        column = _column(found, len(inputs[0]))
        known = np.flatnonzero(column.valid())
        rank = ranks([column], (self.descending,), self.name, ranges)[known]

        def compute(some: Ranges) -> Column:
            rows, inner = in_order(rank, within(known, len(column), some))
            filled = np.flatnonzero(inner.lengths)
            counts = inner.lengths[filled]
            place = np.ceil(self.share * counts).astype(np.int64)
            # rounding of the product must not decide: it is the share place / count that counts
            place -= (place - 1) / counts >= self.share
            place += place / counts < self.share
            place = np.clip(place, 1, counts) - 1
            chosen = known[rows[inner.starts[filled] + place]]
            return combine(len(some), [(filled, column.take(chosen))])

        return in_portions(ranges, compute)


def _column(found: Sequence[Piece], count: int) -> Column:
    """Return pieces as one column again; texts have become floats."""
    return combine(count, [(p.rows, Column(p.type, pa.array(p.values))) for p in found])


def _share(signature: Signature, name: str) -> float:
    share = signature.constants[0]
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise BindError(
            f"{name} needs a number from 0 to 1, found {share!r}",
            signature.spans[0],
            f"the median is {name}(0.5) OVER (ORDER BY column)",
        )
    if len(signature.order) != 1:
        raise BindError(f"{name} orders by one value, found {len(signature.order)}", signature.span)
    return float(share)


def percentile_cont(signature: Signature) -> Aggregate:
    """Return PERCENTILE_CONT. Raises BindError for a share outside 0..1 and for datetimes."""
    share = _share(signature, "PERCENTILE_CONT")
    check_order(signature, "PERCENTILE_CONT", NUMBERS, from_text=True)
    return PercentileCont(share, signature.descending[0])


def percentile_disc(signature: Signature) -> Aggregate:
    """Return PERCENTILE_DISC. Raises BindError for a share outside 0..1."""
    share = _share(signature, "PERCENTILE_DISC")
    check_order(signature, "PERCENTILE_DISC", from_text=True)
    kind = signature.order[0]
    results = {Type.TEXT: Type.FLOAT, Type.NUMBER: Type.ANY}
    return PercentileDisc(share, signature.descending[0], results.get(kind, kind))
