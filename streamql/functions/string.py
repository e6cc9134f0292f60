"""Text functions that change texts or count them. Those that search are in `search.py`.

Other scalars become text first, as CAST to nvarchar(max) writes them. Positions are 1-based and
count UTF-16 units, as in .NET (`positions.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column, combine, nulls
from ..errors import DataError
from ..text import mask_of
from ..types import Array, Type
from .implicit import texts
from .operators import first_row, operand
from .positions import Positions, has_pairs, is_ascii
from .registry import FunctionSet

STRINGS = FunctionSet("text")

AS_TEXT = tuple((t, Type.TEXT) for t in (Type.BIGINT, Type.FLOAT, Type.DATETIME, Type.BIT))
_WHITE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_NO_TEXT = pa.scalar(None, pa.string())
_MOST_BYTES = 2**31 - 1


def counts(column: Column) -> NDArray[np.int64]:
    """Return bigints as numpy, NULL as 0."""
    return np.asarray(column.values.fill_null(0).to_numpy(zero_copy_only=False))


def keep_null(result: Array, *columns: Column) -> Array:
    """Return the result with NULL where an argument is."""
    for column in columns:
        if column.values.null_count:
            result = pc.if_else(column.values.is_valid(), result, pa.scalar(None, result.type))
    return result


def refuse_negative(name: str, length: Column, *others: Column) -> None:
    """Raise DataError for the first negative length in a row without NULL."""
    bad = mask_of(pc.less(length.values, 0))
    if bad.any():
        for column in others:
            bad &= column.valid()
        row = first_row(bad)
        if row is not None:
            raise DataError(f"{name}: the length is {length.values[row].as_py()}", row=row)


def _texts_of(column: Column) -> pa.StringArray:
    """Return the text of each value of a column of any type; NULL stays NULL."""
    pieces = [
        (rows, nulls(len(part)) if part.type is Type.NULL else Column(Type.TEXT, texts(part)))
        for rows, part in column.parts()
    ]
    return combine(len(column), pieces).values.cast(pa.string())


def _scalar_or_texts(column: Column) -> pa.StringArray | pa.StringScalar:
    if column.constant and len(column) > 1:
        return _texts_of(column.first())[0]
    return _texts_of(column)


@STRINGS.scalar("CONCAT", (Type.ANY, Type.ANY), Type.TEXT, variadic=True, handles_null=True)
def concat(*columns: Column) -> Array:
    """All values as one text, NULL as the empty text.

    sql> CONCAT('a', NULL, 7)
    'a7'
    sql> CONCAT(NULL, NULL)
    ''
    """
    parts = [_texts_of(columns[0]), *(_scalar_or_texts(c) for c in columns[1:])]
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")


@STRINGS.scalar(
    "CONCAT_WS", (Type.ANY, Type.ANY, Type.ANY), Type.TEXT, variadic=True, handles_null=True
)
def concat_ws(separator: Column, *columns: Column) -> Array:
    """All values as one text with a separator between; NULLs and their separators are left out.

    sql> CONCAT_WS('|', 'p', NULL, 'q')
    'p|q'
    sql> CONCAT_WS('|', NULL, NULL)
    ''
    """
    between = _scalar_or_texts(separator)
    if isinstance(between, pa.Scalar):
        between = between if between.is_valid else pa.scalar("")
    else:
        between = between.fill_null("")
    first, *others = [_texts_of(columns[0]), *(_scalar_or_texts(c) for c in columns[1:])]
    empty = first.is_null()
    for other in others:
        empty = pc.and_(empty, pc.is_null(other))
    # Arrow's kernel leaves out the row itself where it skips all values
    first = pc.if_else(empty, "", first)
    return pc.binary_join_element_wise(first, *others, between, null_handling="skip")


@STRINGS.scalar("LEFT", (Type.TEXT, Type.BIGINT), Type.TEXT, casts=AS_TEXT, can_fail=True)
def left(text: Column, length: Column) -> Array:
    """The first characters of a text; all of it if it has fewer.

    sql> LEFT('conveyor', 3)
    'con'
    sql> LEFT('abc', 50)
    'abc'
    """
    refuse_negative("LEFT", length, text)
    return keep_null(Positions(text.values).cut(0, counts(length)), length)


@STRINGS.scalar("RIGHT", (Type.TEXT, Type.BIGINT), Type.TEXT, casts=AS_TEXT, can_fail=True)
def right(text: Column, length: Column) -> Array:
    """The last characters of a text; all of it if it has fewer.

    sql> RIGHT('conveyor', 3)
    'yor'
    """
    refuse_negative("RIGHT", length, text)
    places = Positions(text.values)
    return keep_null(places.cut(places.lengths - counts(length), places.lengths), length)


@STRINGS.scalar("LEN", (Type.TEXT,), Type.BIGINT, casts=AS_TEXT)
def length_of(text: Column) -> Array:
    """Characters of a text without the blanks at its end, counted in UTF-16 units.

    sql> LEN('  ab   ')
    4
    sql> LEN('')
    0
    """
    trimmed = pc.utf8_rtrim(text.values, characters=" ")
    if has_pairs(trimmed):
        return pa.array(Positions(trimmed).lengths, mask=~text.valid())
    return pc.utf8_length(trimmed).cast(pa.int64())


@STRINGS.scalar("LOWER", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def lower(text: Column) -> Array:
    """Text in small letters.

    sql> LOWER('Bay-7C')
    'bay-7c'
    """
    return (pc.ascii_lower if is_ascii(text.values) else pc.utf8_lower)(text.values)


@STRINGS.scalar("UPPER", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def upper(text: Column) -> Array:
    """Text in capital letters.

    sql> UPPER('abc')
    'ABC'
    """
    if is_ascii(text.values):
        return pc.ascii_upper(text.values)
    capital = pc.utf8_upper(text.values)
    # as in .NET: the small sharp s has no capital of its own
    sharp = mask_of(pc.match_substring(text.values, "ß"))
    if not sharp.any():
        return capital
    parts = pc.utf8_upper(pc.replace_substring(text.values, "ß", "\ufdef"))
    return pc.if_else(pa.array(sharp), pc.replace_substring(parts, "\ufdef", "ß"), capital)


@STRINGS.scalar("LTRIM", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def ltrim(text: Column) -> Array:
    """Text without the white space at its start.

    sql> LTRIM('  a b ')
    'a b '
    """
    return pc.utf8_ltrim(text.values, characters=_WHITE)


@STRINGS.scalar("RTRIM", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def rtrim(text: Column) -> Array:
    """Text without the white space at its end.

    sql> RTRIM('  a b ')
    '  a b'
    """
    return pc.utf8_rtrim(text.values, characters=_WHITE)


@STRINGS.scalar("TRIM", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def trim(text: Column) -> Array:
    """Text without the white space at both ends; all white space of Unicode counts.

    sql> TRIM('  a b ')
    'a b'
    """
    return pc.utf8_trim(text.values, characters=_WHITE)


@STRINGS.scalar("NCHAR", (Type.BIGINT,), Type.TEXT)
def nchar(code: Column) -> Array:
    """The character of a code point; NULL outside of 0..1114111 and for halves of a pair.

    sql> NCHAR(937)
    'Ω'
    sql> NCHAR(-1)
    NULL
    """
    known = pc.dictionary_encode(code.values)
    chars = [_character(value) for value in known.dictionary.to_pylist()]
    return pa.array(chars, pa.string()).take(known.indices)


def _character(code: int) -> str | None:
    return chr(code) if 0 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else None


@STRINGS.scalar("UNICODE", (Type.TEXT,), Type.BIGINT, casts=AS_TEXT)
def unicode(text: Column) -> Array:
    """The code point of the first character; NULL for the empty text.

    sql> UNICODE('Ωmega')
    937
    sql> UNICODE('')
    NULL
    """
    firsts = pc.dictionary_encode(pc.utf8_slice_codeunits(text.values, 0, 1))
    codes = [ord(char) if char else None for char in firsts.dictionary.to_pylist()]
    return pa.array(codes, pa.int64()).take(firsts.indices)


@STRINGS.scalar("REPLICATE", (Type.TEXT, Type.BIGINT), Type.TEXT, casts=AS_TEXT, can_fail=True)
def replicate(text: Column, times: Column) -> Array:
    """A text several times over; NULL for a negative number.

    sql> REPLICATE('ab', 3)
    'ababab'
    sql> REPLICATE('ab', -1)
    NULL
    """
    often = np.maximum(counts(times), 0)
    sizes = counts(Column(Type.BIGINT, pc.binary_length(text.values).cast(pa.int64())))
    # in floats: the product may be beyond 64 bits
    total = often.astype(np.float64) * sizes
    if total.sum() > _MOST_BYTES:
        row = int(np.argmax(total))
        raise DataError(f"REPLICATE: {often[row]} times is too long", row=row)
    found = pc.binary_repeat(text.values, pa.array(np.where(sizes == 0, 0, often)))
    return pc.if_else(pc.greater_equal(times.values, 0), found, _NO_TEXT)


@STRINGS.scalar("SPACE", (Type.BIGINT,), Type.TEXT, can_fail=True)
def space(times: Column) -> Array:
    """A text of blanks; NULL for a negative number.

    sql> SPACE(3)
    '   '
    sql> SPACE(-1)
    NULL
    """
    blank = pa.repeat(pa.scalar(" "), len(times))
    return replicate(Column(Type.TEXT, blank), times)


@STRINGS.scalar("REVERSE", (Type.TEXT,), Type.TEXT, casts=AS_TEXT)
def reverse(text: Column) -> Array:
    """The characters in reverse order.

    sql> REVERSE('drawer')
    'reward'
    """
    return (pc.ascii_reverse if is_ascii(text.values) else pc.utf8_reverse)(text.values)


@STRINGS.scalar(
    "STUFF",
    (Type.TEXT, Type.BIGINT, Type.BIGINT, Type.TEXT),
    Type.TEXT,
    casts=AS_TEXT,
    can_fail=True,
)
def stuff(text: Column, start: Column, length: Column, insert: Column) -> Array:
    """A text with a part taken out and another put in; '' if the part starts behind its end.

    sql> STUFF('telemetry', 5, 2, '--')
    'tele--try'
    sql> STUFF('abc', 9, 1, 'x')
    ''
    """
    refuse_negative("STUFF", length, text, start, insert)
    places = Positions(text.values)
    first = np.clip(counts(start) - 1, 0, places.lengths)
    gone = np.minimum(counts(length), places.lengths)
    before, after = places.cut(0, first), places.cut(first + gone, places.lengths)
    whole = pc.binary_join_element_wise(before, operand(insert, text), after, "")
    beyond = pa.array(counts(start) > places.lengths)
    return keep_null(pc.if_else(pc.and_(beyond, whole.is_valid()), "", whole), start, length)


@STRINGS.scalar(
    "SUBSTRING", (Type.TEXT, Type.BIGINT, Type.BIGINT), Type.TEXT, casts=AS_TEXT, can_fail=True
)
def substring(text: Column, start: Column, length: Column) -> Array:
    """Characters of a text from a position on; a start before 1 shortens the length.

    sql> SUBSTRING('conveyor', 4, 3)
    'vey'
    sql> SUBSTRING('abc', 0, 2)
    'a'
    sql> SUBSTRING('abc', 9, 2)
    ''
    """
    refuse_negative("SUBSTRING", length, text, start)
    places = Positions(text.values)
    # bounded where sums would leave 64 bits, and there alone: a start far before 1 eats its length
    first = np.clip(counts(start), 1 - 2**63, 2**40) - 1
    last = first + np.where(first > 0, np.minimum(counts(length), 2**40), counts(length))
    return keep_null(places.cut(first, np.maximum(last, 0)), start, length)
