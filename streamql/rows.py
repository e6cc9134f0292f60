"""Rows: the columns of one relation within a batch, read by name.

A relation is an input, a step, or the element of an APPLY. Rows are lazy where that saves work: an
input's rows decode a field when it is asked for, and choosing rows does not copy what nobody reads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .column import Column, concat, nulls
from .extract import extract
from .types import Type


class Rows(ABC):
    """The rows of one relation. Immutable; methods return new rows.

    Attributes:
        textual: they come from a format that knows texts only, so that a text may mean a number.
    """

    textual: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def field(self, path: tuple[str, ...]) -> Column:
        """Return the values at a path of names.

        Names match exactly first, else the first that matches ignoring case. A
        missing field, and a path through NULL or a scalar, is NULL.
        """

    @abstractmethod
    def record(self) -> Column:
        """Return each row as one record, with the fields it has, in their order."""

    @abstractmethod
    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Return the rows at these indices, in their order."""

    def filter(self, keep: NDArray[np.bool_]) -> Rows:
        """Return the rows for which the mask is True."""
        return self.take(np.flatnonzero(keep))


def find(name: str, names: Sequence[str] | Mapping[str, object]) -> str | None:
    """Return the known name for `name`: exactly the same, else the first that differs in case."""
    if name in names:
        return name
    lowered = name.lower()
    return next((known for known in names if known.lower() == lowered), None)


class ColumnRows(Rows):
    """Rows given as named columns.

    `absent` tells, for a column, in which rows the field does not exist (it reads as NULL, and is
    left out of the record).
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        count: int,
        absent: Mapping[str, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.columns = dict(columns)
        self.count = count
        self.absent = dict(absent or {})

    def __len__(self) -> int:
        return self.count

    def field(self, path: tuple[str, ...]) -> Column:
        name = find(path[0], self.columns)
        if name is None:
            return nulls(self.count)
        column = self.columns[name]
        return extract(column, path[1:]) if len(path) > 1 else column

    def record(self) -> Column:
        texts = [c.to_json() for c in self.columns.values()]
        return Column(Type.RECORD, objects(list(self.columns), texts, self.count, self.absent))

    def take(self, rows: NDArray[np.int64]) -> ColumnRows:
        chosen = {name: column.take(rows) for name, column in self.columns.items()}
        absent = {name: mask[rows] for name, mask in self.absent.items()}
        return ColumnRows(chosen, len(rows), absent)


def objects(
    names: Sequence[str],
    texts: Sequence[pa.StringArray],
    count: int,
    absent: Mapping[str, NDArray[np.bool_]] | None = None,
) -> pa.StringArray:
    """Return JSON objects of the given fields, whose values are JSON texts (NULL becomes null)."""
    if count == 0:
        return pa.array([], pa.string())
    if not names:
        return pa.repeat(pa.scalar("{}"), count)
    keys = [pa.array([name]) for name in names]
    labels = [Column(Type.TEXT, key).to_json()[0].as_py() + ":" for key in keys]
    missing = {name: mask for name, mask in (absent or {}).items() if mask.any()}
    values = [t.fill_null("null") if t.null_count else t for t in texts]
    if not missing:
        return interleave(labels, values, "{", ",", "}")
    fields = []
    for name, label, value in zip(names, labels, values, strict=True):
        member = pc.binary_join_element_wise("," + label, value, "")
        if name in missing:
            member = pc.if_else(pa.array(missing[name]), "", member)
        fields.append(member)
    body = pc.utf8_slice_codeunits(pc.binary_join_element_wise(*fields, ""), 1)
    return pc.binary_join_element_wise("{", body, "}", "")


def interleave(
    labels: Sequence[str], values: Sequence[pa.StringArray], before: str, between: str, after: str
) -> pa.StringArray:
    """Return before + label[0] + value[0] + between + label[1] + ... + after for each row.

    One take over all pieces laid end to end costs half of Arrow's element-wise join.
    """
    count = len(values[0])
    literals = [before + labels[0], *(between + label for label in labels[1:]), after]
    width = 2 * len(values) + 1
    index = np.empty((count, width), np.int32)
    first = np.arange(len(literals), len(literals) + count, dtype=np.int32)
    for place in range(len(values)):
        index[:, 2 * place] = place
        index[:, 2 * place + 1] = first + place * count
    index[:, -1] = len(literals) - 1
    pieces = pa.concat_arrays([pa.array(literals, pa.string()), *values])
    flat = pieces.take(pa.array(index.ravel()))
    ends = np.frombuffer(flat.buffers()[1], np.int32)[::width][: count + 1]
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(np.ascontiguousarray(ends)), flat.buffers()[2]]
    )


def concat_rows(parts: Sequence[Rows]) -> Rows:
    """Put rows of one relation one below the other; a field missing from a part is absent there."""
    if len(parts) == 1:
        return parts[0]
    if not all(isinstance(p, ColumnRows) for p in parts):
        return RecordRows(concat([p.record() for p in parts]))
    tables = [p for p in parts if isinstance(p, ColumnRows)]
    names = list(dict.fromkeys(name for t in tables for name in t.columns))
    columns, absent = {}, {}
    for name in names:
        columns[name] = concat(
            [t.columns[name] if name in t.columns else nulls(len(t)) for t in tables]
        )
        masks = [
            t.absent.get(name, np.zeros(len(t), bool))
            if name in t.columns
            else np.ones(len(t), bool)
            for t in tables
        ]
        mask = np.concatenate(masks)
        if mask.any():
            absent[name] = mask
    return ColumnRows(columns, sum(len(t) for t in tables), absent)


class RecordRows(Rows):
    """Rows given as one record each (JSON text); fields are taken out when asked for."""

    def __init__(self, records: Column) -> None:
        self._records = records
        self._cache: dict[tuple[str, ...], Column] = {}

    def __len__(self) -> int:
        return len(self._records)

    def field(self, path: tuple[str, ...]) -> Column:
        if path not in self._cache:
            self._cache[path] = extract(self._records, path)
        return self._cache[path]

    def record(self) -> Column:
        return self._records

    def take(self, rows: NDArray[np.int64]) -> RecordRows:
        return RecordRows(self._records.take(rows))
