"""Values of the calling program as inputs.

An input may be a list of dicts, an Arrow table or batch, anything with the Arrow stream protocol
(a pandas or polars frame), an iterator of dicts or of tables, or an async iterator of these. Large
things are taken in chunks, and an iterator is never taken ahead of the job by more than a chunk.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ..column import Column, from_values
from ..errors import InputError, UsageError
from ..formats.cells import finite
from ..formats.decoded import SAMPLE_BYTES, BadEvent, Decoded, numbered
from ..formats.table import rows_from_arrow
from ..python_values import dump
from ..rows import ColumnRows, RecordRows, Rows
from ..types import Type
from .contract import ALL, Position, Reader, Source, last_event, shifted
from .pump import AsyncPump, Pump

CHUNK_ROWS = 65_536
_FITTING = "a list of dicts, an Arrow table, a pandas frame, or an iterator of these"


class MemorySource(Source):
    """Values of the calling program. Lists and tables can be read again, iterators only once."""

    def __init__(self, data: object, name: str = "registered data") -> None:
        self.name = name
        self._data = data
        if isinstance(data, (str, bytes, Mapping)) or not (
            _is_arrow(data) or isinstance(data, (Iterable, AsyncIterable))
        ):
            raise UsageError(
                f"{name} is a {type(data).__name__}, which holds no events", hint=f"give {_FITTING}"
            )

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        return _MemoryReader(self._data, self.name, int((position or {}).get("events", 0)))


def _is_arrow(data: object) -> bool:
    return hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")


class _MemoryReader(Reader):
    """Reads values chunk by chunk."""

    def __init__(self, data: object, name: str, skip: int) -> None:
        self._name = name
        self._skip = skip
        self._events = 0
        self._pump: Pump | AsyncPump | None = None
        self._chunks = self._chunked(data)

    def read(self) -> list[Decoded] | None:
        try:
            chunk = next(self._chunks, None)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{self._name} failed after {self._events:,} events: "
                f"{type(error).__name__}: {error}"
            ) from error
        if chunk is None:
            return None
        found = []
        for decoded in _decode(chunk, self._events + 1):
            self._events = last_event(decoded)
            moved = shifted(decoded, 0, self._skip)
            if moved is not None:
                found.append(moved)
        return found

    def position(self) -> Position:
        return {"events": max(self._events, self._skip)}

    def close(self) -> None:
        if self._pump is not None:
            self._pump.close()

    def _chunked(self, data: Any) -> Iterator[Any]:
        """Yield lists of items, or batches of a stream, which may have no end."""
        if _is_arrow(data):
            yield from _batches(data)
        elif isinstance(data, Sequence):
            for start in range(0, len(data), CHUNK_ROWS):
                yield data[start : start + CHUNK_ROWS]
        else:
            is_async = isinstance(data, AsyncIterable)
            pump = self._pump = AsyncPump(data) if is_async else Pump(data)
            yield from pump.chunks()


def _decode(chunk: Any, first: int) -> Iterator[Decoded]:
    """Yield the events of a chunk: one Arrow thing, or a list of dicts and Arrow things."""
    if _is_arrow(chunk):
        for batch in _batches(chunk):
            yield numbered(rows_from_arrow(batch), first)
            first += batch.num_rows
        return
    dicts: list[Any] = []
    for item in chunk:
        if not _is_arrow(item):
            dicts.append(item)
            continue
        if dicts:
            yield _of_dicts(dicts, first)
            first += len(dicts)
            dicts = []
        for batch in _batches(item):
            yield numbered(rows_from_arrow(batch), first)
            first += batch.num_rows
    if dicts:
        yield _of_dicts(dicts, first)


def _batches(data: Any) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of anything that speaks the Arrow protocol, none too long."""
    if isinstance(data, pa.RecordBatch):
        stream: Iterable[pa.RecordBatch] = [data]
    elif isinstance(data, pa.Table):
        stream = data.to_batches(CHUNK_ROWS)
    elif type(data).__module__.partition(".")[0] == "pandas":
        # the index of a frame is no column of it, and NaN is its way to say NULL
        stream = pa.Table.from_pandas(data, preserve_index=False).to_batches(CHUNK_ROWS)
    elif hasattr(data, "__arrow_c_stream__"):
        stream = pa.RecordBatchReader.from_stream(data)
    else:
        stream = [pa.record_batch(data)]
    for batch in stream:
        for start in range(0, batch.num_rows, CHUNK_ROWS):
            yield batch.slice(start, CHUNK_ROWS)


def _of_dicts(items: Sequence[Any], first: int) -> Decoded:
    """Return dicts as rows; an item that is no dict or holds what has no SQL type is bad."""
    try:
        return numbered(_rows(items), first)
    except (TypeError, ValueError, OverflowError, AttributeError, pa.ArrowException):
        pass
    good: list[str] = []
    numbers: list[int] = []
    bad: list[BadEvent] = []
    for number, item in enumerate(items, first):
        reason = _unfit(item)
        if reason is None:
            good.append(dump(item))
            numbers.append(number)
        else:
            bad.append(BadEvent(number, reason, repr(item).encode()[:SAMPLE_BYTES]))
    rows = RecordRows(Column(Type.RECORD, pa.array(good, pa.string())))
    return Decoded(rows, np.array(numbers, np.int64), tuple(bad))


def _rows(items: Sequence[Any]) -> Rows:
    """Return dicts as rows: columns when all have the same keys, else one record each."""
    keys = tuple(items[0])
    if isinstance(items[0], Mapping) and all(map(keys.__eq__, map(tuple, items))):
        if not all(isinstance(key, str) for key in keys):
            raise TypeError("a key that is no text")
        columns = {key: finite(from_values([item[key] for item in items])) for key in keys}
        return ColumnRows(columns, len(items))
    if not all(isinstance(item, Mapping) for item in items):
        raise TypeError("an item that is no dict")
    if not all(isinstance(key, str) for key in {key for item in items for key in item}):
        raise TypeError("a key that is no text")
    texts = [dump(dict(item)) for item in items]
    return RecordRows(Column(Type.RECORD, pa.array(texts, pa.string())))


def _unfit(item: Any) -> str | None:
    """Return why a value is no event, None if it is one."""
    if not isinstance(item, Mapping):
        return f"a {type(item).__name__} is no event (it must be a dict)"
    for key, value in item.items():
        if not isinstance(key, str):
            return f"the key {key!r} is no text"
        try:
            from_values([value])
            dump(value)
        except OverflowError:
            return f"field {key!r}: {value} does not fit into bigint"
        except (TypeError, ValueError, pa.ArrowException) as error:
            return f"field {key!r}: {error}"
    return None
