"""Columns as the inputs of a model, and its outputs as a column: no row is looked at by itself.

What does not fit simply (NULL, values of several types, a number that the model's type does not
hold, an answer that is no number) gives None: then the rows go as JSON text, with the same results
and with errors that name the row.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column
from ...packed import PackedColumn
from ...types import Type
from .answers import all_finite
from .tensors import FLOATS, INTEGERS, Tensor

_NUMERIC = b"0123456789+-.eE[],"
_COMMA, _CLOSE = b",]"
_NUMBERS = frozenset({Type.BIGINT, Type.FLOAT, Type.NUMBER})

Feeds = dict[str, NDArray[Any]]


class Inputs(ABC):
    """The inputs of a model for some rows; made for as many of them at a time as are asked for."""

    @abstractmethod
    def feeds(self, start: int, stop: int) -> Feeds | None:
        """Return the inputs for the rows from `start` to `stop`; None if they go as text."""


@dataclass(frozen=True)
class _Made(Inputs):
    """Inputs that are there already, for all rows."""

    whole: Feeds

    def feeds(self, start: int, stop: int) -> Feeds:
        return {name: values[start:stop] for name, values in self.whole.items()}


@dataclass(frozen=True)
class _Floats(Inputs):
    """Columns of numbers that are the columns of the only input, a float."""

    tensor: Tensor
    columns: list[NDArray[np.float64]]
    dtype: Any
    signed_zeros: bool

    def feeds(self, start: int, stop: int) -> Feeds | None:
        parts = [column[start:stop] for column in self.columns]
        table = self._table(parts)
        # of the narrower numbers, which are fewer bytes; the columns are asked if one is too large
        if not np.isfinite(table).all() and not all(all_finite(part) for part in parts):
            return None
        if not self.signed_zeros:
            _drop_signs_of_zeros(table, parts)
        return _shaped(table, self.tensor)

    def _table(self, parts: list[NDArray[np.float64]]) -> NDArray[Any]:
        table = np.empty((len(parts[0]), len(parts)), self.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            for at, part in enumerate(parts):
                table[:, at] = part
        return table


def _drop_signs_of_zeros(table: NDArray[Any], parts: Sequence[NDArray[np.float64]]) -> None:
    """Make zeros of the columns positive; numbers that are zero in the table alone keep theirs."""
    bits = table.view(f"i{table.dtype.itemsize}")
    least = -(1 << 8 * table.dtype.itemsize - 1)  # the bits of a negative zero
    if table.size == 0 or int(bits.min()) != least:
        return
    # of one dimension: with two, to find the places takes longer than to make the table
    rows, columns = np.divmod(np.flatnonzero(bits.reshape(-1) == least), bits.shape[1])
    for at in np.unique(columns).tolist():
        some = rows[columns == at]
        table[some, at] = parts[at][some] + 0.0


def inputs_of_fields(
    fields: Mapping[str, Column],
    tensors: Sequence[Tensor],
    dtypes: Mapping[str, Any],
    signed_zeros: bool = True,
) -> Inputs | None:
    """Return the inputs of a model for records, given as a column for each field.

    Without `signed_zeros` no zero has a sign, as in JSON that JavaScript has written.
    """
    if len(tensors) == 1 and list(fields) != [tensors[0].name]:
        return _side_by_side(list(fields.values()), tensors[0], dtypes, signed_zeros)
    found = [fields.get(tensor.name) for tensor in tensors]
    return _one_each(found, tensors, dtypes, signed_zeros)


def inputs_of_packed(
    column: PackedColumn, tensors: Sequence[Tensor], dtypes: Mapping[str, Any]
) -> Inputs | None:
    """Return the inputs of a model for arrays or records that were made of columns."""
    elements = column.elements
    if column.names is not None:
        fields = dict(zip(column.names, elements, strict=True))
        return inputs_of_fields(fields, tensors, dtypes, False)
    if len(tensors) == 1:
        return _side_by_side(elements, tensors[0], dtypes, False)
    if len(tensors) != len(elements):
        return None
    return _one_each(elements, tensors, dtypes, False)


def inputs_of_values(
    column: Column, tensors: Sequence[Tensor], dtypes: Mapping[str, Any]
) -> Inputs | None:
    """Return the inputs of a model for one scalar each."""
    return _one_each([column], tensors, dtypes, True) if len(tensors) == 1 else None


def _one_each(
    columns: Sequence[Column | None],
    tensors: Sequence[Tensor],
    dtypes: Mapping[str, Any],
    signed_zeros: bool,
) -> Inputs | None:
    """Return each column as an input of its own."""
    feeds: Feeds = {}
    for tensor, column in zip(tensors, columns, strict=True):
        values = None if column is None else _values(column, tensor, dtypes, signed_zeros)
        found = None if values is None else _shaped(values, tensor)
        if found is None:
            return None
        feeds |= found
    return _Made(feeds)


def inputs_of_arrays(
    column: Column, tensors: Sequence[Tensor], dtypes: Mapping[str, Any]
) -> Inputs | None:
    """Return the inputs of a model for arrays of numbers, given as their JSON texts."""
    if len(tensors) != 1 or column.type is not Type.ARRAY or column.values.null_count:
        return None
    only = tensors[0]
    width = only.shape[1] if len(only.shape) == 2 else 0
    if width <= 0 or only.datatype not in FLOATS:
        return None
    offsets = pa.array([0, len(column)], pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, column.values), ",")[0]
    matrix = numbers(b"[" + texts.as_buffer().to_pybytes() + b"]", width)
    if matrix is None or len(matrix) != len(column):
        return None
    return _Made({only.name: matrix.astype(dtypes[only.datatype])})


def _side_by_side(
    columns: Sequence[Column], tensor: Tensor, dtypes: Mapping[str, Any], signed_zeros: bool
) -> Inputs | None:
    """Return columns as those of the only input."""
    dtype = dtypes[tensor.datatype]
    if tensor.datatype in FLOATS:
        if any(c.type not in _NUMBERS or c.values.null_count for c in columns):
            return None
        return _Floats(tensor, [_floats(column) for column in columns], dtype, signed_zeros)
    table = np.empty((len(columns[0]), len(columns)), dtype)
    for at, column in enumerate(columns):
        values = _values(column, tensor, dtypes, signed_zeros)
        if values is None:
            return None
        table[:, at] = values
    shaped = _shaped(table, tensor)
    return None if shaped is None else _Made(shaped)


def _floats(column: Column) -> NDArray[np.float64]:
    # by way of float64, as the text of a number is read
    return np.asarray(column.values).astype(np.float64, copy=False)


def _values(
    column: Column, tensor: Tensor, dtypes: Mapping[str, Any], signed_zeros: bool
) -> NDArray[Any] | None:
    """Return a column's values in the type of an input."""
    values, dtype = column.values, dtypes[tensor.datatype]
    if values.null_count:
        return None
    if tensor.datatype in FLOATS and column.type in _NUMBERS:
        floats = _floats(column)
        if not signed_zeros:
            floats = floats + 0.0
        with np.errstate(over="ignore"):
            return floats.astype(dtype) if all_finite(floats) else None
    if tensor.datatype in INTEGERS and column.type in _NUMBERS:
        integers, bounds = np.asarray(values), np.iinfo(dtype)
        if column.type is not Type.BIGINT:
            # whole ones that are integers in every text
            if not bool(((np.trunc(integers) == integers) & (np.abs(integers) <= 2.0**53)).all()):
                return None
            integers = integers.astype(np.int64)
        if len(integers) == 0:
            return integers.astype(dtype)
        fits = int(integers.min()) >= bounds.min and int(integers.max()) <= bounds.max
        return integers.astype(dtype) if fits else None
    wanted = {"BOOL": Type.BIT, "BYTES": Type.TEXT}.get(tensor.datatype)
    if column.type is not wanted:
        return None
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found


