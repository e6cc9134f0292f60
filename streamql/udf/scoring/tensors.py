"""Rows as tensors and back: what the open inference protocol and ONNX take and give.

A tensor has a name, a datatype (the names of the open inference protocol: FP32, INT64, BYTES, ...)
and a shape whose first dimension counts rows; -1 is any length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from .protocols.protocol import BadAnswer, BadRow
from .schemas import Schema

INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
FLOATS = frozenset({"FP16", "FP32", "FP64", "BF16"})


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def schema(self) -> Schema:
        """The JSON Schema of one row's part of it; empty when it is not known.

        One value per row is a scalar, whether the shape is [n] or [n, 1].
        """
        made: Schema
        if self.datatype in INTEGERS:
            made = {"type": "integer"}
        elif self.datatype in FLOATS:
            made = {"type": "number"}
        elif self.datatype in ("BOOL", "BYTES"):
            made = {"type": "boolean" if self.datatype == "BOOL" else "string"}
        else:
            return {}
        inner = self.shape[1:]
        if inner == (-1,):
            return {}  # one value or many
        if math.prod(inner) == 1:
            return made
        for length in reversed(inner):
            made = {"type": "array", "items": made}
            if length >= 0:
                made |= {"minItems": length, "maxItems": length}
        return made


def schema_of(tensors: Sequence[Tensor]) -> Schema | None:
    """Return the JSON Schema of a row of several tensors: a record, or the one tensor's."""
    if len(tensors) == 1:
        return tensors[0].schema or None
    if not tensors:
        return None
    return {
        "type": "object",
        "properties": {tensor.name: tensor.schema for tensor in tensors},
        "required": [tensor.name for tensor in tensors],
    }


@dataclass(frozen=True)
class Packed:
    """A tensor with its values, row after row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


def pack(rows: list[Any], tensors: Sequence[Tensor], name: str) -> list[Packed]:
    """Return the tensors of some rows.

    Args:
        rows: parsed rows: records, arrays or scalars.
        tensors: the model's inputs. Without any, records give a tensor per column and other rows
            one tensor, of type FP64, BOOL or BYTES: the type does not depend on which rows meet.
        name: the name of that one tensor.

    A record gives each input by its name, or a single input all its values in their order; an
    array gives its elements to several inputs in their order. Raises BadRow.
    """
    if not rows:
        return [Packed(t.name, t.datatype, (0, *t.shape[1:]), []) for t in tensors]
    records = isinstance(rows[0], dict)
    if any(isinstance(row, dict) is not records for row in rows):
        raise BadRow("records and other values in one request")
    if len(tensors) == 1:
        only = tensors[0]
        if records and not all(row.keys() == {only.name} for row in rows):
            return [_pack([list(row.values()) for row in rows], only)]
        return [_pack([row[only.name] for row in rows] if records else rows, only)]
    if not tensors and not records:
        return [_pack(rows, Tensor(name, "", ()))]
    if records:
        keys = [tensor.name for tensor in tensors] or list(rows[0])
        tensors = tensors or [Tensor(key, "", ()) for key in keys]
        columns = _by_name(rows, keys)
    else:
        columns = _in_order(rows, tensors)
    return [_pack(column, tensor) for column, tensor in zip(columns, tensors, strict=True)]


def _by_name(rows: list[dict[str, Any]], keys: Sequence[str]) -> list[list[Any]]:
    """Return the values of each input that records have. Raises BadRow."""
    for row in rows:
        if missing := [key for key in keys if key not in row]:
            raise BadRow(f"the row has no {missing[0]!r}, which is an input of the model")
    return [[row[key] for row in rows] for key in keys]


def _in_order(rows: list[Any], tensors: Sequence[Tensor]) -> list[list[Any]]:
    """Return the values of each input that arrays have at its place. Raises BadRow."""
    for row in rows:
        if not isinstance(row, list) or len(row) != len(tensors):
            names = ", ".join(tensor.name for tensor in tensors)
            raise BadRow(f"the model has {len(tensors)} inputs ({names}), the row other ones")
    return [[row[at] for row in rows] for at in range(len(tensors))]


def _pack(values: list[Any], tensor: Tensor) -> Packed:
    inner: tuple[int, ...] = ()
    count = len(values)
    while values and isinstance(values[0], list):
        length = len(values[0])
        if any(not isinstance(v, list) or len(v) != length for v in values):
            raise BadRow(f"arrays of different lengths for the model's input {tensor.name!r}")
        inner += (length,)
        values = list(chain.from_iterable(values))
    shape = (count, *_fitting(inner, tensor))
    kinds = set(map(type, values))
    datatype = tensor.datatype or _datatype(kinds)
    return Packed(tensor.name, datatype, shape, _checked(values, kinds, datatype, tensor.name))


def _fitting(inner: tuple[int, ...], tensor: Tensor) -> tuple[int, ...]:
    """Return the dimensions of one row as the model wants them. Raises BadRow."""
    wanted = tensor.shape[1:]
    if not tensor.shape:
        return inner or (1,)
    free = len(inner) == len(wanted) and all(
        w in (-1, have) for w, have in zip(wanted, inner, strict=True)
    )
    if free:
        return inner
    if math.prod(inner) == 1 and all(w in (-1, 1) for w in wanted):
        return (1,) * len(wanted)
    have, want = list(inner) or "one value", list(wanted) or "one value"
    raise BadRow(f"a row of shape {have} for the model's input {tensor.name!r}, which takes {want}")


def _datatype(kinds: set[type]) -> str:
    if kinds <= {int, float}:
        return "FP64"
    return {frozenset({bool}): "BOOL", frozenset({str}): "BYTES"}.get(frozenset(kinds), "mixed")


def _checked(values: list[Any], kinds: set[type], datatype: str, name: str) -> list[Any]:
    allowed: set[type]
    if datatype in INTEGERS:
        if float in kinds and all(v.is_integer() for v in values if type(v) is float):
            values = [int(v) if type(v) is float else v for v in values]
            kinds = set(map(type, values))
        allowed = {int}
    elif datatype in FLOATS:
        allowed = {int, float}
    elif datatype == "mixed":
        allowed = {type(values[0])} if values and values[0] is not None else set()
    else:
        scalar: dict[str, set[type]] = {"BOOL": {bool}, "BYTES": {str}}
        allowed = scalar.get(datatype, kinds)
    if kinds <= allowed:
        return values
    wrong = next(v for v in values if type(v) not in allowed)
    shown = "null" if wrong is None else repr(wrong)[:80]
    wants = "values of one type" if datatype == "mixed" else datatype
    raise BadRow(f"{shown} for the model's input {name!r}, which takes {wants}")


def unpack(shape: Sequence[int], data: list[Any], name: str) -> list[Any]:
    """Return one value per row: a scalar where a row has one value, else (nested) lists.

    Raises BadAnswer when the number of values is not that of the shape.
    """
    values = data
    while values and isinstance(values[0], list):  # nested data is allowed as well
        if not all(isinstance(v, list) for v in values):
            raise BadAnswer(f"an output {name!r} with values and lists mixed")
        values = list(chain.from_iterable(values))
    if len(values) != math.prod(shape):
        raise BadAnswer(f"an output {name!r} of shape {list(shape)} with {len(values):,} values")
    inner = shape[1:]
    if math.prod(inner) == 1:
        return values
    for length in reversed(inner):
        if length == 0:
            return [[] for _ in range(shape[0])]
        values = [values[at : at + length] for at in range(0, len(values), length)]
    return values
