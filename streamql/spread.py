"""Rows made of columns and of whole records spread among them: `SELECT *, a + b AS total`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .column import Column, combine
from .extract import extract
from .python_values import dump
from .rows import RecordRows, Rows, find
from .text import first_bytes, loads, mask_of
from .types import Type

Item = tuple[str | None, "Column | Rows"]


def fields_of(values: Column) -> RecordRows:
    """Return the values as rows to be spread; NULL and what is no record have no fields."""
    if values.type is Type.RECORD:
        return RecordRows(values)
    if values.type is not Type.ANY:
        return RecordRows(Column(Type.RECORD, pa.nulls(len(values), pa.string())))
    other = pa.array(first_bytes(values.values) != ord("{"))
    texts = pc.if_else(other, pa.scalar(None, pa.string()), values.values)
    return RecordRows(Column(Type.RECORD, texts))


class SpreadRows(Rows):
    """Items in the order of the select list: (name, column), or (None, rows) spread in place.

    A spread field never overrides a column with its name (ignoring case): of two the column stays
    (language.md, SELECT). Fields that a row does not have stay absent.
    """

    def __init__(self, items: Sequence[Item], count: int) -> None:
        self._items = list(items)
        self._count = count

    @classmethod
    def of_columns(cls, items: Sequence[tuple[str | None, Column]], count: int) -> SpreadRows:
        """Return rows in which unnamed columns are records to be spread."""
        return cls([(n, c if n is not None else fields_of(c)) for n, c in items], count)

    def __len__(self) -> int:
        return self._count

    def field(self, path: tuple[str, ...]) -> Column:
        named = [(n, v) for n, v in self._items if n is not None and isinstance(v, Column)]
        known = find(path[0], dict(named))
        if known is not None:
            return extract(dict(named)[known], path[1:])
        found = [v.field(path) for n, v in self._items if isinstance(v, Rows)]
        if len(found) == 1:
            return found[0]
        pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
        left = np.ones(self._count, bool)
        for column in found:
            rows = np.flatnonzero(left & column.valid())
            pieces.append((rows, column.take(rows)))
            left[rows] = False
        return combine(self._count, pieces)

    def take(self, rows: NDArray[np.int64]) -> SpreadRows:
        return SpreadRows([(n, v.take(rows)) for n, v in self._items], len(rows))

    def record(self) -> Column:
        if len(self._items) == 1 and isinstance(self._items[0][1], Rows):
            whole = _records(self._items[0][1])
            return Column(Type.RECORD, whole.fill_null("{}") if whole.null_count else whole)
        if self._count == 0:
            return Column(Type.RECORD, pa.array([], pa.string()))
        names = [n for n, _ in self._items if n is not None]
        spread = [i for i, (n, _) in enumerate(self._items) if n is None]
        parts = []
        clash = np.zeros(self._count, bool)
        for name, value in self._items:
            if isinstance(value, Rows):
                texts = pc.fill_null(_records(value), "{}")
                for other in names:
                    label = orjson.dumps(other).decode()
                    clash |= mask_of(pc.match_substring(texts, label, ignore_case=True))
                inner = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(texts, 1, -1))
                parts.append(inner)
            else:
                json = value.to_json().fill_null("null")
                parts.append(pc.binary_join_element_wise(dump(name) + ":", json, ""))
        if len(spread) > 1:
            clash[:] = True
        filled = [pc.if_else(pc.equal(p, ""), pa.scalar(None, pa.string()), p) for p in parts]
        body = pc.binary_join_element_wise(*filled, ",", null_handling="skip")
        whole = pc.binary_join_element_wise("{", body, "}", "")
        if not clash.any():
            return Column(Type.RECORD, whole)
        # Row by row only where a spread record has a text like one of the names (about 2 us a row)
        rows = np.flatnonzero(clash)
        index = pa.array(rows)
        lists = [
            loads(_records(v).take(index))
            if isinstance(v, Rows)
            else loads(v.to_json().take(index))
            for _, v in self._items
        ]
        merged = [
            dump(_merge([n for n, _ in self._items], values)) for values in zip(*lists, strict=True)
        ]
        fixed = np.asarray(whole.to_numpy(zero_copy_only=False), object)
        fixed[rows] = merged
        return Column(Type.RECORD, pa.array(fixed, pa.string()))


def _records(rows: Rows) -> pa.StringArray:
    """Return one record a row as JSON text; of a relation with no row at all, only NULLs."""
    return fields_of(rows.record()).record().values


def _merge(names: Sequence[str | None], values: Sequence[Any]) -> dict[str, Any]:
    """Return one row as a dict, without spread fields that a named or earlier one hides."""
    taken = {name.lower() for name in names if name is not None}
    row: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        if name is not None:
            row[name] = value
            continue
        for key, inner in (value or {}).items():
            if key.lower() not in taken:
                row[key] = inner
                taken.add(key.lower())
    return row