def _shaped(values: NDArray[Any], tensor: Tensor) -> Feeds | None:
    """Return values in an input's shape: a row as it is, or one value in as many dimensions."""
    inner, wanted = values.shape[1:], tensor.shape[1:]
    if not tensor.shape:
        return {tensor.name: values if inner else values.reshape(-1, 1)}
    if len(inner) == len(wanted) and all(
        want in (-1, have) for want, have in zip(wanted, inner, strict=True)
    ):
        return {tensor.name: values}
    if math.prod(inner) == 1 and all(want in (-1, 1) for want in wanted):
        return {tensor.name: values.reshape(len(values), *(1 for _ in wanted))}
    return None


def numbers(body: bytes, width: int) -> NDArray[np.float64] | None:
    """Return the numbers of a JSON list of arrays of `width` numbers; None for another text.

    Arrow reads the numbers where they stand, in half of the time that a JSON parser and numpy take.
    """
    if body.translate(None, _NUMERIC):
        return None
    marks = np.frombuffer(body, np.uint8)
    commas = np.flatnonzero(marks == _COMMA)
    rows, rest = divmod(len(commas) + 1, width)
    between = marks[commas - 1] == _CLOSE
    each = bool(between[width - 1 :: width].all()) and int(between.sum()) == rows - 1
    if rest or not each or body[:2] != b"[[" or {body.count(b"["), body.count(b"]")} != {rows + 1}:
        return None
    digits = body.translate(None, b"[],")
    # what stands before the n-th comma: all of the text but for n commas and the brackets
    offsets = np.empty(rows * width + 1, np.int32)
    offsets[0], offsets[-1] = 0, len(digits)
    count = np.arange(1, rows * width)
    offsets[1:-1] = commas - (count - 1) - 2 * ((count - 1) // width) - 2 - (count % width == 0)
    texts = pa.Array.from_buffers(
        pa.string(), rows * width, [None, pa.py_buffer(offsets), pa.py_buffer(digits)]
    )
    try:
        found: NDArray[np.float64] = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return found.reshape(rows, width)
