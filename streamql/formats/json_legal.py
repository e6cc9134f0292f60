"""Which texts are legal JSON values that fit into the types of the language.

A template knows where the values of a line are, not what they are. Columns of plain integers and
decimals are judged by a few passes over their bytes; what is neither goes through a regular
expression, and arrays and objects through the parser one by one.
"""

from __future__ import annotations

import re

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..text import bytes_of, first_bytes, mask_of, offsets_of
from ..types import Type

MAX_DEPTH = 400
"""Values nested deeper are refused: half of what Python's own recursion limit can carry."""

Mask = NDArray[np.bool_]

_WORDS = pa.array(["null", "true", "false"])
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
_PLAIN_DIGITS = 18  # as many digits fit into 64 bits whatever they are
_LONG_INTEGER = re.compile(rb"[0-9]{19}")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_BIGINTS = range(-(2**63), 2**63)


def legal(texts: pa.StringArray, max_depth: int = MAX_DEPTH) -> tuple[Mask | None, Type | None]:
    """Return which texts are legal, None when all are, and their type if it is bigint or float.

    The texts are not NULL. The type is only told when all are legal and of that one type. Values
    nested more than half of `max_depth` are not: objects around them have the other half.
    """
    offsets = offsets_of(texts)
    if len(offsets) == 1:
        return None, None
    begins = offsets[:-1] - offsets[0]
    ends = offsets[1:] - offsets[0]
    data = bytes_of(texts)
    if int((ends - begins).min()) < 1:
        return _one_class_each(texts, max_depth), None
    others = np.flatnonzero((data - np.uint8(48)) > 9)
    if len(others) == 0:
        fine = (data[begins] != 48) | (ends - begins == 1)
        fine &= ends - begins <= _PLAIN_DIGITS
        return _verdict(fine, texts, Type.BIGINT, max_depth)
    if len(others) == len(begins) and bool((data[others] == 46).all()):
        fine = (others > begins) & (others < ends - 1)
        fine &= (data[begins] != 48) | (others == begins + 1)
        fine &= ends - begins < 300
        if bool(fine.all()):  # else the points may belong to other rows
            return None, Type.FLOAT
    if bool(((data[others] == 46) | (data[others] == 45)).all()):
        return _verdict(_signed(data, begins, ends), texts, None, max_depth)
    return _verdict(_one_class_each(texts, max_depth), texts, None, max_depth)


def _verdict(
    fine: Mask, texts: pa.StringArray, kind: Type | None, max_depth: int
) -> tuple[Mask | None, Type | None]:
    """Judge the doubtful rows by the slower rules; they may be legal and long."""
    if bool(fine.all()):
        return None, kind
    doubtful = np.flatnonzero(~fine)
    fine[doubtful] = _one_class_each(texts.take(pa.array(doubtful)), max_depth)
    return (None if bool(fine.all()) else fine), None


def _signed(data: NDArray[np.uint8], begins: NDArray[np.int32], ends: NDArray[np.int32]) -> Mask:
    """Judge texts of digits, points and minus signs only."""
    negative = data[begins] == 45
    heads = begins + negative
    last = len(data) - 1
    head = data[np.minimum(heads, last)]
    second = data[np.minimum(heads + 1, last)]
    points = np.add.reduceat((data == 46).astype(np.int32), begins)
    signs = np.add.reduceat((data == 45).astype(np.int32), begins)
    fine: Mask = (ends > heads) & (ends - heads <= _PLAIN_DIGITS) & (points <= 1)
    fine &= signs == negative
    fine &= ((head - np.uint8(48)) <= 9) & ((data[ends - 1] - np.uint8(48)) <= 9)
    fine &= (head != 48) | (ends - heads == 1) | (second == 46)
    return fine


def _one_class_each(texts: pa.StringArray, max_depth: int) -> Mask:
    """Judge any texts: words, numbers, and the rest one by one by the parser."""
    fine = mask_of(pc.is_in(texts, _WORDS))
    rest = np.flatnonzero(~fine)
    some = texts.take(pa.array(rest)) if len(rest) else texts.slice(0, 0)
    firsts = first_bytes(some)
    nested = (firsts == ord("[")) | (firsts == ord("{")) | (firsts == ord('"'))
    numbers = mask_of(pc.match_substring_regex(some, _NUMBER))
    fine[rest] = numbers & _in_range(some, numbers)
    inner = np.flatnonzero(nested)
    if len(inner):
        fine[rest[inner]] = parse_each(some.take(pa.array(inner)), max_depth)
    return fine


def _in_range(texts: pa.StringArray, numbers: Mask) -> Mask:
    """Tell of those texts that are numbers whether they are finite, or bigints."""
    fine = np.ones(len(texts), bool)
    fractions = mask_of(pc.match_substring_regex(texts, "[.eE]"))
    rows = np.flatnonzero(numbers & fractions)
    if len(rows):
        floats = texts.take(pa.array(rows)).cast(pa.float64())
        fine[rows] = np.isfinite(np.asarray(floats))
    long = mask_of(pc.greater(pc.binary_length(texts), _PLAIN_DIGITS))
    # Sequential: integers of 19 digits and more only.
    for row in np.flatnonzero(numbers & ~fractions & long).tolist():
        fine[row] = misfit(texts[row].as_py().encode()) is None
    return fine


def parse_each(texts: pa.StringArray, max_depth: int = MAX_DEPTH) -> Mask:
    """Judge arrays, objects and strings one by one (0.3 µs each).

    They are not parsed together, because a bracket of one could close in another.
    """
    fine = np.ones(len(texts), bool)
    parse = orjson.loads
    for row, text in enumerate(texts.to_pylist()):
        try:
            parse(text)
        except orjson.JSONDecodeError:
            fine[row] = False
    lengths = pc.greater(pc.binary_length(texts), max_depth)
    doubtful = pc.or_(lengths, pc.match_substring_regex(texts, "[0-9]{19}"))
    for row in np.flatnonzero(mask_of(doubtful) & fine).tolist():
        # a bare value is an inner one: leave room for the objects around it
        fine[row] = misfit(texts[row].as_py().encode(), max_depth // 2) is None
    return fine


def misfit(text: bytes, max_depth: int = MAX_DEPTH) -> str | None:
    """Return why a valid JSON text cannot be an event: an integer too large, nesting too deep."""
    if len(text) > 2 * max_depth and text.count(b"[") + text.count(b"{") > max_depth:
        depth = _depth(text)
        if depth > max_depth:
            return f"nested {depth} levels deep, and {max_depth} are the most"
    if _LONG_INTEGER.search(text) is None:
        return None
    for found in _TOKEN.finditer(text):
        word = found[0]
        if len(word) < 19 or word[:1] == b'"' or not word.lstrip(b"-").isdigit():
            continue
        if len(word) > 20 or int(word) not in _BIGINTS:
            shown = word.decode() if len(word) <= 40 else f"{word[:20].decode()}..."
            return f"the integer {shown} does not fit into 64 bits"
    return None


def _depth(text: bytes) -> int:
    """Return how deep the brackets of a valid JSON text are nested."""
    data = np.frombuffer(
        re.sub(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', b"", text, flags=re.DOTALL), np.uint8
    )
    folded = data | 32  # [ and { differ by this bit, and so do their closing ones
    steps = (folded == 123).astype(np.int32) - (folded == 125)
    return int(np.cumsum(steps).max(initial=0))
