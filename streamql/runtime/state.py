"""Snapshots as bytes: plain values as JSON, arrays as Arrow IPC. Nothing is pickled.

What operators put into a snapshot: None, bool, int, float, str, dicts with text keys, lists and
tuples (which come back as lists), numpy arrays, Arrow arrays and Columns. A snapshot is written
while its operator goes on: arrays that are changed in place must be copied into it. What takes time
to put together can be left for later: a function without arguments stands for what it returns.
"""

from __future__ import annotations

import io
import json
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from ..column import Column
from ..types import Type

_LENGTH = 8
ALIGNMENT = 64
"""Arrow arrays are read where they lie: what is before them is filled up to a multiple of this."""


class Output(Protocol):
    """Takes the bytes of a snapshot; what `write` gets may be any buffer."""

    def write(self, data: Any, /) -> int:
        """Take bytes and return how many."""


def to_bytes(state: Any) -> bytes:
    """Return a snapshot as bytes. Raises TypeError for a value that has no place in one."""
    sink = io.BytesIO()
    write_state(state, sink)
    return sink.getvalue()


def write_state(state: Any, output: Output) -> None:
    """Write a snapshot; arrays go out as they lie in memory. Raises TypeError as `to_bytes`."""
    arrays: list[pa.Array] = []
    plain = json.dumps(_plain(state, arrays), ensure_ascii=False).encode()
    plain += b" " * (-(len(plain) + _LENGTH) % ALIGNMENT)
    output.write(len(plain).to_bytes(_LENGTH, "little") + plain)
    for array in arrays:
        batch = pa.record_batch([array], names=["values"])
        with pa.ipc.new_stream(pa.PythonFile(output, "w"), batch.schema) as writer:
            writer.write_batch(batch)


def from_bytes(data: bytes | memoryview) -> Any:
    """Return the snapshot that `to_bytes` was given."""
    data = memoryview(data)
    length = int.from_bytes(data[:_LENGTH], "little")
    source = pa.BufferReader(pa.py_buffer(data[_LENGTH + length :]))
    arrays = []
    while source.tell() < source.size():
        with pa.ipc.open_stream(source) as reader:
            read = reader.read_all().column(0).combine_chunks()
            arrays.append(read)
    return _revived(json.loads(bytes(data[_LENGTH : _LENGTH + length])), arrays)


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
        case _ if callable(value):
            return _plain(value(), arrays)
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
