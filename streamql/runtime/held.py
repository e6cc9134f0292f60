"""How much an operator holds: rows, keys, and the bytes behind them.

Bytes are those of the numpy and Arrow buffers that are kept alive, each counted once and as a whole
(a slice keeps all of it), and of the Python objects around them. Of long lists and dictionaries
some entries stand for all, so that measuring takes a millisecond, whatever the rows.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np
import pyarrow as pa

_SAMPLE = 48
"""Entries of a container that are looked at; longer ones are estimated by these."""
_SHARED = range(-5, 257)
"""Integers of which there is one object each."""
_OPAQUE = (
    *("streamql.plan", "streamql.expressions", "streamql.bind", "streamql.settings"),
    *("streamql.udf.scoring", "streamql.connectors", "threading", "_thread", "asyncio"),
)
"""Modules whose objects belong to the job, not to what an operator holds."""


@dataclass(frozen=True)
class Held:
    """What an operator holds.

    Attributes:
        rows: rows, or running states, that it keeps.
        keys: values of keys, or partitions, that it knows.
        what: the objects that hold them, to be measured.
    """

    rows: int = 0
    keys: int = 0
    what: tuple[Any, ...] = ()


NOTHING = Held()


def size_of(value: Any, seen: set[int] | None = None) -> int:
    """Return the bytes that an object keeps in memory, those in `seen` (addresses) not counted.

    What it counts is added to `seen`.
    """
    return _size(value, set() if seen is None else seen)


def _size(value: Any, seen: set[int]) -> int:
    if value is None or isinstance(value, bool) or (type(value) is int and value in _SHARED):
        return 0  # the container's slot is counted
    if isinstance(value, str | bytes | int | float | np.generic):
        return sys.getsizeof(value)
    if isinstance(value, np.ndarray):
        return _array(value, seen)
    if isinstance(value, pa.Array | pa.ChunkedArray | pa.RecordBatch | pa.Table):
        return sum(_buffer(buffer, seen) for buffer in _buffers(value))
    if id(value) in seen or isinstance(value, type) or callable(value):
        return 0
    seen.add(id(value))
    if isinstance(value, Mapping):
        pairs = _sampled(value.items(), len(value))
        entries = [part for pair in pairs for part in pair]
        found = sum(map(_size, entries, repeat(seen)))  # one frame a level: values are nested
        return sys.getsizeof(value) + _scaled(found, len(entries), 2 * len(value))
    if isinstance(value, list | tuple | set | frozenset | deque):
        entries = _sampled(value, len(value))
        found = sum(map(_size, entries, repeat(seen)))
        return sys.getsizeof(value) + _scaled(found, len(entries), len(value))
    if type(value).__module__.startswith(_OPAQUE):
        return 0
    return sys.getsizeof(value) + sum(_size(part, seen) for part in _parts(value))


def _scaled(found: int, looked_at: int, count: int) -> int:
    """Return the size of `count` entries, of which some were looked at."""
    return found * count // looked_at if looked_at else 0


def _sampled(entries: Collection[Any], count: int) -> list[Any]:
    if count <= 2 * _SAMPLE:
        return list(entries)
    if isinstance(entries, list | tuple | deque):
        # neighbours often share a buffer: a run from the middle shows how many do
        middle = count // 2
        return [entries[i] for i in (*range(_SAMPLE), *range(middle, middle + _SAMPLE))]
    return list(islice(entries, 2 * _SAMPLE))


def _parts(value: Any) -> Iterator[Any]:
    """Yield what an object's attributes hold."""
    yield from getattr(value, "__dict__", {}).values()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(value, name, None)


def _array(array: np.ndarray, seen: set[int]) -> int:
    owner: Any = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    address = owner.__array_interface__["data"][0]
    if address in seen:
        return 0
    seen.add(address)
    size = int(owner.nbytes)
    if owner.dtype == object:
        sample = owner.ravel()[: 2 * _SAMPLE].tolist()
        size += _scaled(sum(map(_size, sample, repeat(seen))), len(sample), owner.size)
    return size


def _buffers(value: Any) -> Iterator[pa.Buffer]:
    if isinstance(value, pa.RecordBatch | pa.Table):
        for column in value.columns:
            yield from _buffers(column)
    elif isinstance(value, pa.ChunkedArray):
        for chunk in value.chunks:
            yield from _buffers(chunk)
    else:
        yield from (buffer for buffer in value.buffers() if buffer is not None)
        if isinstance(value, pa.DictionaryArray):
            yield from _buffers(value.dictionary)


def _buffer(buffer: pa.Buffer, seen: set[int]) -> int:
    while buffer.parent is not None:
        buffer = buffer.parent
    if buffer.address in seen:
        return 0
    seen.add(buffer.address)
    return int(buffer.size)
