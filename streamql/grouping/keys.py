"""Codes for key values: equal values get the same small number, for as long as a job runs.

Which values are equal is what GROUP BY, PARTITION BY and join keys need (language 5): bigint 1 and
float 1.0 are, text and number are not, records and arrays are compared by value. NULLs are equal to
each other; `codes(..., nulls=False)` gives rows with a NULL the code -1, for joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..column import Column, concat, nulls
from ..python_values import canonical
from ..text import valid
from ..types import JSON_TYPES, Type

Ints = NDArray[np.int64]
Columns = Sequence[Column]


class KeyTable:
    """The key values seen so far and their codes, from 0 on in the order they were first seen."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._singles: list[dict[Any, int]] = [{} for _ in range(width)]
        self._pairs: list[dict[int, int]] = [{} for _ in range(max(width - 1, 0))]
        self._seen: list[list[Column]] = [[] for _ in range(width)]
        self.count = 0

    def codes(self, columns: Columns, count: int, *, nulls: bool = True) -> Ints:
        """Return the code of each row; new values get new codes."""
        if self._width == 0:
            self.count = 1
            return np.zeros(count, np.int64)
        known: NDArray[np.bool_] | None = None
        if not nulls:
            known = np.ones(count, bool)
            for column in columns:
                known &= column.valid()
            if not known.all():
                codes = np.full(count, -1, np.int64)
                rows = np.flatnonzero(known)
                codes[rows] = self.codes([c.take(rows) for c in columns], len(rows))
                return codes
        codes = _column_codes(columns[0], self._singles[0])
        for i, column in enumerate(columns[1:]):
            inner = _column_codes(column, self._singles[i + 1])
            codes = dense((codes << 32) | inner, self._pairs[i])
        self._remember(codes, columns)
        return codes

    def find(self, columns: Columns, count: int) -> Ints:
        """Return the code of each row; -1 for values never seen and for NULLs. Adds nothing."""
        codes = np.zeros(count, np.int64)
        bad = np.zeros(count, bool)
        for i, column in enumerate(columns):
            inner = _column_codes(column, self._singles[i], add=False)
            bad |= (inner < 0) | ~column.valid()
            if i:
                joined = (np.maximum(codes, 0) << 32) | np.maximum(inner, 0)
                inner = dense(joined, self._pairs[i - 1], add=False)
                bad |= inner < 0
            codes = inner
        codes[bad] = -1
        return codes

    def _remember(self, codes: Ints, columns: Columns) -> None:
        """Keep the values of codes that are new, in the order of the codes."""
        if len(codes) == 0 or codes.max() < self.count:
            return
        rows = first_rows(codes, self.count)
        for kept, column in zip(self._seen, columns, strict=True):
            kept.append(column.take(rows))
        self.count += len(rows)

    def values(self, codes: Ints) -> list[Column]:
        """Return the key values of these codes, as they were first seen: one column per key."""
        result = []
        for kept in self._seen:
            if len(kept) > 1:
                kept[:] = [concat(kept)]
            result.append(kept[0].take(codes) if kept else nulls(len(codes)))
        return result

    def keep(self, codes: Ints) -> Ints:
        """Forget all values but those of `codes` (rising); return the new code of each old one."""
        moved = np.full(max(self.count, 1), -1, np.int64)
        moved[codes] = np.arange(len(codes))
        columns = self.values(codes)
        self.__init__(self._width)  # type: ignore[misc]
        self._adopt(columns, len(codes))
        return moved

    def snapshot(self) -> dict[str, Any]:
        """Return the values in the order of their codes."""
        return {"count": self.count, "values": self.values(np.arange(self.count))}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._adopt(state["values"], state["count"])

    def _adopt(self, columns: Columns, count: int) -> None:
        """Take distinct values into an empty table, so that the code of each row is its number.

        `codes` numbers the values of a single column type by type, NULL last.
        """
        codes = self.codes(columns, count)
        numbers = np.arange(count)
        if self._width != 1 or bool((codes == numbers).all()):
            return
        places = np.empty(count, np.int64)
        places[codes] = numbers
        self._singles[0] = {v: int(places[code]) for v, code in self._singles[0].items()}
        self._seen = [[columns[0]]]


def first_rows(codes: Ints, known: int) -> Ints:
    """Return the row in which each code from `known` on comes first, in the order of the codes.

    There is at least one row for each of them.
    """
    fresh = np.flatnonzero(codes >= known)
    # new codes mostly rise row by row: then each first row is one that exceeds all before it
    highest = np.maximum.accumulate(codes[fresh])
    rising = np.append(True, highest[1:] > highest[:-1])
    if int(rising.sum()) == int(highest[-1]) - known + 1:
        return np.asarray(fresh[rising], np.int64)
    _, first = np.unique(codes[fresh], return_index=True)
    return np.asarray(fresh[first], np.int64)


def _column_codes(column: Column, table: dict[Any, int], *, add: bool = True) -> Ints:
    codes = np.empty(len(column), np.int64)
    for rows, part in column.parts():
        where = slice(None) if rows is None else rows
        codes[where] = _part_codes(part, table, add)
    return codes


def _part_codes(part: Column, table: dict[Any, int], add: bool) -> Ints:
    if len(part) == 0:
        return np.zeros(0, np.int64)
    if part.type is Type.NULL:
        return np.full(len(part), _code(None, table, add), np.int64)
    encoded = part.values.dictionary_encode()
    values: list[Any] = encoded.dictionary.to_pylist()
    if part.type in JSON_TYPES:
        values = [(part.type.value, canonical(v)) for v in values]
    elif part.type in (Type.BIT, Type.DATETIME):
        values = [(part.type.value, v) for v in values]
    known = _codes(values, table, add)
    if encoded.null_count == 0:
        coded: Ints = known[np.asarray(encoded.indices)]
        return coded
    codes = np.full(len(part), -1, np.int64)
    some = valid(part.values)
    codes[some] = known[np.asarray(encoded.indices.drop_null())]
    codes[~some] = _code(None, table, add)
    return codes


def _codes(values: list[Any], table: dict[Any, int], add: bool) -> Ints:
    """Return the code of each value; one dictionary step for each distinct value of a batch."""
    if add:
        take = table.setdefault
        return np.array([take(v, len(table)) for v in values], np.int64)
    return np.array([table.get(v, -1) for v in values], np.int64)


def _code(value: Any, table: dict[Any, int], add: bool) -> int:
    return table.setdefault(value, len(table)) if add else table.get(value, -1)


def dense(codes: Ints, table: dict[int, int], *, add: bool = True) -> Ints:
    """Give the distinct numbers of an array small codes."""
    encoded = pa.array(codes).dictionary_encode()
    values = encoded.dictionary.to_pylist()
    known = _codes(values, table, add)
    coded: Ints = known[np.asarray(encoded.indices)]
    return coded
