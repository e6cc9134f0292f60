"""Text columns below Arrow's kernels: slices out of a buffer, JSON quoting, first bytes.

These are the primitives that make JSON columns fast: no loop over rows, and no copy that is not
the result itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .errors import DataError
from .types import DATETIME_MARK, Array

_EVENS: list[pa.Array] = [pa.array(np.arange(0, 131072, 2, dtype=np.int32))]


def _evens(count: int) -> pa.Array:
    """Return 0, 2, 4, ... as an index array (kept, because every slice needs one)."""
    known = _EVENS[0]
    if len(known) < count:  # another thread may put a shorter one back: what is sliced is our own
        known = _EVENS[0] = pa.array(np.arange(0, 2 * count, 2, dtype=np.int32))
    return known.slice(0, count)


def string_array(offsets: NDArray[np.int32], buffer: pa.Buffer) -> pa.StringArray:
    """Return the texts between each of the (rising, contiguous) offsets and the next."""
    parts = [None, pa.py_buffer(offsets), buffer]
    return pa.Array.from_buffers(pa.string(), max(offsets.size - 1, 0), parts)


def every_second(kind: pa.DataType, buffer: pa.Buffer, offsets: NDArray[np.int32]) -> pa.Array:
    """Return the texts between offsets 0 and 1, 2 and 3, ... of a contiguous array."""
    count = offsets.size // 2
    if count == 0:
        return pa.array([], kind)
    both = pa.Array.from_buffers(kind, offsets.size - 1, [None, pa.py_buffer(offsets), buffer])
    return pc.take(both, _evens(count), boundscheck=False)


def slices(buffer: pa.Buffer, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> pa.StringArray:
    """Return the texts buffer[starts[i]:ends[i]] as one string array.

    The places must rise (ends[i] <= starts[i+1]): then (start, end, start, end, ...) is itself the
    offsets of a string array over the buffer, of which every second value is wanted, and Arrow's
    take copies exactly the wanted bytes.
    """
    count = len(starts)
    if count == 0:
        return pa.array([], pa.string())
    offsets = np.empty(2 * count, np.int32)
    offsets[0::2] = starts
    offsets[1::2] = ends
    return every_second(pa.string(), buffer, offsets)


def bytes_of(texts: pa.StringArray) -> NDArray[np.uint8]:
    """Return the bytes of all values, one after the other."""
    data = texts.buffers()[2]
    if data is None:
        return np.empty(0, np.uint8)
    offsets = offsets_of(texts)
    return np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]


def offsets_of(texts: pa.StringArray) -> NDArray[np.int32]:
    """Return the len + 1 byte offsets of the values in the array's data buffer."""
    return np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]


def first_bytes(texts: pa.StringArray) -> NDArray[np.uint8]:
    """Return the first byte of each value; 0 for NULL and for the empty text."""
    if len(texts) == 0:
        return np.empty(0, np.uint8)
    offsets = offsets_of(texts)
    data = texts.buffers()[2]
    if data is None or data.size == 0:
        return np.zeros(len(texts), np.uint8)
    raw = np.frombuffer(data, np.uint8)
    firsts = raw[np.minimum(offsets[:-1], len(raw) - 1)]
    return np.where(offsets[1:] > offsets[:-1], firsts, np.uint8(0)).astype(np.uint8)


def mask_of(array: Array) -> NDArray[np.bool_]:
    """Return a boolean Arrow array as numpy, NULL as False."""
    if array.null_count:
        array = array.fill_null(False)
    return np.asarray(array.to_numpy(zero_copy_only=False), bool)


def valid(array: Array) -> NDArray[np.bool_]:
    """Return a numpy mask of the rows that are not NULL."""
    if array.null_count == 0:
        return np.ones(len(array), bool)
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), bool)


def quote(texts: pa.StringArray, prefix: str = "") -> pa.StringArray:
    """Return each text as a JSON string, `prefix` put before its first character; NULL stays."""
    data = bytes_of(texts)
    if bool(((data < 32) | (data == 34) | (data == 92)).any()):
        quoted = [
            None if t is None else orjson.dumps(prefix + t).decode() for t in texts.to_pylist()
        ]
        return pa.array(quoted, pa.string())
    return pc.binary_join_element_wise('"' + prefix, texts, '"', "")


def unquote(texts: pa.StringArray) -> pa.StringArray:
    """Return the values of JSON strings (all texts must be JSON strings or NULL)."""
    if len(texts) == 0 or texts.null_count == len(texts):
        return texts
    if bool((bytes_of(texts) == 92).any()):
        return pa.array(loads(texts), pa.string())
    if texts.null_count:
        # a NULL has an empty slice, of which no quotes can be cut
        return pc.utf8_slice_codeunits(texts, 1, -1)
    offsets = offsets_of(texts).astype(np.int64)
    return slices(texts.buffers()[2], offsets[:-1] + 1, offsets[1:] - 1)


def loads(texts: pa.StringArray) -> list[object]:
    """Return the Python values of JSON texts; NULL gives None. One parser call for all."""
    if len(texts) == 0:
        return []
    if texts.null_count:
        texts = texts.fill_null("null")
    whole = pa.array([texts.to_pylist()], pa.list_(pa.string()))
    joined = pc.binary_join(whole, ",")[0].as_py()
    result: list[object] = orjson.loads(f"[{joined}]")
    return result


def from_bytes(data: bytes, ends: NDArray[np.int64]) -> pa.StringArray:
    """Return the string array whose values lie one after the other in `data`."""
    offsets = np.empty(len(ends) + 1, np.int32)
    offsets[0] = 0
    offsets[1:] = ends
    return pa.Array.from_buffers(
        pa.string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def float_texts(values: pa.DoubleArray) -> pa.StringArray:
    """Return the shortest texts that read back as the same float, always with a fraction."""
    raw = np.asarray(values.fill_null(0.5).to_numpy(zero_copy_only=False))
    size = np.abs(raw)
    # outside of these limits Arrow writes exponents, and this is one spelling for all
    if len(raw) and bool(((size >= 1e-4) & (size < 1e10) | (size == 0)).all()):
        texts = _plain_texts(raw)
        return pc.if_else(values.is_valid(), texts, None) if values.null_count else texts
    texts = values.cast(pa.string())
    whole = np.trunc(raw) == raw
    if not whole.any():
        return texts
    plain = pc.invert(pc.match_substring_regex(texts, "[.einEIN]"))
    return pc.if_else(plain, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _plain_texts(values: NDArray[np.float64]) -> pa.StringArray:
    """Return the shortest texts of floats that need no exponent: one call writes them all."""
    data = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    marks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(","))
    bounds = np.concatenate(([0], marks, [len(data) - 1]))  # [1.5,2.0]
    return slices(pa.py_buffer(data), bounds[:-1] + 1, bounds[1:])


def unmark(texts: pa.StringArray) -> pa.StringArray:
    """Return JSON texts whose datetimes are plain strings."""
    if DATETIME_MARK.encode() not in bytes_of(texts).tobytes():
        return texts
    return pc.replace_substring(texts, DATETIME_MARK, "")


def concatenated(arrays: Sequence[Array]) -> Array:
    """Return arrays of one type one after the other. Raises DataError for too much text."""
    if len(arrays) == 1:
        return arrays[0]
    try:
        return pa.concat_arrays(arrays)
    except pa.ArrowInvalid as error:
        if "overflow" not in str(error):
            raise
        # Arrow counts the bytes of texts in 31 bits
        raise DataError(
            "more than 2 GB of text would have to be held together",
            hint="make the window shorter, or select fewer of the fields",
        ) from None
