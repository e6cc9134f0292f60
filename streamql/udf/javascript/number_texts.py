"""Numbers as JSON.stringify writes them: shortest digits, no fraction where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column
from ...rows import interleave
from ...text import float_texts, slices
from ...types import Type

_EXACT = 2.0**53
_INTEGERS_END = 2.0**63
_SMALL, _LARGE = 1e-4, 1e10
"""Between these, fractions are written in the same way here and there."""
_DIGITS_START = 1e-6
_TOGETHER = 2_048
"""Rows of arrays that are written at a time: what is known of them stays in the cache."""


def number_texts(values: NDArray[np.float64]) -> pa.StringArray:
    """Return the JSON text of each number as V8 writes it; all must be finite."""
    whole, plain = _kinds(values)
    if plain.all():
        return _plain_texts(values, whole)
    texts = _plain_texts(np.where(plain, values, 0.0), whole | ~plain)
    odd = [number_text(value) for value in values[~plain].tolist()]
    return pc.replace_with_mask(texts, pa.array(~plain), pa.array(odd, pa.string()))


def array_texts(elements: Sequence[NDArray[np.generic]]) -> pa.StringArray:
    """Return the JSON text of the array in each row, of numbers at each place; all are finite."""
    count = len(elements[0])
    if count == 0:
        return pa.array([], pa.string())
    pieces: list[bytes] = []
    for start in range(0, count, _TOGETHER):
        piece = _plain_arrays([element[start : start + _TOGETHER] for element in elements])
        if piece is None:
            texts = [number_texts(element.astype(np.float64)) for element in elements]
            return interleave([""] * len(texts), texts, "[", ",", "]")
        pieces.append(piece)
    data = b"".join(pieces)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("]")) + 1
    starts = np.concatenate(([0], ends[:-1] + 1))  # [1,2],[3,4],
    return slices(pa.py_buffer(data), starts, ends)


def _plain_arrays(elements: Sequence[NDArray[np.generic]]) -> bytes | None:
    """Return the texts of arrays, a comma behind each; None if a number has a text of its own."""
    table = np.empty((len(elements[0]), len(elements)))
    for at, element in enumerate(elements):
        table[:, at] = element
    table += 0.0  # no zero has a sign
    whole, plain = _kinds(table)
    if not plain.all():
        return None
    data = orjson.dumps(table, option=orjson.OPT_SERIALIZE_NUMPY)
    if whole.any():
        data = data.replace(b".0,", b",").replace(b".0]", b"]")
    return data[1:-1] + b","


def _kinds(values: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which numbers are whole, and which are written as everybody writes them."""
    size = np.abs(values)
    whole = np.trunc(values) == values
    return whole, np.where(whole, size <= _EXACT, (size >= _SMALL) & (size < _LARGE))


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
