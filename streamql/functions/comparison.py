"""Comparison of values, and NULLIF, which compares.

Numbers compare by their exact value (9007199254740993 is not 9007199254740992.0), texts ordinally
by code point, datetimes also with ISO text, a bit as the number 0 or 1, records and arrays by
value. Values of different kinds (a text and a number) are not equal, and neither is less than the
other: `=` is false, `<>` true, the others NULL. Records and arrays have no order: NULL too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..column import Column, nulls
from ..text import loads, mask_of
from ..types import Array, Type
from .operators import operand
from .registry import FunctionSet

COMPARISONS = FunctionSet("comparison")

_NUMERIC = (Type.BIGINT, Type.NUMBER)
_DOCUMENTATION = {
    "=": "Both sides have the same value.\n\n    sql> 1 = 1.0\n    1\n    sql> 'a' = 'A'\n    0",
    "<>": "The sides have different values.\n\n    sql> 1 <> 2\n    1\n    sql> 1 <> 'x'\n    1",
    "<": "The left value comes before the right one.\n\n    sql> 1 < 1.5\n    1",
    "<=": "The left value comes before the right one or is the same.\n\n    sql> 2 <= 2\n    1",
    ">": "The left value comes after the right one.\n\n    sql> 'b' > 'a'\n    1",
    ">=": "The left value comes after the right one, or is it.\n\n    sql> 1 >= NULL\n    NULL",
}
_KERNELS: dict[str, Callable[..., Array]] = {
    "=": pc.equal,
    "<>": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_EXACT_IN_FLOAT = 2**53


def _declare(sign: str) -> None:
    """Add the overloads of one comparison."""
    compare = _KERNELS[sign]

    def same_type(a: Column, b: Column) -> Array:
        return compare(operand(a, b), operand(b, a))

    def numbers(a: Column, b: Column) -> Array:
        return _compare_numbers(compare, _plain(a), _plain(b))

    def unlike(a: Column, b: Column) -> Array:
        if sign in ("=", "<>"):
            if a.type is b.type:
                equal = _same_json(a, b)
            else:
                both = pa.array(a.valid() & b.valid())
                equal = pc.if_else(both, False, pa.scalar(None, pa.bool_()))
            return equal if sign == "=" else pc.invert(equal)
        return pa.nulls(len(a), pa.bool_())

    same_type.__doc__ = _DOCUMENTATION[sign]
    for kind in (Type.BIGINT, Type.TEXT, Type.DATETIME, Type.BIT):
        # ISO text beside a datetime is converted by the registry: (datetime, datetime) is nearer
        COMPARISONS.scalar(sign, (kind, kind), Type.BIT, infix=sign, can_fail=True)(same_type)
    for left in (*_NUMERIC, Type.BIT):
        for right in (*_NUMERIC, Type.BIT):
            if left is not right or left is Type.NUMBER:
                COMPARISONS.scalar(sign, (left, right), Type.BIT)(numbers)
    COMPARISONS.scalar(sign, (Type.ANY, Type.ANY), Type.BIT, single=True)(unlike)


def _plain(column: Column) -> Column:
    """Return bits as bigint, other numbers as they are."""
    if column.type is Type.BIT:
        return Column(Type.BIGINT, column.values.cast(pa.int64()), None, column.constant)
    return column


def _compare_numbers(compare: Callable[..., Array], a: Column, b: Column) -> Array:
    if a.type is b.type or not (_is_large(a) or _is_large(b)):
        left, right = operand(a, b), operand(b, a)
        if a.type is not b.type:
            left, right = left.cast(pa.float64()), right.cast(pa.float64())
        return compare(left, right)
    order = _order(a, b) if a.type is Type.BIGINT else pc.negate(_order(b, a))
    return compare(order, 0)


def _is_large(column: Column) -> bool:
    """Tell whether a bigint column has values that a float may not hold."""
    if column.type is not Type.BIGINT or len(column) == column.values.null_count:
        return False
    ends = pc.min_max(column.values)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    return bool(low < -_EXACT_IN_FLOAT or high > _EXACT_IN_FLOAT)


def _order(bigints: Column, floats: Column) -> Array:
    """Return -1, 0 or 1 for bigint below, equal to or above the float, exactly.

    Rounding never turns an order round: only where the rounded bigint equals the float do the
    digits that rounding took have to be looked at.
    """
    known = bigints.valid() & floats.valid()
    exact = np.asarray(bigints.values.fill_null(0).to_numpy(zero_copy_only=False))
    right = np.asarray(floats.values.fill_null(0).to_numpy(zero_copy_only=False))
    rounded = exact.astype(np.float64)
    order = (rounded > right).astype(np.int8) - (rounded < right).astype(np.int8)
    tie = (rounded == right) & (right < 2.0**63)
    back = np.where(tie, right, 0).astype(np.int64)
    order = np.where(tie, np.sign(exact - back), order)
    order = np.where((rounded == right) & (right >= 2.0**63), -1, order)
    known &= ~np.isnan(right)
    return pa.array(order.astype(np.int8), mask=~known)


def _same_json(a: Column, b: Column) -> Array:
    """Compare records or arrays by value; rows whose texts differ are parsed (rare)."""
    equal = pc.equal(a.values, b.values)
    rows = np.flatnonzero(mask_of(pc.invert(equal)))
    if len(rows) == 0:
        return equal
    index = pa.array(rows)
    pairs = zip(loads(a.values.take(index)), loads(b.values.take(index)), strict=True)
    found = mask_of(equal).copy()
    found[rows] = [_same(x, y) for x, y in pairs]
    return pa.array(found, mask=mask_of(equal.is_null()))


def _same(x: Any, y: Any) -> bool:
    """Compare parsed JSON by value; unlike Python, true is not 1."""
    match x, y:
        case dict(), dict():
            return x.keys() == y.keys() and all(_same(v, y[k]) for k, v in x.items())
        case list(), list():
            return len(x) == len(y) and all(map(_same, x, y))
        case _:
            return isinstance(x, bool) == isinstance(y, bool) and bool(x == y)


for _sign in _KERNELS:
    _declare(_sign)


def _nullif(value: Column, other: Column) -> Column:
    """The first value, or NULL where both are equal.

    sql> NULLIF(4, 4)
    NULL
    sql> NULLIF(5, 7)
    5
    sql> NULLIF(5, NULL)
    5
    """
    equal = COMPARISONS.functions["="].call([value, other], len(value))
    if value.type is Type.NULL or equal.type is Type.NULL:
        return value
    same = equal.values.fill_null(False)
    if pc.all(same).as_py():
        return nulls(len(value))
    left = pc.if_else(same, pa.scalar(None, value.values.type), value.values)
    return Column(value.type, left, value.integers)


for _kind in (Type.BIGINT, Type.FLOAT, Type.TEXT, Type.DATETIME, Type.BIT, Type.ANY):
    COMPARISONS.scalar("NULLIF", (_kind, Type.ANY), _kind, handles_null=True, can_fail=True)(
        _nullif
    )
