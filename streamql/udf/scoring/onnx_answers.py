"""The outputs of a model in this process: as a column, or as a value for each row.

A column is made of whole outputs: numbers, bits, texts, vectors of numbers, and the maps of labels
to scores that classifiers give. What is something else is looked at row by row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from ...column import Column
from ...rows import objects
from ...text import slices
from ...types import Type
from .answers import all_finite
from .protocols.protocol import BadAnswer

_STORED: Mapping[str, tuple[Type, Any]] = {
    "f": (Type.FLOAT, np.float64),
    "b": (Type.BIT, np.bool_),
    "i": (Type.BIGINT, np.int64),
    "u": (Type.BIGINT, np.int64),
}


def column_of(
    outputs: Sequence[Sequence[Any]], sizes: Sequence[int], names: Sequence[str], returns: Type
) -> Column | None:
    """Return the outputs for batches of so many rows as one column of this type, a record where
    there are several; None where they are to be looked at row by row."""
    columns = []
    for each, name in zip(zip(*outputs, strict=True), names, strict=True):
        try:
            for output, size in zip(each, sizes, strict=True):
                check_length(output, size, name)
            column = _column(joined(each))
        except (BadAnswer, ValueError):  # or the batches are of different shapes
            return None
        if column is None:
            return None
        columns.append(column)
    if len(columns) == 1:
        found = columns[0]
    else:
        texts = [column.to_json() for column in columns]
        found = Column(Type.RECORD, objects(names, texts, len(texts[0])))
    if returns is Type.FLOAT and found.type is Type.BIGINT:
        return Column(returns, found.values.cast(pa.float64(), safe=False))
    return found if returns in (Type.ANY, found.type) else None


def check_length(output: Any, count: int, name: str) -> None:
    """Raise BadAnswer when an output has not one value, or part, for each row."""
    if isinstance(output, list):
        if len(output) != count:
            raise BadAnswer(f"an output {name!r} with {len(output):,} values for {count:,} rows")
        return
    shape = output.shape if isinstance(output, np.ndarray) else np.shape(output)
    if not shape or shape[0] != count:
        raise BadAnswer(f"an output {name!r} of shape {list(shape)} for {count:,} rows")


def joined(outputs: Sequence[Any]) -> Any:
    """Return the values of one output for batches that follow each other."""
    if len(outputs) == 1:
        return outputs[0]
    if isinstance(outputs[0], list):
        return [value for output in outputs for value in output]
    return np.concatenate(outputs)


def _column(output: Any) -> Column | None:
    if isinstance(output, list):
        return _maps(output)
    values: NDArray[Any] = np.asarray(output)
    if math.prod(values.shape[1:]) == 1:
        values = values.reshape(len(values))
    if values.dtype.kind == "O" and values.ndim == 1:
        texts = values.tolist()
        same = all(type(text) is str for text in texts)
        return Column(Type.TEXT, pa.array(texts, pa.string())) if same else None
    if values.dtype.kind not in _STORED:
        return None
    if values.dtype == np.uint64 and values.size and int(values.max()) >= 2**63:
        return None
    kind, stored = _STORED[values.dtype.kind]
    values = values.astype(stored)
    if kind is Type.FLOAT and not all_finite(values):
        return None
    if values.ndim == 1:
        return Column(kind, pa.array(values))
    return _vectors(values) if values.ndim == 2 and values.size else None


def _vectors(values: NDArray[Any]) -> Column:
    data = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    return Column(Type.ARRAY, _cut(data, b"]"))


def _maps(maps: list[Any]) -> Column | None:
    """Return maps of labels to finite floats as records."""
    if not all(isinstance(one, dict) and set(map(type, one.values())) == {float} for one in maps):
        return None
    if not all(math.isfinite(value) for one in maps for value in one.values()):
        return None
    data = orjson.dumps(maps, option=orjson.OPT_NON_STR_KEYS)
    # a label may be a text with such a sign in it
    return Column(Type.RECORD, _cut(data, b"}")) if data.count(b"}") == len(maps) else None


def _cut(data: bytes, end: bytes) -> pa.StringArray:
    """Return the texts of the values in a JSON list, each of which ends with this sign."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8)[:-1] == end[0]) + 1
    starts = np.concatenate(([1], ends[:-1] + 1))
    return slices(pa.py_buffer(data), starts, ends)


def rows_of(output: Any, count: int, name: str) -> list[Any]:
    """Return an output's value for each row: scalars where a row has one, else lists or dicts.

    Raises BadAnswer.
    """
    check_length(output, count, name)
    if isinstance(output, list):  # of a sequence of maps, as classifiers give probabilities
        return [_plain(one) for one in output]
    values: Any = np.asarray(output)
    if values.dtype == np.float16 or values.dtype.kind == "V":
        values = values.astype(np.float32)
    if math.prod(values.shape[1:]) == 1:
        values = values.reshape(count)
    return list(values.tolist())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value
