"""Numbers as JSON.stringify writes them: shortest digits, no fraction where there is none."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column
from ...text import float_texts
from ...types import Type

_EXACT = 2.0**53
_INTEGERS_END = 2.0**63
_SMALL, _LARGE = 1e-4, 1e10
"""Between these, fractions are written in the same way here and there."""
_DIGITS_START = 1e-6


def number_texts(values: NDArray[np.float64]) -> pa.StringArray:
    """Return the JSON text of each number as V8 writes it; all must be finite."""
    size = np.abs(values)
    whole = np.trunc(values) == values
    plain = np.where(whole, size <= _EXACT, (size >= _SMALL) & (size < _LARGE))
    if plain.all():
        return _plain_texts(values, whole)
    texts = _plain_texts(np.where(plain, values, 0.0), whole | ~plain)
    odd = [number_text(value) for value in values[~plain].tolist()]
    return pc.replace_with_mask(texts, pa.array(~plain), pa.array(odd, pa.string()))


def _plain_texts(values: NDArray[np.float64], whole: NDArray[np.bool_]) -> pa.StringArray:
    if whole.all():
        return pa.array(values.astype(np.int64)).cast(pa.string())
    if not whole.any():
        return float_texts(pa.array(values))
    return Column(Type.NUMBER, pa.array(values), pa.array(whole)).to_json()


def number_text(value: float) -> str:
    """Return the JSON text of a number as V8 writes it, and the prelude one beyond 64 bits."""
    size, digits = abs(value), Decimal(repr(value)).normalize()
    if value.is_integer() and -_INTEGERS_END <= value < _INTEGERS_END:
        return str(int(value)) if size <= _EXACT else format(digits, "f")
    if _DIGITS_START <= size < _INTEGERS_END:
        return format(digits, "f")
    sign, each, exponent = digits.as_tuple()
    power = int(exponent) + len(each) - 1
    rest = "".join(map(str, each[1:]))
    mantissa = f"{each[0]}.{rest}" if rest else str(each[0])
    return f"{'-' if sign else ''}{mantissa}e{'+' if power >= 0 else '-'}{abs(power)}"
