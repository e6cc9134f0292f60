"""Columns into V8 and out again, a whole batch in one call.

Numbers, datetimes and bits lie in the buffer that both sides see; the texts of a column travel as
one joined string with the length of each (in UTF-16 units, as JavaScript counts); records, arrays
and mixed columns as one JSON array. The way back is the same: a tag and a number or a length per
row, and one string with all texts.

The layout of the buffer, every part rounded up to 8 bytes: a header (the row at hand), then per row
a float64, an int32 length and a tag byte for the results, then the arguments one after the other.
The loop that reads it is written anew for each combination of argument kinds, so that V8 compiles
it for those alone and inlines the user's function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column, combine, nulls
from ...text import bytes_of, offsets_of, slices, valid
from ...types import DATETIME_MARK, Array, Type

HEADER = 64
TICKS_PER_MS = 10_000
# the tags of prelude.js
NULL, NUMBER, TEXT, DATETIME, BIT, RECORD, ARRAY, JSON, BIG = 0, 1, 2, 4, 5, 6, 7, 8, 9
_TEXT_TAGS = {TEXT: Type.TEXT, RECORD: Type.RECORD, ARRAY: Type.ARRAY, JSON: Type.ANY}
_MARK = DATETIME_MARK.encode()
_MASK, _CONSTANT = "?", "="


@dataclass(frozen=True, slots=True)
class Argument:
    """One column as it travels.

    Attributes:
        kind: what the loop must do to get a row's value.
        parts: arrays for the buffer, in their order.
        text: the joined texts, where the kind has any.
    """

    kind: str
    parts: tuple[NDArray[np.generic], ...] = ()
    text: str | None = None


def encode(column: Column, bits_as_numbers: bool) -> Argument:
    """Return a column in the form in which it travels."""
    if column.type is Type.NULL or column.values.null_count == len(column.values):
        return Argument("null")
    if column.constant and column.type in _NUMERIC:
        return _numeric(column.first(), bits_as_numbers, _CONSTANT)
    if column.type in _NUMERIC:
        return _numeric(column, bits_as_numbers, _MASK)
    if column.type is Type.TEXT:
        if column.constant:
            return Argument("text" + _CONSTANT, (), column.values[0].as_py())
        return _texts(column.values)
    texts = column.values
    if texts.null_count:
        texts = texts.fill_null("null")
    data = bytes_of(texts).tobytes()
    dated = "dates" if _MARK in data else ""
    bits = "bits" if bits_as_numbers and column.type is Type.ANY else ""
    offsets = pa.array([0, len(texts)], pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), ",")[0].as_py()
    return Argument("json" + dated + bits, (), f"[{joined}]")


_NUMERIC = frozenset({Type.BIGINT, Type.FLOAT, Type.NUMBER, Type.DATETIME, Type.BIT})


def _numeric(column: Column, bits_as_numbers: bool, suffix: str) -> Argument:
    values = column.values
    missing = (~valid(values)).astype(np.uint8)
    if values.null_count:
        values = values.fill_null(False if column.type is Type.BIT else 0)
    if column.type is Type.BIT:
        kind = "num" if bits_as_numbers else "bit"
        raw = np.asarray(values.to_numpy(zero_copy_only=False)).astype(np.float64)
    elif column.type is Type.DATETIME:
        kind = "date"
        # down, not towards 1970: the millisecond in which the instant lies
        raw = (np.asarray(values) // TICKS_PER_MS).astype(np.float64)
    else:
        kind = "num"
        raw = np.asarray(values).astype(np.float64, copy=False)
    return Argument(kind + suffix, (raw,) if suffix == _CONSTANT else (raw, missing))


def _texts(values: pa.StringArray) -> Argument:
    """NULL has the length -1."""
    data = bytes_of(values)
    offsets = offsets_of(values).astype(np.int64)
    if len(data) and data.max() > 127:
        # a lead byte counts one unit, that of a character beyond 16 bits two
        units = ((data & 0xC0) != 0x80).astype(np.int8) + (data >= 0xF0)
        counts = np.zeros(len(data) + 1, np.int64)
        np.cumsum(units, out=counts[1:])
        offsets = counts[offsets - offsets[0]]
    lengths = np.diff(offsets).astype(np.int32)
    text = data.tobytes().decode("utf-8")
    if values.null_count:
        known = valid(values)
        if lengths[~known].any():  # bytes under a NULL are allowed in Arrow
            return _texts(values.take(pa.array(np.arange(len(values)))))
        lengths[~known] = -1
    return Argument("text", (lengths,), text)


def layout(arguments: Sequence[Argument], count: int) -> int:
    """Return how many bytes of the buffer a call needs."""
    size = HEADER + 8 * count + _round(4 * count) + _round(count)
    return size + sum(_round(part.nbytes) for a in arguments for part in a.parts)


def write(memory: NDArray[np.uint8], arguments: Sequence[Argument], count: int) -> None:
    """Put the arguments into the buffer."""
    memory[:HEADER] = 0
    at = HEADER + 8 * count + _round(4 * count)
    memory[at : at + count] = NULL
    at += _round(count)
    for argument in arguments:
        for part in argument.parts:
            memory[at : at + part.nbytes] = np.ascontiguousarray(part).view(np.uint8)
            at += _round(part.nbytes)


def _round(size: int) -> int:
    return (size + 7) & ~7


# -- the loop -------------------------------------------------------------------------------------

_VIEWS = {
    "num?": "const n{i} = new I.F64(B, at, n); at += 8 * n;"
    " const m{i} = new I.U8(B, at, n); at += (n + 7) & ~7;",
    "text": "const l{i} = new I.I32(B, at, n); at += (4 * n + 7) & ~7; let p{i} = 0;",
    "json": "const j{i} = parse(s{i});",
    "num=": "const n{i} = new I.F64(B, at, 1)[0]; at += 8;",
}
_VALUES = {
    "null": "null",
    "num?": "m{i}[row] ? null : n{i}[row]",
    "date?": "m{i}[row] ? null : new DateOf(n{i}[row])",
    "bit?": "m{i}[row] ? null : n{i}[row] === 1",
    "num=": "n{i}",
    "date=": "new DateOf(n{i})",
    "bit=": "n{i} === 1",
    "text=": "s{i}",
    "text": "l{i}[row] < 0 ? null : substring(s{i}, p{i}, p{i} += l{i}[row])",
    "json": "j{i}[row]",
    "jsondates": "revive(j{i}[row])",
    "jsonbits": "typeof j{i}[row] === 'boolean' ? +j{i}[row] : j{i}[row]",
    "jsondatesbits": "typeof j{i}[row] === 'boolean' ? +j{i}[row] : revive(j{i}[row])",
}
_LOOP = """'use strict';
const {{ DateOf, parse, revive, substring, settleResult, checkNumber, failure, finish, misfit }} = I;
return function batch(n{strings}) {{
  const B = I.memory();
  const head = new I.I32(B, 0, 16);
  let at = {header}, row = 0, text = '';
  const values = new I.F64(B, at, n), bigs = new I.I64(B, at, n); at += 8 * n;
  const lengths = new I.I32(B, at, n); at += (4 * n + 7) & ~7;
  const tags = new I.U8(B, at, n); at += (n + 7) & ~7;
  try {{
    {views}
    for (; row < n; row++) {{
      head[0] = row;
      const value = user({values});
      if (typeof value === 'number') {{
        if (value - value !== 0) checkNumber(value);
        values[row] = value; tags[row] = 1; lengths[row] = 0;
      }} else if (typeof value === 'string') {{
        if (text.length + value.length > I.LONGEST) {{ head[1] = 2; I.settle(); return ''; }}
        tags[row] = 2; lengths[row] = value.length; text += value;
      }} else if (value === null || value === undefined) {{
        lengths[row] = 0;
      }} else {{
        const json = settleResult(value, row, values, bigs, tags);
        if (text.length + json.length > I.LONGEST) {{ head[1] = 2; I.settle(); return ''; }}
        lengths[row] = json.length; text += json;
      }}
    }}
    I.settle();
    return finish(text, lengths, n);
  }} catch (thrown) {{ head[1] = 1; const said = failure(thrown, row); I.settle(); return said; }}
}};
"""
FAILED, TOO_LONG = 1, 2


def loop_source(kinds: Sequence[str]) -> str:
    """Return the body of `(I, user) => batch` for arguments of these kinds."""
    strings, views, values = [], [], []
    for i, kind in enumerate(kinds):
        if kind.startswith(("text", "json")):
            strings.append(f", s{i}")
        family = kind[-1] if kind[-1] in (_MASK, _CONSTANT) else ""
        if kind.startswith("json"):
            views.append(_VIEWS["json"].format(i=i))
        elif kind == "text":
            views.append(_VIEWS["text"].format(i=i))
        elif family and not kind.startswith("text"):
            views.append(_VIEWS["num" + family].format(i=i))
        values.append(_VALUES[kind].format(i=i))
    return _LOOP.format(
        strings="".join(strings),
        header=HEADER,
        views="\n    ".join(views),
        values=", ".join(values),
    )


# -- results --------------------------------------------------------------------------------------


def decode(memory: NDArray[np.uint8], text: str, count: int, bits_as_numbers: bool) -> Column:
    """Return the results of a call as a column. The buffer is copied from."""
    at = HEADER
    values = memory[at : at + 8 * count].view(np.float64)
    at += 8 * count
    lengths = memory[at : at + 4 * count].view(np.int32)
    at += _round(4 * count)
    tags = memory[at : at + count]
    present = [int(t) for t in np.flatnonzero(np.bincount(tags, minlength=10)) if t != NULL]
    if not present:
        return nulls(count)
    data, ends = _cut(text, lengths)
    if len(present) == 1:
        known = None if bool((tags != NULL).all()) else tags != NULL
        return _column(present[0], values, data, ends, known, bits_as_numbers)
    pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
    starts = np.concatenate([[0], ends[:-1]])
    for tag in present:
        rows = np.flatnonzero(tags == tag)
        if tag in _TEXT_TAGS:
            some = slices(pa.py_buffer(data), starts[rows], ends[rows])
            pieces += _typed(rows, Column(_TEXT_TAGS[tag], some))
        else:
            part = _column(tag, values[rows], b"", ends[:0], None, bits_as_numbers)
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
        case 4:
            ticks = np.trunc(values).astype(np.int64) * TICKS_PER_MS
            return Column(Type.DATETIME, pa.array(ticks, mask=missing))
        case 5 if bits_as_numbers:
            return Column(Type.BIGINT, pa.array(values.astype(np.int64), mask=missing))
        case 5:
            return Column(Type.BIT, pa.array(values == 1.0, mask=missing))
        case 9:
            return Column(Type.BIGINT, pa.array(values.view(np.int64).copy(), mask=missing))
        case _:
            return _numbers(values, known)


def _numbers(values: NDArray[np.float64], known: NDArray[np.bool_] | None) -> Column:
    """Round numbers within 64 bits are bigint, others float; both together are `number`."""
    missing = None if known is None else ~known
    whole = (np.trunc(values) == values) & (values >= -(2.0**63)) & (values < 2.0**63)
    if bool(whole.all()):
        return Column(Type.BIGINT, pa.array(values.astype(np.int64), mask=missing))
    if known is not None:
        whole &= known
    if not whole.any():
        return Column(Type.FLOAT, pa.array(values.copy(), mask=missing))
    if bool((np.abs(values[whole]) <= 2.0**53).all()):
        return Column(Type.NUMBER, pa.array(values.copy(), mask=missing), pa.array(whole))
    rest = ~whole if known is None else ~whole & known
    integers, floats = np.flatnonzero(whole), np.flatnonzero(rest)
    return combine(
        len(values),
        [
            (integers, Column(Type.BIGINT, pa.array(values[integers].astype(np.int64)))),
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
