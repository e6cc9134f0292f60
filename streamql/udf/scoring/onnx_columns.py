"""Columns as the inputs of a model, and its outputs as a column: no row is looked at by itself.

What does not fit simply (NULL, values of several types, a number that the model's type does not
hold, an answer that is no number) gives None: then the rows go as JSON text, with the same results
and with errors that name the row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...column import Column
from ...types import Type
from .answers import all_finite
from .tensors import FLOATS, INTEGERS, Tensor

_NUMERIC = b"0123456789+-.eE[],"
_COMMA, _CLOSE = b",]"

Feeds = dict[str, NDArray[Any]]


def feeds_of_fields(
    fields: Mapping[str, Column], tensors: Sequence[Tensor], dtypes: Mapping[str, Any]
) -> Feeds | None:
    """Return the inputs of a model for records, given as a column for each field."""
    only = tensors[0] if len(tensors) == 1 else None
    if only is not None and list(fields) != [only.name]:
        count = len(next(iter(fields.values())))
        table = np.empty((count, len(fields)), dtypes[only.datatype])
        for at, column in enumerate(fields.values()):
            values = _values(column, only, dtypes)
            if values is None:
                return None
            table[:, at] = values
        return _shaped(table, only)
    feeds: Feeds = {}
    for tensor in tensors:
        field = fields.get(tensor.name)
        values = None if field is None else _values(field, tensor, dtypes)
        found = None if values is None else _shaped(values, tensor)
        if found is None:
            return None
        feeds |= found
    return feeds


def feeds_of_arrays(
    column: Column, tensors: Sequence[Tensor], dtypes: Mapping[str, Any]
) -> Feeds | None:
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
    return {only.name: matrix.astype(dtypes[only.datatype])}


def column_of(output: Any, count: int, returns: Type) -> Column | None:
    """Return the values of an output with one number or bit for each row."""
    if not isinstance(output, np.ndarray) or output.ndim == 0 or len(output) != count:
        return None
    if math.prod(output.shape[1:]) != 1 or output.dtype.kind not in "fiub":
        return None
    values = output.reshape(count)
    match values.dtype.kind:
        case "f":
            floats = values.astype(np.float64)
            if not all_finite(floats):
                return None
            column = Column(Type.FLOAT, pa.array(floats))
        case "b":
            column = Column(Type.BIT, pa.array(values))
        case _:
            if values.dtype == np.uint64 and count and int(values.max()) >= 2**63:
                return None
            column = Column(Type.BIGINT, pa.array(values.astype(np.int64)))
    if returns in (Type.ANY, column.type):
        return column
    if returns is Type.FLOAT and column.type is Type.BIGINT:
        return Column(returns, column.values.cast(pa.float64(), safe=False))
    return None


def _values(column: Column, tensor: Tensor, dtypes: Mapping[str, Any]) -> NDArray[Any] | None:
    """Return a column's values in the type of an input."""
    values, dtype = column.values, dtypes[tensor.datatype]
    if values.null_count:
        return None
    if tensor.datatype in FLOATS and column.type in (Type.BIGINT, Type.FLOAT, Type.NUMBER):
        # by way of float64, as the text of a number is read
        floats = np.asarray(values).astype(np.float64, copy=False)
        with np.errstate(over="ignore"):
            return floats.astype(dtype) if all_finite(floats) else None
    if tensor.datatype in INTEGERS and column.type is Type.BIGINT:
        integers, bounds = np.asarray(values), np.iinfo(dtype)
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
