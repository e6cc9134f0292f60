"""Events out of one stream of bytes: a file, a pipe, standard input."""

from __future__ import annotations

import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator
from io import FileIO
from typing import BinaryIO

from ..errors import InputError
from ..formats.catalog import Format
from ..formats.compression import Compression, Decompressor
from ..formats.decoded import Decoded
from .contract import Position, Reader, last_event, shifted
from .heads import HEAD_BYTES, has_head, head_of

BLOCK_BYTES = 4 * 1024 * 1024
_AHEAD = 2
"""Blocks of a file that are decoded at the same time."""


class ByteReader(Reader):
    """Reads one stream to its end.

    Args:
        file: unbuffered: a read returns what is there, and waits only when there is nothing.
        layout: the format and the compression, settled.
        name: how messages call the stream.
        position: where to go on: behind its "bytes", which a file has that can be read from there;
            else as many events as its "events" counts are skipped.
        base: number of the last event before the stream.
        where: the file, where an input has several.
    """

    def __init__(
        self,
        file: FileIO,
        layout: Format,
        name: str,
        position: Position | None = None,
        base: int = 0,
        where: str = "",
    ) -> None:
        self.name = name
        self.events = base
        self._base = base
        self._where = where
        self._first = base
        self._file = file
        self._skip = int((position or {}).get("events", 0))
        self._head = str((position or {}).get("head", ""))
        regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        # a pipe may pause: nothing is held back
        self._decoder = None if layout.whole_file else layout.decoder(_AHEAD if regular else 0)
        self._unpacker = Decompressor(layout.compression or Compression.NONE)
        self._seeks = regular and self._decoder is not None
        if position and position.get("bytes"):
            try:
                self._resume(position)
            except InputError:
                file.close()
                raise
        self._steps = self._blocks(layout) if self._decoder is not None else _whole(file)

    def _resume(self, position: Position) -> None:
        """Go on where an earlier reader stopped. Raises InputError when the file is another."""
        size, done = os.fstat(self._file.fileno()).st_size, int(position["bytes"])
        found = f"it has {size:,}" if size < done else "it begins with others"
        if size < done or not has_head(self._file.fileno(), self._head):
            raise InputError(
                f"{self.name} is not the file it was: reading stopped after {done:,} bytes, and "
                f"{found}",
                hint="put the file back, or start again with --from-start",
            )
        self._file.seek(done)
        assert self._decoder is not None
        self._decoder.resume(position)
        self.events = self._base = self._skip
        self._skip = 0

    def read(self) -> list[Decoded] | None:
        found: list[Decoded] = []
        try:
            step = next(self._steps, None)
        except InputError as error:
            raise self._damaged(error) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"cannot read {self.name} after {self.events - self._first:,} events: {reason}"
            ) from error
        if step is None:
            self._refuse_shorter()
            return None
        for decoded in step:
            if last := last_event(decoded):
                self.events = self._base + last
            moved = shifted(decoded, self._base, self._skip, self._where)
            if moved is not None:
                found.append(moved)
        return found

    def _refuse_shorter(self) -> None:
        """Raise InputError at the end of a stream in which an earlier reader came further."""
        there = self.events - self._base
        if there < self._skip - self._base:
            raise InputError(
                f"{self.name} has {there:,} events, and is to be continued after "
                f"{self._skip - self._base:,}: it was replaced or cut off",
                hint="put it back, or --from-start reads it anew",
            )

    def position(self) -> Position:
        events = {"events": max(self.events, self._skip)}
        if not self._seeks or self._unpacker.kind is not Compression.NONE or self._decoder is None:
            return events
        place = self._decoder.place()
        if place is None or not place["bytes"]:
            return events
        if int(self._head.partition(":")[0] or 0) < min(place["bytes"], HEAD_BYTES):
            self._head = head_of(self._file.fileno(), place["bytes"])
        return {**events, **place, "head": self._head}

    def close(self) -> None:
        self._file.close()

    def _damaged(self, error: InputError) -> InputError:
        fine = self.events - self._first
        message = f"{self.name}: {error.message}"
        message += f" ({fine:,} events before that are fine)" if fine else ""
        return InputError(message, hint=error.hint, event=error.event)

    def _blocks(self, layout: Format) -> Iterator[list[Decoded]]:
        """Yield the events of each block of a stream.

        A damaged stream raises only after all whole events before the damage have been yielded; a
        record that the damage cuts is no event.
        """
        file, decoder = self._file, self._decoder
        assert decoder is not None
        while True:
            data = file.read(layout.block_bytes)
            if data is None:  # a pipe that does not block has nothing now: wait by select
                select.select([file], [], [])
                continue
            for block in self._unpacker.feed(data) if data else self._unpacker.finish():
                yield decoder.feed(block)
            if not data:
                yield decoder.finish()
                return


def _whole(file: FileIO) -> Iterator[list[Decoded]]:
    """Yield the events of a format that needs a file that can seek; a pipe is copied to one."""
    from ..formats.parquet import read_file

    if file.seekable():
        for decoded in read_file(_binary(file)):
            yield [decoded]
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy, BLOCK_BYTES)
        copy.seek(0)
        for decoded in read_file(_binary(copy)):
            yield [decoded]


def _binary(file: object) -> BinaryIO:
    """Return the file under the type that readers of files ask for."""
    return file  # type: ignore[return-value]
