"""Codes for key values: equal values get the same small number, for as long as a job runs.

Which values are equal is what GROUP BY, PARTITION BY and join keys need: bigint 1 and
float 1.0 are, text and number are not, records and arrays are compared by value. NULLs are equal to
each other; `codes(..., nulls=False)` gives rows with a NULL the code -1, for joins. A bit is a
value of its own, but for the keys of a join, where `=` holds and a bit equals 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column, concat, nulls
from ..python_values import canonical
from ..text import valid
from ..types import JSON_TYPES, Type
from .numbers import NumberTable

Ints = NDArray[np.int64]

_MANY = 512
"""Distinct values of a batch from which on Arrow looks them up faster than a dictionary."""
Columns = Sequence[Column]


class KeyTable:
    """The key values seen so far and their codes, from 0 on in the order they were first seen.

    With `bits_are_numbers` a bit equals the number 0 or 1.
    """

    def __init__(self, width: int, *, bits_are_numbers: bool = False) -> None:
        self._width = width
        self._bits_are_numbers = bits_are_numbers
        self._singles = [_Values(bits_are_numbers) for _ in range(width)]
        self._pairs = [NumberTable() for _ in range(max(width - 1, 0))]
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
        codes = self._singles[0].codes(columns[0])
        for i, column in enumerate(columns[1:]):
            inner = self._singles[i + 1].codes(column)
            codes = self._pairs[i].codes((codes << 32) | inner)
        self._remember(codes, columns)
        return codes

    def find(self, columns: Columns, count: int) -> Ints:
        """Return the code of each row; -1 for values never seen and for NULLs. Adds nothing."""
        codes = np.zeros(count, np.int64)
        bad = np.zeros(count, bool)
        for i, column in enumerate(columns):
            inner = self._singles[i].codes(column, add=False)
            bad |= (inner < 0) | ~column.valid()
            if i:
                joined = (np.maximum(codes, 0) << 32) | np.maximum(inner, 0)
                inner = self._pairs[i - 1].codes(joined, add=False)
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
        self.__init__(self._width, bits_are_numbers=self._bits_are_numbers)  # type: ignore[misc]
        self.codes(columns, len(codes))
        return moved

    def snapshot(self) -> dict[str, Any]:
        """Return the values in the order of their codes; they are put together later."""
        return {"count": self.count, "values": [_laid_out(list(kept)) for kept in self._seen]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self.codes(state["values"], state["count"])


def _laid_out(kept: list[Column]) -> Callable[[], Column]:
    return lambda: concat(kept) if kept else nulls(0)


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


class _Values:
    """The values of one key column and their codes.

    The dictionary knows them all. Texts and bigints that come again by the thousand are found by
    Arrow instead, among those that were found like that before.
    """

    def __init__(self, bits_are_numbers: bool) -> None:
        # Python's True equals 1 and 1.0, and so do their hashes: untagged bits are numbers
        self._tagged = {Type.DATETIME} if bits_are_numbers else {Type.BIT, Type.DATETIME}
        self._table: dict[Any, int] = {}
        self._again = {Type.TEXT: _Again(), Type.BIGINT: _Again()}

    def codes(self, column: Column, *, add: bool = True) -> Ints:
        """Return the code of each row; without `add`, -1 for a value never seen.

        New values get their codes in the order of the rows, however the column is stored and cut.
        """
        codes = self._find(column)
        if add:
            unknown = np.flatnonzero(codes < 0)
            if len(unknown):
                new = column.take(unknown)
                self._learn(new)
                codes[unknown] = self._find(new)
        return codes

    def _find(self, column: Column) -> Ints:
        codes = np.empty(len(column), np.int64)
        for rows, part in column.parts():
            codes[slice(None) if rows is None else rows] = self._part(part)
        return codes

    def _part(self, part: Column) -> Ints:
        if len(part) == 0:
            return np.zeros(0, np.int64)
        if part.type is Type.NULL:
            return np.full(len(part), self._table.get(None, -1))
        encoded = part.values.dictionary_encode()
        known = self._distinct(part.type, encoded.dictionary)
        if encoded.null_count == 0:
            coded: Ints = known[np.asarray(encoded.indices)]
            return coded
        codes = np.full(len(part), self._table.get(None, -1))
        codes[valid(part.values)] = known[np.asarray(encoded.indices.drop_null())]
        return codes

    def _distinct(self, kind: Type, values: pa.Array) -> Ints:
        again = self._again.get(kind)
        if again is None or len(values) < _MANY or again.count > 32 * len(values):
            return self._of(self._hashable(kind, values))
        codes = again.find(values)
        rest = np.flatnonzero(codes < 0)
        if len(rest):
            missing = values.take(pa.array(rest))
            found = self._of(self._hashable(kind, missing))
            codes[rest] = found
            here = np.flatnonzero(found >= 0)
            again.add(missing.take(pa.array(here)), found[here])
        return codes

    def _of(self, values: list[Any]) -> Ints:
        take = self._table.get
        return np.array([take(v, -1) for v in values], np.int64)

    def _learn(self, column: Column) -> None:
        """Give codes to values, in the order in which they come first."""
        firsts: list[tuple[int, Any]] = []
        parts = column.parts()
        for rows, part in parts:
            if part.type is Type.NULL:
                firsts.append((0 if rows is None else int(rows[0]), None))
                continue
            encoded = part.values.dictionary_encode()
            values = self._hashable(part.type, encoded.dictionary)
            if len(parts) == 1 and encoded.null_count == 0:
                firsts = [(0, value) for value in values]
                break
            at = np.arange(len(part)) if rows is None else rows
            indices = np.asarray(encoded.indices.fill_null(len(values)))
            if encoded.null_count:
                values.append(None)
            distinct, first = np.unique(indices, return_index=True)
            firsts += [(int(at[f]), values[d]) for d, f in zip(distinct, first, strict=True)]
        if len(parts) > 1 or any(value is None for _, value in firsts):
            firsts.sort(key=lambda pair: pair[0])
        for _, value in firsts:
            self._table.setdefault(value, len(self._table))

    def _hashable(self, kind: Type, values: pa.Array) -> list[Any]:
        """Return Python values that are equal where key values are."""
        found: list[Any] = values.to_pylist()
        if kind in JSON_TYPES:
            return [(kind.value, canonical(v)) for v in found]
        if kind in self._tagged:
            return [(kind.value, v) for v in found]
        return found


class _Again:
    """Values of one type, laid out for Arrow to look them up."""

    def __init__(self) -> None:
        self._values: list[pa.Array] = []
        self._codes: list[Ints] = []
        self.count = 0

    def find(self, values: pa.Array) -> Ints:
        """Return the codes of values; -1 for those that are not here."""
        if self.count == 0:
            return np.full(len(values), -1)
        if len(self._values) > 1:
            self._values = [pa.concat_arrays(self._values)]
            self._codes = [np.concatenate(self._codes)]
        places = pc.index_in(values, value_set=self._values[0])
        found = np.asarray(places.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
        return np.where(found < 0, -1, self._codes[0][found])

    def add(self, values: pa.Array, codes: Ints) -> None:
        """Take over values that were not here."""
        self._values.append(values)
        self._codes.append(codes)
        self.count += len(codes)
