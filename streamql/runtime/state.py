"""Snapshots as bytes: plain values as JSON, arrays as Arrow IPC. Nothing is pickled.

What operators put into a snapshot: None, bool, int, float, str, dicts with text keys, lists and
tuples (which come back as lists), numpy arrays, Arrow arrays and Columns.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa

from ..column import Column
from ..types import Type

_LENGTH = 8


def to_bytes(state: Any) -> bytes:
    """Return a snapshot as bytes. Raises TypeError for a value that has no place in one."""
    arrays: list[pa.Array] = []
    plain = json.dumps(_plain(state, arrays), ensure_ascii=False).encode()
    sink = io.BytesIO()
    sink.write(len(plain).to_bytes(_LENGTH, "little"))
    sink.write(plain)
    for array in arrays:
        batch = pa.record_batch([array], names=["values"])
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
    return sink.getvalue()


def from_bytes(data: bytes) -> Any:
    """Return the snapshot that `to_bytes` was given."""
    length = int.from_bytes(data[:_LENGTH], "little")
    source = pa.BufferReader(pa.py_buffer(data[_LENGTH + length :]))
    arrays = []
    while source.tell() < source.size():
        with pa.ipc.open_stream(source) as reader:
            read = reader.read_all().column(0).combine_chunks()
            arrays.append(read)
    return _revived(json.loads(data[_LENGTH : _LENGTH + length]), arrays)


def _plain(value: Any, arrays: list[pa.Array]) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.ndarray():
            arrays.append(pa.array(value))
            return {"$": "numpy", "at": len(arrays) - 1, "dtype": value.dtype.str}
        case Column():
            whole = None if value.integers is None else _plain(value.integers, arrays)
            values = _plain(value.values, arrays)
            return {"$": "column", "type": value.type.value, "values": values, "integers": whole}
        case pa.Array():
            arrays.append(value)
            return {"$": "arrow", "at": len(arrays) - 1}
        case dict():
            return {"$": "dict", "items": {k: _plain(v, arrays) for k, v in value.items()}}
        case list() | tuple():
            return [_plain(v, arrays) for v in value]
        case np.generic():
            return value.item()
        case _:
            raise TypeError(f"a snapshot cannot hold {type(value).__name__}")


def _revived(value: Any, arrays: list[pa.Array]) -> Any:
    match value:
        case list():
            return [_revived(v, arrays) for v in value]
        case {"$": "numpy", "at": at, "dtype": dtype}:
            return arrays[at].to_numpy(zero_copy_only=False).astype(np.dtype(dtype), copy=True)
        case {"$": "arrow", "at": at}:
            return arrays[at]
        case {"$": "column", "type": kind, "values": values, "integers": integers}:
            whole = None if integers is None else _revived(integers, arrays)
            return Column(Type(kind), _revived(values, arrays), whole)
        case {"$": "dict", "items": items}:
            return {k: _revived(v, arrays) for k, v in items.items()}
        case _:
            return value
