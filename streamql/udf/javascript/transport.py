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

from ...column import Column
from ...text import bytes_of, offsets_of, valid
from ...types import DATETIME_MARK, Type

HEADER = 64
TICKS_PER_MS = 10_000
_MARK = DATETIME_MARK.encode()
_MASK, _CONSTANT = "?", "="
_EVENT = "event"
LIST = "list"
"""Begins the kind of what is no argument, but room for arrays of numbers among the results, one
place after the other. The number of places follows."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One column as it travels.

    Attributes:
        kind: what the loop must do to get a row's value.
        parts: arrays for the buffer, in their order.
        text: the joined texts, where the kind has any.
        room: bytes of the buffer behind its parts that are left as they are.
    """

    kind: str
    parts: tuple[NDArray[np.generic], ...] = ()
    text: str | None = None
    room: int = 0


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


def events(times: Column, numbers: Column) -> Argument:
    """Return the times and numbers of events: the last argument, which no function sees."""
    parts = (np.asarray(times.values) // TICKS_PER_MS, np.asarray(numbers.values))
    return Argument(_EVENT, tuple(part.astype(np.float64) for part in parts))


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
    data, offsets = bytes_of(values), offsets_of(values)
    text = str(data.data, "utf-8")
    if not text.isascii():
        # a lead byte counts one unit, that of a character beyond 16 bits two
        units = ((data & 0xC0) != 0x80).astype(np.int8) + (data >= 0xF0)
        counts = np.zeros(len(data) + 1, np.int32)
        np.cumsum(units, out=counts[1:])
        offsets = counts[offsets - offsets[0]]
    lengths = offsets[1:] - offsets[:-1]
    if values.null_count:
        known = valid(values)
        if lengths[~known].any():  # bytes under a NULL are allowed in Arrow
            return _texts(values.take(pa.array(np.arange(len(values)))))
        lengths[~known] = -1
    return Argument("text", (lengths,), text)


def layout(arguments: Sequence[Argument], count: int) -> int:
    """Return how many bytes of the buffer a call needs."""
    size = HEADER + 8 * count + rounded(4 * count) + rounded(count)
    size += sum(rounded(part.nbytes) for a in arguments for part in a.parts)
    return size + sum(argument.room for argument in arguments)


def write(memory: NDArray[np.uint8], arguments: Sequence[Argument], count: int) -> None:
    """Put the arguments into the buffer."""
    header = memory[:HEADER].view(np.int32)
    header[:] = 0
    header[_COUNT] = count
    # copies of bytes keep the interpreter lock, those of numpy let go of it
    room = memory.data
    at = HEADER + 8 * count + rounded(4 * count)
    room[at : at + count] = bytes(count)  # NULL unless the loop says otherwise
    at += rounded(count)
    for argument in arguments:
        for part in argument.parts:
            if part.nbytes:
                room[at : at + part.nbytes] = np.ascontiguousarray(part).data.cast("B")
            at += rounded(part.nbytes)


def rounded(size: int) -> int:
    """Return the size of a part of the buffer of which `size` bytes are used."""
    return (size + 7) & ~7


# -- the loop -------------------------------------------------------------------------------------

_VIEWS = {
    "num?": "const n{i} = new I.F64(B, at, n); at += 8 * n;"
    " const m{i} = new I.U8(B, at, n); at += (n + 7) & ~7;",
    "text": "const l{i} = new I.I32(B, at, n); at += (4 * n + 7) & ~7; let p{i} = 0;",
    "json": "const j{i} = parse(s{i});",
    "num=": "const n{i} = new I.F64(B, at, 1)[0]; at += 8;",
    _EVENT: "const t{i} = new I.F64(B, at, n), e{i} = new I.F64(B, at + 8 * n, n); at += 16 * n;",
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
const {{ DateOf, parse, revive, substring, settleResult, checkNumber, failure, finish }} = I;
return function batch() {{
  const B = I.memory(){strings};
  const head = new I.I32(B, 0, 16), n = head[{count}];
  let at = {header}, row = 0, text = '';
  const values = new I.F64(B, at, n), bigs = new I.I64(B, at, n); at += 8 * n;
  const lengths = new I.I32(B, at, n); at += (4 * n + 7) & ~7;
  const tags = new I.U8(B, at, n); at += (n + 7) & ~7;
  try {{
    {views}
    I.begin({seed});
    for (; row < n; row++) {{
      head[0] = row;{place}
      const value = user({values});
      if (typeof value === 'number') {{
        if (value - value !== 0) checkNumber(value);
        values[row] = value; tags[row] = 1; lengths[row] = 0;
      }} else if (typeof value === 'string') {{
        if (text.length + value.length > I.LONGEST) {{ head[1] = 2; I.settle(); return ''; }}
        tags[row] = 2; lengths[row] = value.length; text += value;
      }} else if (value === null || value === undefined) {{
        lengths[row] = 0;
      }} else{lists} {{
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
NUMBERS = 10
"""The tag of a result that is kept in the room for arrays."""
_COUNT = 2  # the place in the header: an argument of the call would cost more than all the others


def loop_source(kinds: Sequence[str], seed: int) -> str:
    """Return the body of `(I, user) => batch` for arguments of these kinds, and a function whose
    random numbers begin with `seed` where they are bound to events."""
    strings, views, values = [], [], []
    place = lists = ""
    for i, kind in enumerate(kinds):
        if kind == _EVENT:
            views.append(_VIEWS[kind].format(i=i))
            place = f" I.at(t{i}[row], e{i}[row]);"
            continue
        if kind.startswith(LIST):
            width = int(kind.removeprefix(LIST))
            views.append(f"const list = new I.F64(B, at, {width} * n);")
            kept = f"I.keepNumbers(value, list, row, n, {width})"
            lists = f" if ({kept}) {{ tags[row] = {NUMBERS}; lengths[row] = 0; }} else"
            continue
        if kind.startswith(("text", "json")):
            strings.append(f"s{i}")
        family = kind[-1] if kind[-1] in (_MASK, _CONSTANT) else ""
        if kind.startswith("json"):
            views.append(_VIEWS["json"].format(i=i))
        elif kind == "text":
            views.append(_VIEWS["text"].format(i=i))
        elif family and not kind.startswith("text"):
            views.append(_VIEWS["num" + family].format(i=i))
        values.append(_VALUES[kind].format(i=i))
    return _LOOP.format(
        strings=_taken(strings),
        header=HEADER,
        count=_COUNT,
        views="\n    ".join(views),
        values=", ".join(values),
        place=place,
        lists=lists,
        seed=seed,
    )


def _taken(names: Sequence[str]) -> str:
    """Return where the texts of a call are: the first is `this`, the others are in the box."""
    if len(names) < 2:
        return "".join(f", {name} = this" for name in names)
    places = "".join(f", {name} = I.box[{place}]" for place, name in enumerate(names[1:]))
    return f", {names[0]} = this{places}; I.box.length = 0"
