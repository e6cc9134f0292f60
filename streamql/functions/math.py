"""Mathematical functions. Text is never read as a number here: that is an error."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import DataError
from ..text import mask_of
from ..types import Array, Type
from .operators import finite, first_row
from .registry import FunctionSet

MATHEMATICS = FunctionSet("mathematics")

_HINT = "CAST the argument to float or bigint first; TRY_CAST gives NULL for what is no number"


def _integers(column: Column) -> NDArray[np.int64]:
    """Return bigints as numpy, NULL as 1 (which no function here refuses)."""
    return np.asarray(column.values.fill_null(1).to_numpy(zero_copy_only=False), np.int64)


@MATHEMATICS.scalar("ABS", (Type.BIGINT,), Type.BIGINT, can_fail=True, hint=_HINT)
def abs_bigint(x: Column) -> Array:
    """The number without its sign.

    sql> ABS(-5)
    5
    sql> ABS(-2.5)
    2.5
    """
    row = first_row(mask_of(pc.equal(x.values, -(2**63))))
    if row is not None:
        raise DataError(f"the result of ABS({-(2**63)}) is no bigint", row=row)
    return pc.abs(x.values)


@MATHEMATICS.scalar("ABS", (Type.FLOAT,), Type.FLOAT)
def abs_float(x: Column) -> Array:
    """The float without its sign."""
    return pc.abs(x.values)


@MATHEMATICS.scalar("CEILING", (Type.BIGINT,), Type.BIGINT, hint=_HINT)
def ceiling_bigint(x: Column) -> Array:
    """The smallest whole number that is not less; of the type of its argument.

    sql> CEILING(2.1)
    3.0
    sql> CEILING(7)
    7
    """
    return x.values


@MATHEMATICS.scalar("CEILING", (Type.FLOAT,), Type.FLOAT)
def ceiling_float(x: Column) -> Array:
    """The smallest whole float that is not less."""
    return pc.ceil(x.values)


@MATHEMATICS.scalar("FLOOR", (Type.BIGINT,), Type.BIGINT, hint=_HINT)
def floor_bigint(x: Column) -> Array:
    """The largest whole number that is not greater; of the type of its argument.

    sql> FLOOR(-2.1)
    -3.0
    sql> FLOOR(7)
    7
    """
    return x.values


@MATHEMATICS.scalar("FLOOR", (Type.FLOAT,), Type.FLOAT)
def floor_float(x: Column) -> Array:
    """The largest whole float that is not greater."""
    return pc.floor(x.values)


@MATHEMATICS.scalar("SIGN", (Type.BIGINT,), Type.BIGINT, hint=_HINT)
def sign_bigint(x: Column) -> Array:
    """-1, 0 or 1, as the number is negative, zero or positive; of the type of its argument.

    sql> SIGN(-5)
    -1
    sql> SIGN(3.5)
    1.0
    """
    return pc.sign(x.values).cast(pa.int64())


@MATHEMATICS.scalar("SIGN", (Type.FLOAT,), Type.FLOAT)
def sign_float(x: Column) -> Array:
    """-1.0, 0.0 or 1.0."""
    return pc.sign(x.values)


@MATHEMATICS.scalar("EXP", (Type.NUMBER,), Type.FLOAT, can_fail=True, hint=_HINT)
def exp(x: Column) -> Array:
    """e to the power of the argument.

    sql> EXP(1)
    2.718281828459045
    """
    return finite(pc.exp(x.values), "EXP", x)


@MATHEMATICS.scalar("SQRT", (Type.NUMBER,), Type.FLOAT, can_fail=True, hint=_HINT)
def sqrt(x: Column) -> Array:
    """The square root; of a negative number an error.

    sql> SQRT(49)
    7.0
    """
    row = first_row(mask_of(pc.less(x.values, 0)))
    if row is not None:
        raise DataError(f"SQRT: {x.values[row].as_py()} is negative", row=row)
    return pc.sqrt(x.values)


@MATHEMATICS.scalar("SQUARE", (Type.NUMBER,), Type.FLOAT, can_fail=True, hint=_HINT)
def square(x: Column) -> Array:
    """The argument times itself, as a float.

    sql> SQUARE(49)
    2401.0
    """
    return finite(pc.multiply(x.values, x.values), "SQUARE", x)


@MATHEMATICS.scalar("POWER", (Type.BIGINT, Type.BIGINT), Type.BIGINT, can_fail=True, hint=_HINT)
def power_bigint(base: Column, exponent: Column) -> Array:
    """The first argument to the power of the second; of the type of the first, cut toward zero.

    sql> POWER(2, 10)
    1024
    sql> POWER(2.5, 2)
    6.25
    sql> POWER(2, -1)
    0
    """
    b, e = _integers(base), _integers(exponent)
    _refuse_zero_base(base, exponent)
    # a negative exponent leaves a fraction, which is cut, unless the base is 1 or -1
    small = np.abs(b) == 1
    e = np.where(small, np.abs(e % 2), e)
    b = np.where(e < 0, 0, b)
    e = np.where(e < 0, 1, e)
    with np.errstate(over="ignore"):
        estimate = np.abs(b.astype(np.float64)) ** np.minimum(e, 2000)
    result = b ** np.minimum(e, 63)
    known = base.valid() & exponent.valid()
    close = np.flatnonzero(known & (estimate >= 2.0**62) & (np.abs(b) > 1))
    # Row by row, and only near the limit: whether the exact power fits.
    for row in close:
        exact = int(b[row]) ** min(int(e[row]), 64)
        if not -(2**63) <= exact < 2**63:
            shown = f"POWER({base.values[int(row)]}, {exponent.values[int(row)]})"
            raise DataError(f"the result of {shown} is no bigint", row=int(row))
    return pa.array(result, mask=~known)


@MATHEMATICS.scalar("POWER", (Type.BIGINT, Type.FLOAT), Type.BIGINT)
def power_mixed(base: Column, exponent: Column) -> Array:
    """A bigint to the power of a float, cut toward zero; exact where the exponent is whole."""
    whole = pc.equal(exponent.values, pc.trunc(exponent.values))
    if pc.all(whole).as_py() and not mask_of(pc.greater(pc.abs(exponent.values), 2.0**53)).any():
        return power_bigint(base, Column(Type.BIGINT, exponent.values.cast(pa.int64())))
    floats = Column(Type.FLOAT, base.values.cast(pa.float64(), safe=False))
    result = pc.trunc(power_float(floats, exponent))
    row = first_row(mask_of(pc.greater_equal(pc.abs(result), 2.0**63)))
    if row is not None:
        shown = f"POWER({base.values[row]}, {exponent.values[row]})"
        raise DataError(f"the result of {shown} is no bigint", row=row)
    return result.cast(pa.int64())


@MATHEMATICS.scalar("POWER", (Type.FLOAT, Type.FLOAT), Type.FLOAT)
def power_float(base: Column, exponent: Column) -> Array:
    """A float to the power of a float; what is no finite number is an error."""
    _refuse_zero_base(base, exponent)
    return finite(pc.power(base.values, exponent.values), "POWER", base, exponent)


def _refuse_zero_base(base: Column, exponent: Column) -> None:
    row = first_row(mask_of(pc.and_(pc.equal(base.values, 0), pc.less(exponent.values, 0))))
    if row is not None:
        raise DataError(f"division by zero: POWER(0, {exponent.values[row]})", row=row)


@MATHEMATICS.scalar("ROUND", (Type.BIGINT, Type.BIGINT), Type.BIGINT, can_fail=True, hint=_HINT)
def round_bigint(x: Column, length: Column) -> Array:
    """The number rounded to so many digits after the point, halves away from zero.

    A negative length rounds left of the point; beyond all digits the result is 0.

    sql> ROUND(2.5, 0)
    3.0
    sql> ROUND(7.126, 2)
    7.13
    sql> ROUND(1847.25, -2)
    1800.0
    sql> ROUND(1250, -2)
    1300
    """
    values, digits = _integers(x), _integers(length)
    known = x.valid() & length.valid()
    if not (known & (digits < 0)).any():
        return pa.array(values, mask=~known)
    unit = np.power(10, np.clip(-digits, 0, 18))
    rest = np.fmod(values, unit)
    down = values - rest
    # compared without doubling or negating, which could leave 64 bits
    up = (np.where(rest < 0, -rest, rest) >= unit - unit // 2) & (unit > 1)
    near_end = np.where(up, np.abs(down.astype(np.float64)) + unit > 2.0**63 - 1024, False)
    for row in np.flatnonzero(near_end & known):
        # Row by row, and only near the limit.
        if not -(2**63) <= int(down[row]) + int(np.sign(rest[row])) * int(unit[row]) < 2**63:
            shown = f"ROUND({values[row]}, {digits[row]})"
            raise DataError(f"the result of {shown} is no bigint", row=int(row))
    with np.errstate(over="ignore"):
        rounded = np.where(up, down + np.sign(rest) * unit, down)
    # 19 digits left of the point: half of that is 5e18, which a bigint may reach
    _refuse_nineteen(values, digits, known)
    rounded = np.where(digits < -18, 0, rounded)
    return pa.array(rounded, mask=~known)


def _refuse_nineteen(
    values: NDArray[np.int64], digits: NDArray[np.int64], known: NDArray[np.bool_]
) -> None:
    half = 5 * 10**18
    row = first_row(known & (digits == -19) & ((values >= half) | (values <= -half)))
    if row is not None:
        raise DataError(f"the result of ROUND({values[row]}, -19) is no bigint", row=row)


@MATHEMATICS.scalar("ROUND", (Type.FLOAT, Type.BIGINT), Type.FLOAT)
def round_float(x: Column, length: Column) -> Array:
    """A float rounded; where a float has no digits after the length, it stays as it is."""
    values = np.asarray(x.values.fill_null(1).to_numpy(zero_copy_only=False))
    digits = np.clip(_integers(length), -400, 400)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        unit = np.power(10.0, np.abs(np.clip(digits, -308, 308)))
        scaled = np.where(digits >= 0, values * unit, values / unit)
        cut = np.trunc(scaled)
        away = cut + np.copysign(1.0, scaled) * (np.abs(scaled - cut) >= 0.5)
        rounded = np.where(digits >= 0, away / unit, away * unit)
        exact = ~(np.abs(scaled) < 2.0**52) & (digits >= 0)
    rounded = np.where(exact | (digits > 308), values, rounded)
    rounded = np.where(digits < -308, 0.0, rounded)
    known = x.valid() & length.valid()
    return finite(pa.array(rounded, mask=~known), "ROUND", x)
