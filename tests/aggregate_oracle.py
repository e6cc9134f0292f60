"""Values, calls and a plain oracle for the tests of aggregates: one range at a time."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np

from streamql.errors import Span
from streamql.functions.aggregate import Signature
from streamql.functions.aggregates.catalog import AGGREGATES, aggregate
from streamql.grouping.ranges import Ranges
from streamql.types import Type


def make(
    name, *, types=(Type.ANY,), order=(), descending=(), constants=(), distinct=False, star=False
):
    """Return an aggregate as the binder makes it; argument i stands at i."""
    spans = tuple(Span(i, i + 1) for i in range(len(constants) + len(types)))
    signature = Signature(
        constants, types, order, descending or (False,) * len(order), star, Span(90, 99), spans
    )
    return aggregate(AGGREGATES[name], signature, distinct)


def over(function, columns, ranges):
    """Return the results as Python values."""
    count = len(columns[0])
    starts, ends = (np.array(side, np.int64) for side in zip(*ranges, strict=True))
    return function.over(columns, np.arange(count), Ranges(starts, ends)).to_pylist()


def same(found, expected):
    """Tell whether values have the same type and, floats up to rounding, the same value."""
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(same(a, b) for a, b in zip(found, expected, strict=True))
        )
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(found) is type(expected) and found == expected


def results(state, groups):
    """Return what an accumulator gives for lists of slots."""
    slots = np.array([s for group in groups for s in group], np.int64)
    ends = np.cumsum([len(g) for g in groups])
    return state.result(slots, Ranges(ends - [len(g) for g in groups], ends))


def running(function, parts, groups):
    """Return the results of an accumulator that is fed (slots, column) one after the other."""
    state = function.accumulator()
    count = 0
    for slots, column in parts:
        count = max(count, int(slots.max(initial=-1)) + 1)
        state.add(slots, count, [column])
    return results(state, groups).to_pylist()


# -- the oracle ---------------------------------------------------------------------------------


def as_number(value):
    return float(value) if isinstance(value, str) else value


def total(values):
    numbers = [as_number(v) for v in values]
    if any(isinstance(n, float) for n in numbers):
        return float(sum(map(Fraction, numbers)))
    return sum(numbers)


def best(choose):
    def find(values):
        found = choose(map(as_number, values))
        same_value = [as_number(v) for v in values if as_number(v) == found]
        return next((v for v in same_value if isinstance(v, int)), found)

    return find


def variance(values, *, sample, root):
    numbers = [Fraction(as_number(v)) for v in values]
    if len(numbers) < 2 and sample:
        return None
    found = float(statistics.variance(numbers) if sample else statistics.pvariance(numbers))
    return math.sqrt(found) if root else found


ORACLE = {
    "sum": total,
    "avg": lambda v: float(sum(Fraction(as_number(x)) for x in v) / len(v)),
    "min": best(min),
    "max": best(max),
    "var": lambda v: variance(v, sample=True, root=False),
    "varp": lambda v: variance(v, sample=False, root=False),
    "stdev": lambda v: variance(v, sample=True, root=True),
    "stdevp": lambda v: variance(v, sample=False, root=True),
    "collect": list,
}


def expected(name, values, distinct=False):
    """Return the result of one range, by the rules of the language."""
    known = [v for v in values if v is not None]
    if distinct:
        known = list(dict.fromkeys(known))
    if name == "count":
        return len(known)
    if name == "collect":
        return known if values else None
    return ORACLE[name](known) if known else None


# -- random values ------------------------------------------------------------------------------

MAKERS = {
    "bigint": lambda r: int(r.integers(-50, 50)),
    "float": lambda r: float(r.integers(-400, 400)) / 8,
    "text": lambda r: str(r.integers(-20, 20) / 4),
    "long": lambda r: int(r.integers(-(2**62), 2**62)) // 64,
    "near": lambda r: 2**53 + int(r.integers(-3, 4)),
    "nearfloat": lambda r: float(2**53 + 2 * int(r.integers(-2, 3))),
}
MIXTURES = (
    ("bigint",),
    ("float",),
    ("text",),
    ("long",),
    ("bigint", "float"),
    ("bigint", "text"),
    ("bigint", "float", "text"),
    ("near", "nearfloat"),
)


def some_values(seed, kinds, count=60):
    r = np.random.default_rng(seed)
    makers = [MAKERS[k] for k in kinds]
    values = [
        None if r.random() < 0.2 else makers[int(r.integers(len(makers)))](r) for _ in range(count)
    ]
    return r, values


def some_ranges(r, count, many=40):
    pairs = [sorted(r.integers(0, count + 1, 2).tolist()) for _ in range(many)]
    return [*map(tuple, pairs), (0, count), (3, 3), (count, count), (5, 6)]
