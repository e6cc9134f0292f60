"""The results of a batch: tags, numbers and joined texts out of V8, back to one column.

The layout of the buffer is told in `transport`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column, combine, nulls
from ...text import slices
from ...types import Array, Type
from .lists import packed
from .transport import HEADER, NUMBERS, TICKS_PER_MS, rounded

# the tags of prelude.js
NULL, TEXT, DATETIME, BIT, RECORD, ARRAY, JSON, BIG = 0, 2, 4, 5, 6, 7, 8, 9
_TEXT_TAGS = {TEXT: Type.TEXT, RECORD: Type.RECORD, ARRAY: Type.ARRAY, JSON: Type.ANY}
_NO_ENDS = np.empty(0, np.int64)
_GREATEST = np.iinfo(np.int64).max


def decode(
    memory: NDArray[np.uint8],
    text: str,
    count: int,
    bits_as_numbers: bool,
    lists: NDArray[np.float64] | None = None,
) -> Column:
    """Return the results of a call as a column. The buffer is copied from.

    `lists` is the room for arrays of numbers, if there is one, a row for each of their places.
    """
    at = HEADER
    values = memory[at : at + 8 * count].view(np.float64)
    at += 8 * count
    lengths = memory[at : at + 4 * count].view(np.int32)
    at += rounded(4 * count)
    tags = memory[at : at + count]
    first = int(tags[0])
    alike = tags.tobytes() == bytes((first,)) * count
    found = [first] if alike else np.flatnonzero(np.bincount(tags, minlength=NUMBERS + 1)).tolist()
    present = [tag for tag in found if tag != NULL]
    if not present:
        return nulls(count)
    if alike and first == NUMBERS and lists is not None:
        return packed(lists)
    if alike and first != NUMBERS and first not in _TEXT_TAGS:
        return _column(first, values, b"", _NO_ENDS, None, bits_as_numbers)
    data, ends = _cut(text, lengths)
    if len(present) == 1 and present != [NUMBERS]:
        known = None if alike else tags != NULL
        return _column(present[0], values, data, ends, known, bits_as_numbers)
    pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
    starts = np.concatenate([[0], ends[:-1]])
    for tag in present:
        rows = np.flatnonzero(tags == tag)
        if tag in _TEXT_TAGS:
            some = slices(pa.py_buffer(data), starts[rows], ends[rows])
            pieces += _typed(rows, Column(_TEXT_TAGS[tag], some))
        elif tag == NUMBERS and lists is not None:
            pieces.append((rows, packed(lists[:, rows])))
        else:
            part = _column(tag, values[rows], b"", _NO_ENDS, None, bits_as_numbers)
            pieces += _typed(rows, part)
    return combine(count, pieces)


def _typed(
    rows: NDArray[np.int64], column: Column
) -> list[tuple[NDArray[np.int64] | None, Column]]:
    """Return pieces of one type each, as `combine` wants them."""
    return [(rows if inner is None else rows[inner], part) for inner, part in column.parts()]


def _column(
    tag: int,
    values: NDArray[np.float64],
    data: bytes,
    ends: NDArray[np.int64],
    known: NDArray[np.bool_] | None,
    bits_as_numbers: bool,
) -> Column:
    """Return a column whose known rows all have one tag."""
    missing = None if known is None else ~known
    if tag in _TEXT_TAGS:
        column = Column(_TEXT_TAGS[tag], _strings(data, ends, known))
        return column.normal() if tag == JSON else column
    if known is not None:
        values = np.where(known, values, 0.0)
    match tag:
        case 4:  # DATETIME
            ticks = np.trunc(values).astype(np.int64) * TICKS_PER_MS
            return Column(Type.DATETIME, pa.array(ticks, mask=missing))
        case 5 if bits_as_numbers:  # BIT
            return Column(Type.BIGINT, pa.array(values.astype(np.int64), mask=missing))
        case 5:
            return Column(Type.BIT, pa.array(values == 1.0, mask=missing))
        case 9:  # BIG
            return Column(Type.BIGINT, pa.array(values.view(np.int64).copy(), mask=missing))
        case _:
            return _numbers(values, known)


def _numbers(values: NDArray[np.float64], known: NDArray[np.bool_] | None) -> Column:
    """Round numbers within 64 bits are bigint, others float; both together are `number`."""
    missing = None if known is None else ~known
    with np.errstate(invalid="ignore"):
        integers = values.astype(np.int64)
    # of what is beyond 64 bits some machines make the greatest integer, which no float is
    whole = (integers == values) & (integers != _GREATEST)
    if bool(whole.all()):
        return Column(Type.BIGINT, pa.array(integers, mask=missing))
    if known is not None:
        whole &= known
    if not whole.any():
        return Column(Type.FLOAT, pa.array(values.copy(), mask=missing))
    if bool((np.abs(values[whole]) <= 2.0**53).all()):
        return Column(Type.NUMBER, pa.array(values.copy(), mask=missing), pa.array(whole))
    rest = ~whole if known is None else ~whole & known
    exact, floats = np.flatnonzero(whole), np.flatnonzero(rest)
    return combine(
        len(values),
        [
            (exact, Column(Type.BIGINT, pa.array(integers[exact]))),
            (floats, Column(Type.FLOAT, pa.array(values[floats]))),
        ],
    )


def _cut(text: str, lengths: NDArray[np.int32]) -> tuple[bytes, NDArray[np.int64]]:
    """Return the UTF-8 bytes of the joined texts and where each ends."""
    ends = np.cumsum(lengths, dtype=np.int64)
    data = text.encode("utf-8")
    if len(data) == (int(ends[-1]) if len(ends) else 0):
        return data, ends
    raw = np.frombuffer(data, np.uint8)
    leads = np.flatnonzero((raw & 0xC0) != 0x80)
    wide = raw[leads] >= 0xF0
    if wide.any():
        units = np.repeat(leads, wide + 1)
        second = np.zeros(len(units), bool)
        np.equal(units[1:], units[:-1], out=second[1:])
        inner = ends[ends < len(units)]
        if bool(second[inner].any()):
            return _cut_pairs(text, ends)
    else:
        units = leads
    return data, np.append(units, len(data))[ends]


def _cut_pairs(text: str, ends: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """As `_cut`, where a row ends with half of a pair that the next one completes by chance.

    Each half becomes a replacement character. Row by row: it takes a function that cuts emojis in
    two, and neighbouring rows that fit.
    """
    units = text.encode("utf-16-le")
    pieces, start = [], 0
    for end in ends.tolist():
        pieces.append(units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass"))
        start = end
    whole = [p.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for p in pieces]
    encoded = [w.encode("utf-8") for w in whole]
    return b"".join(encoded), np.cumsum([len(e) for e in encoded], dtype=np.int64)


def _strings(data: bytes, ends: NDArray[np.int64], known: NDArray[np.bool_] | None) -> Array:
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    bitmap = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    return pa.Array.from_buffers(
        pa.string(), len(ends), [bitmap, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
