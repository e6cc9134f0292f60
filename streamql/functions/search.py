"""Text functions that search: LIKE, CHARINDEX, PATINDEX, REGEXMATCH, REPLACE, TRANSLATE.

What is looked for is nearly always a constant; then a column is searched by one Arrow kernel.
Patterns that differ from row to row are taken pattern by pattern, other texts row by row.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..column import Column
from ..errors import DataError
from ..text import bytes_of, mask_of, offsets_of
from ..types import Array, Type
from .patterns import ecmascript, like, patindex
from .positions import Positions
from .registry import FunctionSet, map_rows
from .string import AS_TEXT, counts, keep_null

SEARCHES = FunctionSet("text")


def _each_pattern(
    texts: pa.StringArray, pattern: Column, returns: Type, search: Callable[..., Array]
) -> Array:
    """Call search(texts, pattern) once for each pattern, on the rows that have it."""
    if pattern.constant or len(texts) == 1:
        return search(texts, pattern.values[0].as_py())
    encoded = pc.dictionary_encode(pattern.values)
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
    found = [pa.nulls(int(bounds[0]), _STORED[returns])]
    for number, one in enumerate(encoded.dictionary.to_pylist()):
        rows = order[bounds[number] : bounds[number + 1]]
        found.append(search(texts.take(pa.array(rows)), one).cast(_STORED[returns]))
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return pa.concat_arrays(found).take(pa.array(places))


_STORED = {Type.BIT: pa.bool_(), Type.BIGINT: pa.int64()}


@SEARCHES.scalar("LIKE", (Type.TEXT, Type.TEXT), Type.BIT, casts=AS_TEXT, infix="LIKE")
def matches(text: Column, pattern: Column) -> Array:
    """The whole text fits the pattern: % any run, _ one character, [a-z] and [^x] sets.

    sql> 'K-12-7' LIKE 'K%7'
    1
    sql> 'k7' LIKE 'K_'
    0
    sql> '50%' LIKE '50[%]'
    1
    """
    return _each_pattern(text.values, pattern, Type.BIT, _like)


def _like(texts: pa.StringArray, pattern: str | None) -> Array:
    if pattern is None:
        return pa.nulls(len(texts), pa.bool_())
    wanted = like(pattern)
    match wanted.kind:
        case "equal":
            return pc.equal(texts, wanted.literal)
        case "starts":
            return pc.starts_with(texts, wanted.literal)
        case "ends":
            return pc.ends_with(texts, wanted.literal)
        case "contains":
            return pc.match_substring(texts, wanted.literal)
        case _:
            return pc.match_substring_regex(texts, wanted.regex)


def _places(texts: pa.StringArray, found: Array) -> Array:
    """Return 1-based positions in units for byte places in the texts; -1 becomes 0."""
    places = np.asarray(found.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    units = Positions(texts).units_before(np.maximum(places, 0)) + 1
    return pa.array(np.where(places < 0, 0, units), mask=mask_of(texts.is_null()))


@SEARCHES.scalar("PATINDEX", (Type.TEXT, Type.TEXT), Type.BIGINT, casts=AS_TEXT)
def pattern_index(pattern: Column, text: Column) -> Array:
    """The position of the first part of a text that fits a LIKE pattern; 0 if none does.

    The pattern starts (ends) with %, unless the text must start (end) with what is looked for.

    sql> PATINDEX('%b_d%', 'the bad bed')
    5
    sql> PATINDEX('bad%', 'the bad bed')
    0
    """

    def search(texts: pa.StringArray, one: str | None) -> Array:
        if one is None:
            return pa.nulls(len(texts), pa.int64())
        return _places(texts, pc.find_substring_regex(texts, patindex(one)))

    return _each_pattern(text.values, pattern, Type.BIGINT, search)


@SEARCHES.scalar("REGEXMATCH", (Type.TEXT, Type.TEXT), Type.BIGINT, casts=AS_TEXT)
def regex_match(text: Column, pattern: Column) -> Array:
    """The position of the first match of an ECMAScript expression, ignoring case; 0 without one.

    An invalid expression matches nothing. ^ and $ are the ends of the text, and the dot takes line
    feeds too.

    sql> REGEXMATCH('unit-42', '[0-9]+')
    6
    sql> REGEXMATCH('unit-42', 'UNIT')
    1
    sql> REGEXMATCH('unit-42', '(')
    0
    """
    return _each_pattern(text.values, pattern, Type.BIGINT, _regex)


def _regex(texts: pa.StringArray, pattern: str | None) -> Array:
    if pattern is None:
        return pa.nulls(len(texts), pa.int64())
    wanted = ecmascript(pattern)
    if wanted is None:
        return keep_null(pa.repeat(pa.scalar(0, pa.int64()), len(texts)), Column(Type.TEXT, texts))
    if wanted.re2 is not None:
        try:
            return _places(texts, pc.find_substring_regex(texts, wanted.re2))
        except pa.ArrowInvalid:  # e.g. more than 1000 repetitions
            pass
    # Row by row: look-around and back-references are rare.
    found: list[int | None] = []
    for text in texts.to_pylist():
        match = None if text is None else wanted.python.search(text)
        before = "" if match is None else match.string[: match.start()]
        position = 0 if match is None else len(before.encode("utf-16-le")) // 2 + 1
        found.append(None if text is None else position)
    return pa.array(found, pa.int64())


@SEARCHES.scalar("CHARINDEX", (Type.TEXT, Type.TEXT), Type.BIGINT, casts=AS_TEXT)
def char_index(find: Column, text: Column) -> Array:
    """The position of a text in another, from a position on if one is given; 0 if it is not there.

    sql> CHARINDEX('an', 'banana')
    2
    sql> CHARINDEX('an', 'banana', 3)
    4
    sql> CHARINDEX('zz', 'banana')
    0
    """
    return _find(find, text.values)


@SEARCHES.scalar("CHARINDEX", (Type.TEXT, Type.TEXT, Type.BIGINT), Type.BIGINT)
def char_index_from(find: Column, text: Column, start: Column) -> Array:
    """The position of a text in another, from a position on."""
    skipped = np.maximum(counts(start) - 1, 0)
    places = Positions(text.values)
    found = _find(find, places.cut(skipped, places.lengths))
    moved = pc.if_else(pc.greater(found, 0), pc.add(found, pa.array(skipped)), found)
    return keep_null(moved, start)


def _find(find: Column, texts: pa.StringArray) -> Array:
    if find.constant or len(texts) == 1:
        needle = find.values[0].as_py()
        if needle is None:
            return pa.nulls(len(texts), pa.int64())
        if needle == "":
            # as in T-SQL: nothing is found nowhere
            zeros = pa.repeat(pa.scalar(0, pa.int64()), len(texts))
            return keep_null(zeros, Column(Type.TEXT, texts))
        return _places(texts, pc.find_substring(texts, needle))

    def one(needle: str, text: str) -> int:
        place = text.find(needle) if needle else -1
        return 0 if place < 0 else len(text[:place].encode("utf-16-le")) // 2 + 1

    # Row by row: searching for another text in each row is rare.
    return map_rows(one, Type.BIGINT, find, Column(Type.TEXT, texts))


@SEARCHES.scalar("REPLACE", (Type.TEXT, Type.TEXT, Type.TEXT), Type.TEXT, casts=AS_TEXT)
def replace(text: Column, what: Column, by: Column) -> Array:
    """A text with all occurrences of another replaced; the empty text occurs nowhere.

    sql> REPLACE('a-b-c', '-', '/')
    'a/b/c'
    sql> REPLACE('a-b-c', '', '#')
    'a-b-c'
    """
    if (what.constant and by.constant) or len(text) == 1:
        old, new = what.values[0].as_py(), by.values[0].as_py()
        if old is None or new is None:
            return pa.nulls(len(text), pa.string())
        return pc.replace_substring(text.values, old, new) if old else text.values
    # Row by row: replacing something else in each row is rare.
    return map_rows(
        lambda t, old, new: t.replace(old, new) if old else t, Type.TEXT, text, what, by
    )


@SEARCHES.scalar(
    "TRANSLATE", (Type.TEXT, Type.TEXT, Type.TEXT), Type.TEXT, casts=AS_TEXT, can_fail=True
)
def translate(text: Column, source: Column, target: Column) -> Array:
    """A text with each character of one list replaced by that of another, in a single pass.

    sql> TRANSLATE('a-b_c', '-_', '..')
    'a.b.c'
    sql> TRANSLATE('abc', 'ab', 'bc')
    'bcc'
    """
    if (source.constant and target.constant) or len(text) == 1:
        old, new = source.values[0].as_py(), target.values[0].as_py()
        if old is None or new is None or text.values.null_count == len(text):
            return pa.nulls(len(text), pa.string())
        try:
            table = _table(old, new)
        except ValueError as error:
            raise DataError(str(error), row=int(np.argmax(text.valid()))) from None
        if (old + new).isascii():
            return _translate_bytes(text.values, table)
        moved = [None if t is None else t.translate(table) for t in text.values.to_pylist()]
        return pa.array(moved, pa.string())
    # Row by row: other lists in each row are rare.
    return map_rows(
        lambda t, old, new: t.translate(_table(old, new)), Type.TEXT, text, source, target
    )


def _table(source: str, target: str) -> dict[int, str]:
    if len(source) != len(target):
        raise ValueError(
            f"TRANSLATE: {source!r} and {target!r} must have the same number of characters"
        )
    # the first of equal characters counts
    return {ord(old): new for old, new in zip(source[::-1], target[::-1], strict=True)}


def _translate_bytes(texts: pa.StringArray, table: dict[int, str]) -> pa.StringArray:
    """Translate ASCII characters, which are never part of another character in UTF-8."""
    changed = np.arange(256, dtype=np.uint8)
    for old, new in table.items():
        changed[old] = ord(new)
    data = changed[bytes_of(texts)]
    offsets = offsets_of(texts)
    found = pa.Array.from_buffers(
        pa.string(), len(texts), [None, pa.py_buffer(offsets - offsets[0]), pa.py_buffer(data)]
    )
    return keep_null(found, Column(Type.TEXT, texts))
