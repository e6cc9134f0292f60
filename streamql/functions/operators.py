"""The operators of arithmetic and bits, as functions of the registry.

bigint with bigint is exact: a result beyond 64 bits is an error, never a wrap, and division cuts
toward zero. As soon as one side is a float the result is one; a result that is not finite is an
error as well. Text becomes a float, save for `+`, which joins texts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import DataError
from ..text import mask_of, valid
from ..types import Array, Type
from .registry import FunctionSet

OPERATORS = FunctionSet("operators")

_TEXT_TO_FLOAT = ((Type.TEXT, Type.FLOAT),)
_PLUS_HINT = "+ adds numbers or joins texts: CAST one side to the type of the other"
_BIT_TO_BIGINT = ((Type.BIT, Type.BIGINT),)


def operand(column: Column, beside: Column) -> Any:
    """Return a column for an Arrow kernel of two: a constant beside another column as a scalar."""
    if column.constant and not beside.constant:
        return column.values[0]
    return column.values


def first_row(bad: NDArray[np.bool_]) -> int | None:
    """Return the first row a mask marks, None if it marks none."""
    row = int(np.argmax(bad)) if len(bad) else 0
    return row if len(bad) and bad[row] else None


def finite(result: Array, sign: str, *inputs: Column) -> Array:
    """Return the floats. Raises DataError where finite inputs gave a result that is not finite.

    An input that was not finite before (a user function may give one) passes through.
    """
    bad = mask_of(pc.invert(pc.is_finite(result)))
    if bad.any():
        for column in inputs:
            bad &= mask_of(pc.is_finite(column.values))
        row = first_row(bad)
        if row is not None:
            shown = ", ".join(str(c.values[row].as_py()) for c in inputs)
            raise DataError(f"the result of {sign} on ({shown}) is no finite float", row=row)
    return result


def _exact(
    kernel: Callable[..., Array], big: Callable[[int, int], int], sign: str, a: Column, b: Column
) -> Array:
    """Run a checked Arrow kernel on bigints. Raises DataError with the row that overflows."""
    try:
        return kernel(operand(a, b), operand(b, a))
    except pa.ArrowInvalid:
        # Only to find the row: the batch fails in any case.
        for row, (x, y) in enumerate(zip(a.values.to_pylist(), b.values.to_pylist(), strict=True)):
            if x is not None and y is not None and not -(2**63) <= big(x, y) < 2**63:
                raise DataError(
                    f"the result of {x} {sign} {y} is no bigint",
                    hint="CAST(... AS float) computes with fractions, and with greater numbers",
                    row=row,
                ) from None
        raise


def _refuse_zero(a: Column, b: Column, sign: str) -> None:
    zero = mask_of(pc.equal(b.values, 0)) & a.valid()
    row = first_row(zero)
    if row is not None:
        left = a.values[row].as_py()
        raise DataError(
            f"division by zero: {left} {sign} 0",
            row=row,
            hint=f"NULLIF(divisor, 0) makes the result NULL: a {sign} NULLIF(b, 0)",
        )


@OPERATORS.scalar(
    "+", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="+", hint=_PLUS_HINT, can_fail=True
)
def add_bigint(a: Column, b: Column) -> Array:
    """Sum of two numbers; two texts one after the other.

    sql> 1 + 2
    3
    sql> 1 + 0.5
    1.5
    sql> 'north' + '/4'
    'north/4'
    sql> 1 + NULL
    NULL
    """
    return _exact(pc.add_checked, lambda x, y: x + y, "+", a, b)


@OPERATORS.scalar("+", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def add_float(a: Column, b: Column) -> Array:
    """Sum of two floats."""
    return finite(pc.add(operand(a, b), operand(b, a)), "+", a, b)


@OPERATORS.scalar("+", (Type.TEXT, Type.TEXT), Type.TEXT)
def join(a: Column, b: Column) -> Array:
    """Two texts one after the other."""
    return pc.binary_join_element_wise(operand(a, b), operand(b, a), "")


@OPERATORS.scalar(
    "-", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="-", casts=_TEXT_TO_FLOAT, can_fail=True
)
def subtract_bigint(a: Column, b: Column) -> Array:
    """Difference of two numbers; text is read as a float.

    sql> 5 - 7
    -2
    sql> '5' - 1
    4.0
    """
    return _exact(pc.subtract_checked, lambda x, y: x - y, "-", a, b)


@OPERATORS.scalar("-", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def subtract_float(a: Column, b: Column) -> Array:
    """Difference of two floats."""
    return finite(pc.subtract(operand(a, b), operand(b, a)), "-", a, b)


@OPERATORS.scalar(
    "*", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="*", casts=_TEXT_TO_FLOAT, can_fail=True
)
def multiply_bigint(a: Column, b: Column) -> Array:
    """Product of two numbers; text is read as a float.

    sql> 6 * 7
    42
    sql> 6 * 0.5
    3.0
    """
    return _exact(pc.multiply_checked, lambda x, y: x * y, "*", a, b)


@OPERATORS.scalar("*", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def multiply_float(a: Column, b: Column) -> Array:
    """Product of two floats."""
    return finite(pc.multiply(operand(a, b), operand(b, a)), "*", a, b)


@OPERATORS.scalar(
    "/", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="/", casts=_TEXT_TO_FLOAT, can_fail=True
)
def divide_bigint(a: Column, b: Column) -> Array:
    """Quotient of two numbers; of two bigints a bigint, cut toward zero. By zero is an error.

    sql> 7 / 2
    3
    sql> -7 / 2
    -3
    sql> 7 / 2.0
    3.5
    """
    _refuse_zero(a, b, "/")
    return _exact(pc.divide_checked, lambda x, y: x // y, "/", a, b)


@OPERATORS.scalar("/", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def divide_float(a: Column, b: Column) -> Array:
    """Quotient of two floats."""
    _refuse_zero(a, b, "/")
    return finite(pc.divide(operand(a, b), operand(b, a)), "/", a, b)


@OPERATORS.scalar(
    "%", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="%", casts=_TEXT_TO_FLOAT, can_fail=True
)
def modulo_bigint(a: Column, b: Column) -> Array:
    """Remainder of a division cut toward zero: it has the sign of the left side.

    sql> 17 % 5
    2
    sql> -17 % 5
    -2
    sql> 5.5 % 2
    1.5
    """
    return _remainder(a, b)


@OPERATORS.scalar("%", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def modulo_float(a: Column, b: Column) -> Array:
    """Remainder of two floats."""
    return finite(_remainder(a, b), "%", a, b)


def _remainder(a: Column, b: Column) -> Array:
    _refuse_zero(a, b, "%")
    known = valid(a.values) & valid(b.values)
    divisor = np.asarray(b.values.fill_null(1).to_numpy(zero_copy_only=False))
    # the divisor of a NULL dividend may be 0
    divisor = np.where(known, divisor, 1)
    left = np.asarray(a.values.fill_null(0).to_numpy(zero_copy_only=False))
    return pa.array(np.fmod(left, divisor), mask=~known)


@OPERATORS.scalar("negate", (Type.BIGINT,), Type.BIGINT, infix="unary -", can_fail=True)
def negate_bigint(a: Column) -> Array:
    """The number with the other sign.

    sql> -(3 - 5)
    2
    """
    row = first_row(mask_of(pc.equal(a.values, -(2**63))))
    if row is not None:
        raise DataError(f"the result of - {a.values[row].as_py()} is no bigint", row=row)
    return pc.negate(a.values)


@OPERATORS.scalar("negate", (Type.FLOAT,), Type.FLOAT, casts=_TEXT_TO_FLOAT)
def negate_float(a: Column) -> Array:
    """The float with the other sign."""
    return pc.negate(a.values)


@OPERATORS.scalar("&", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="&", casts=_BIT_TO_BIGINT)
def and_bigint(a: Column, b: Column) -> Array:
    """Bits that both sides have; of two bits a bit.

    sql> 204 & 105
    72
    """
    return pc.bit_wise_and(operand(a, b), operand(b, a))


@OPERATORS.scalar("&", (Type.BIT, Type.BIT), Type.BIT)
def and_bit(a: Column, b: Column) -> Array:
    """1 where both bits are."""
    return pc.and_(a.values, b.values)


@OPERATORS.scalar("|", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="|", casts=_BIT_TO_BIGINT)
def or_bigint(a: Column, b: Column) -> Array:
    """Bits that either side has; of two bits a bit.

    sql> 204 | 105
    237
    """
    return pc.bit_wise_or(operand(a, b), operand(b, a))


@OPERATORS.scalar("|", (Type.BIT, Type.BIT), Type.BIT)
def or_bit(a: Column, b: Column) -> Array:
    """1 where a bit is; NULL with NULL, as the other bitwise operators."""
    return pc.or_(a.values, b.values)


@OPERATORS.scalar("^", (Type.BIGINT, Type.BIGINT), Type.BIGINT, infix="^", casts=_BIT_TO_BIGINT)
def xor_bigint(a: Column, b: Column) -> Array:
    """Bits that one side alone has; of two bits a bit.

    sql> 204 ^ 105
    165
    """
    return pc.bit_wise_xor(operand(a, b), operand(b, a))


@OPERATORS.scalar("^", (Type.BIT, Type.BIT), Type.BIT)
def xor_bit(a: Column, b: Column) -> Array:
    """1 where the bits differ."""
    return pc.xor(a.values, b.values)


@OPERATORS.scalar("~", (Type.BIGINT,), Type.BIGINT, infix="~")
def not_bigint(a: Column) -> Array:
    """Every bit turned over; of a bit the other one.

    sql> ~170
    -171
    """
    return pc.bit_wise_not(a.values)


@OPERATORS.scalar("~", (Type.BIT,), Type.BIT)
def not_bit(a: Column) -> Array:
    """The other bit."""
    return pc.invert(a.values)
