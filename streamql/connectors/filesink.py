"""Rows into one file, or any other place for bytes."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Sequence
from io import FileIO
from urllib.parse import quote

import pyarrow as pa

from ..column import Column
from ..errors import OutputError
from ..formats.catalog import Format
from ..formats.compression import Compression, GzipCompressor
from ..formats.encoder import Encoded
from ..turns import TURN
from .contract import AT_LEAST_ONCE, EXACTLY_ONCE, Sink, SinkState
from .file import is_regular

_REFUSED = frozenset('"%*/:<>?\\`|')
"""What an output's name may hold and the name of a file had better not."""


class ClosedPipe(OutputError):
    """Whoever read the output has gone (`| head -1`): a reason to end, not to complain."""


class FileSink(Sink):
    """Writes rows to a file in one format, each batch with one write call.

    In jobs with checkpoints rows can be seen as they are written; `resume` cuts off those behind
    the checkpoint. A pipe or a terminal takes nothing back.
    """

    def __init__(self, name: str, layout: Format, file: FileIO, *, own: bool = True) -> None:
        self.name = name
        self._own = own and is_regular(file.fileno())
        self.delivery = EXACTLY_ONCE if self._own else AT_LEAST_ONCE
        self._file = file
        self._encoder = layout.encoder()
        self._packer = _packer(layout.compression)
        self._broken = False

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        with TURN:
            encoded = self._encoder.columns(names, columns)
        self._put(encoded)
        self.rows += len(columns[0]) if columns else 0

    def write_records(self, texts: pa.StringArray) -> None:
        with TURN:
            encoded = self._encoder.records(texts)
        self._put(encoded)
        self.rows += len(texts)

    def flush(self) -> None:
        """Let others see what was written; formats with blocks (parquet) show whole blocks only."""
        if self._packer is not None:
            self._write(self._packer.flush())

    def resume(self, state: SinkState | None) -> None:
        if not self._own:
            return
        length = 0 if state is None else int(state["bytes"])
        try:
            there = os.fstat(self._file.fileno()).st_size
            if there < length:
                raise OutputError(
                    f"{self.name} has {there:,} bytes, and the checkpoint is of {length:,}: "
                    "it was replaced or cut off since",
                    hint="put it back, or --from-start begins anew",
                )
            self._file.truncate(length)
            self._file.seek(length)
        except OSError as error:
            raise self._failed(error) from error
        if state is not None:
            self.rows = int(state["rows"])
            self._encoder.resume(state["encoder"])

    def prepare(self, epoch: int) -> SinkState:
        self._end_member()
        if not self._own:
            return {}
        try:
            os.fsync(self._file.fileno())
            length = self._file.tell()
        except OSError as error:
            raise self._failed(error) from error
        return {"bytes": length, "rows": self.rows, "encoder": self._encoder.state()}

    def _end_member(self) -> None:
        """Complete what is packed so far: a packed file may go on with another member."""
        if self._packer is not None and not self._packer.empty:
            self._write(self._packer.end())
            self._packer = GzipCompressor()

    def close(self) -> None:
        try:
            if not self._broken:
                self._put(self._encoder.end())
                if self._packer is not None and not (self._packer.empty and self._continued()):
                    self._write(self._packer.end())
        finally:
            self._close_file()

    def _continued(self) -> bool:
        """Tell whether whole members are in the file already."""
        return self._own and self._file.tell() > 0

    def _close_file(self) -> None:
        try:
            self._file.close()
        except OSError as error:  # some file systems tell only now that the disk is full
            raise self._failed(error) from error

    def _put(self, data: Encoded) -> None:
        if len(data) == 0:
            return
        self._write(data if self._packer is None else self._packer.pack(memoryview(data)))

    def _write(self, data: Encoded) -> None:
        """Write all bytes; a pipe may take them in pieces."""
        view = memoryview(data)
        try:
            while len(view):
                written = self._file.write(view)
                if written is None:  # a pipe that does not block is full
                    select.select([], [self._file], [])
                    continue
                view = view[written:]
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> OutputError:
        self._broken = True
        if isinstance(error, BrokenPipeError):
            return ClosedPipe(f"{self.name} was closed by its reader after {self.rows:,} rows")
        hints = {
            errno.ENOSPC: "make room, or write to another place",
            errno.EDQUOT: "make room, or write to another place",
            errno.EFBIG: "write to several files, or to another file system",
        }
        return OutputError(
            f"cannot write {self.name}: {_reason(error)}; {self.rows:,} rows were written before",
            hint=hints.get(error.errno or 0),
        )


def _packer(compression: Compression | None) -> GzipCompressor | None:
    match compression:
        case None | Compression.NONE:
            return None
        case Compression.GZIP:
            return GzipCompressor()
        case other:
            raise OutputError(
                f"output cannot be packed as {other.value}", hint="gzip can be written"
            )


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def open_file_sink(path: str, layout: Format, *, keep: bool = False) -> FileSink:
    """Return a sink that writes a new file at `path`; a file that is there is replaced.

    With `keep` it stays as it is until `resume` says how much of it is still wanted.
    """
    settled = layout.of_file(path)
    _packer(settled.compression)  # refuse before the file is emptied
    try:
        file = FileIO(path, "rb+" if keep and os.path.isfile(path) else "wb")
    except IsADirectoryError as error:
        raise OutputError(
            f"cannot write {path}: it is a directory", hint="name a file in it, or use --output-dir"
        ) from error
    except FileNotFoundError as error:
        parent = os.path.dirname(path) or "."
        if os.path.isdir(parent):
            raise OutputError(f"cannot write {path}: files cannot be made there") from error
        raise OutputError(
            f"cannot write {path}: there is no directory {parent}", hint="create it first"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error
    return FileSink(path, settled, file)


def file_in_directory(directory: str, output: str) -> str:
    """Return the file of an output in the directory of `--output-dir`, which is made if need be."""
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot create {directory}: {_reason(error)}") from error
    return os.path.join(directory, file_of(output))


def file_of(output: str) -> str:
    """Return the name of an output's file in a directory; unquoted it is the output's again."""
    # an output's name may hold any character; a file's may not, nor lead out of its directory
    name = "".join(c if c.isprintable() and c not in _REFUSED else quote(c, "") for c in output)
    return ("%2E" + name[1:] if name.startswith(".") else name) + ".jsonl"
