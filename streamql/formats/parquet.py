"""Parquet: files read batch by batch, and written in row groups of some size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from ..column import Column, concat, nulls
from ..errors import InputError, InternalError, OutputError
from ..types import Array, Type
from .decoded import Decoded, numbered
from .expand import columns_of_records
from .table import array_of, rows_from_arrow

BATCH_ROWS = 65_536
GROUP_ROWS = 131_072
"""Rows are kept back until a row group has this many: small groups make large, slow files."""


def read_file(source: str | BinaryIO, batch_rows: int = BATCH_ROWS) -> Iterator[Decoded]:
    """Yield the rows of a parquet file (a path, or a file that can seek) batch by batch."""
    first = 1
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_rows):
                batch.validate(full=True)  # a text may be no UTF-8, which nobody further on expects
                yield numbered(rows_from_arrow(batch), first)
                first += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        place = f" after {first - 1:,} rows" if first > 1 else ""
        raise InputError(
            f"the parquet file cannot be read{place}: {_first_line(error)}",
            hint="it is no parquet file, or was cut off while it was written or copied",
        ) from error


def _first_line(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "a column's name is no UTF-8"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


class ParquetEncoder:
    """Parquet (an `Encoder`). The first row group decides the schema; later rows must fit it."""

    def __init__(self) -> None:
        self._file = _Collector()
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._parts: list[dict[str, Column]] = []
        self._rows = 0

    def columns(self, names: Sequence[str], columns: Sequence[Column]) -> bytes:
        if not columns or len(columns[0]) == 0:
            return b""
        self._parts.append(dict(zip(names, columns, strict=True)))
        self._rows += len(columns[0])
        if self._rows >= GROUP_ROWS:
            self._write_group()
        return self._file.take()

    def records(self, texts: pa.StringArray) -> bytes:
        return self.columns(*columns_of_records(texts))

    def end(self) -> bytes:
        if self._parts:
            self._write_group()
        if self._writer is None:  # no rows at all: a valid file without columns
            self._writer = pq.ParquetWriter(self._file, pa.schema([]))
        self._writer.close()
        return self._file.take()

    def state(self) -> dict[str, Any]:
        raise InternalError("a parquet file cannot be continued: its index is at its end")

    def resume(self, state: Mapping[str, Any]) -> None:
        raise InternalError("a parquet file cannot be continued: its index is at its end")

    def _write_group(self) -> None:
        names = list(dict.fromkeys(name for part in self._parts for name in part))
        columns = {}
        for name in names:
            pieces = [
                part[name] if name in part else nulls(len(next(iter(part.values()))))
                for part in self._parts
            ]
            columns[name] = concat(pieces).normal()
        self._parts, self._rows = [], 0
        if self._schema is None or self._writer is None:
            arrays = [_writable(columns[name]) for name in names]
            self._schema = pa.schema([(n, a.type) for n, a in zip(names, arrays, strict=True)])
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        else:
            arrays = self._fit(columns)
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def _fit(self, columns: dict[str, Column]) -> list[Array]:
        """Return arrays of the file's schema; `OutputError` for rows that do not fit it."""
        schema = self._schema or pa.schema([])
        extra = [name for name in columns if name not in schema.names]
        if extra:
            raise OutputError(
                f"column {extra[0]!r} is not in the parquet file, whose columns the first "
                f"{GROUP_ROWS:,} rows decided",
                hint="select the columns by name, or write JSON lines",
            )
        count = len(next(iter(columns.values())))
        arrays = []
        for known in schema:
            column = columns.get(known.name, nulls(count))
            try:
                if pa.types.is_string(known.type) and column.type is not Type.TEXT:
                    arrays.append(column.to_json(marked=False))
                elif pa.types.is_nested(known.type):
                    arrays.append(pa.array(column.to_pylist(), known.type))
                else:
                    arrays.append(array_of(column).cast(known.type))
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise OutputError(
                    f"column {known.name!r} is {known.type} in the parquet file, and these rows "
                    f"hold {column.type}",
                    hint="CAST the column to one type, or write JSON lines",
                ) from error
        return arrays


def _writable(column: Column) -> Array:
    """Return a column as an array that parquet can hold, NULL columns as text."""
    if column.type is Type.NULL:
        return pa.nulls(len(column), pa.string())
    array = array_of(column)
    if _has_hollow(array.type):
        return column.to_json(marked=False)
    return array


def _has_hollow(kind: pa.DataType) -> bool:
    """Tell whether a type holds a struct without fields or a value without a type."""
    if pa.types.is_null(kind) or (pa.types.is_struct(kind) and kind.num_fields == 0):
        return True
    return any(_has_hollow(kind.field(i).type) for i in range(kind.num_fields))


class _Collector:
    """A file for the parquet writer that hands its bytes on."""

    closed = False
    mode = "wb"

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self._chunks)
        self._chunks = []
        return data
