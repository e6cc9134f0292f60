"""One file that grows: its new events, whenever there are some, and where to go on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from typing import Any, BinaryIO

from ..formats.catalog import Format
from ..formats.compression import Compression, Decompressor
from ..formats.decoded import Decoded, Decoder
from .contract import last_event, shifted
from .heads import HEAD_BYTES, has_head, head_of

_MAGIC = b"PAR1"


class Tail:
    """What was read of a file, and how to read on.

    It may be opened and closed any number of times. What it keeps between is `entry`, plain values
    from which another one can go on.

    Attributes:
        path: where the file is now; it may be renamed.
        key: its device and inode.
        events: how many events were read of it.
        offset: how many of its bytes were read.
        quiet: how often it was looked at since it last grew.
        stamp: when it was last changed, as far as it was read.
        lost: it is damaged, and what follows is left out.
    """

    def __init__(self, path: str, key: tuple[int, int], layout: Format) -> None:
        self.path = path
        self.key = key
        self.events = 0
        self.offset = 0
        self.quiet = 0
        self.stamp = 0
        self.lost = False
        self._sure = 0
        self._layout = layout
        self._place: Mapping[str, Any] = {"bytes": 0}
        self._head = ""
        self._skip = 0
        self._local = 0
        self._file: FileIO | None = None
        self._decoder: Decoder | None = None
        self._unpacker = Decompressor(Compression.NONE)

    @classmethod
    def of_entry(cls, path: str, entry: Mapping[str, Any], layout: Format) -> Tail:
        """Return the tail that had this entry."""
        tail = cls(path, (0, int(entry["inode"])), layout)
        tail.events, tail.offset, tail._head = entry["events"], entry["size"], entry["head"]
        tail._sure, tail.lost = tail.offset, entry.get("lost", False)
        tail._place = entry.get("place") or {"bytes": 0}
        tail._skip = 0 if tail._place["bytes"] else tail.events
        return tail

    @property
    def entry(self) -> dict[str, Any]:
        """What another one needs to go on, in values that fit into JSON."""
        found: dict[str, Any] = {"inode": self.key[1], "events": self.events, "head": self._head}
        if self._place["bytes"]:
            return found | {"size": self._place["bytes"], "place": dict(self._place)}
        if self.lost:
            found["lost"] = True
        return found | {"size": self._sure}

    @property
    def unfinished(self) -> bool:
        """Whether the file ends, for now, in the middle of an event that its end would complete."""
        if self._decoder is None or not self._unpacker.whole:
            return False
        place = self._decoder.place()
        return place is not None and place["bytes"] < self._unpacker.given

    def open(self) -> None:
        """Open the file, unless it is open. Raises OSError, also when it is another by now."""
        if self._file is None:
            file = FileIO(self.path)
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != self.key:
                file.close()
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
            self._file = file

    def is_same(self) -> bool:
        """Tell whether the open file still begins with what was read, and is no shorter."""
        assert self._file is not None
        if self.size < self.offset:
            return False
        return not self._head or has_head(self._file.fileno(), self._head)

    def moved(self, path: str, key: tuple[int, int]) -> bool:
        """Take the file at `path` for the one whose entry this is, if it is the same."""
        before = self.path, self.key
        self.path, self.key = path, key
        try:
            self.open()
            if self.is_same():
                return True
        except OSError:
            pass
        self.close()
        self.path, self.key = before
        return False

    @property
    def size(self) -> int:
        """How many bytes the open file has by now."""
        assert self._file is not None
        return os.fstat(self._file.fileno()).st_size

    def grown(self, until: int, first: int) -> Iterator[list[Decoded]]:
        """Yield the events of each block up to byte `until`; the first will be event `first`.

        Raises InputError where the file is damaged, OSError where it cannot be read.
        """
        assert self._file is not None
        if self.lost:
            self.offset = self._sure = until
            return
        if self._layout.whole_file:
            yield from self._whole(until, first)
            return
        decoder = self._ready()
        while self.offset < until:
            self._file.seek(self.offset)
            data = self._file.read(min(self._layout.block_bytes, until - self.offset))
            if not data:
                return
            self.offset += len(data)
            for block in self._unpacker.feed(data):
                found = self._taken(decoder.feed(block), first)
                self._note()
                first += sum(len(f) + len(f.bad) for f in found)
                yield found
            self._sure = self.offset

    def ended(self, first: int) -> list[Decoded]:
        """Return what is an event if the file ends here. Raises InputError where it is cut off."""
        decoder, found = self._decoder, []
        if decoder is not None:
            for block in self._unpacker.finish():
                found += decoder.feed(block)
            found = self._taken([*found, *decoder.finish()], first)
            self._note()
            self._forget()
        return found

    def close(self) -> None:
        """Close the file; what is read of it later is found by the entry."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._decoder is not None:
            self._forget()

    def _ready(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._layout.decoder()
            self._unpacker = Decompressor(self._layout.compression or Compression.NONE)
            self._local = 0
            self.offset = self._place["bytes"]
            if self.offset:
                self._decoder.resume(self._place)
                self._unpacker.given = self.offset
        return self._decoder

    def _forget(self) -> None:
        """Drop the decoder: the next one goes on at the place, or skips what was read."""
        self._decoder = None
        if self._place["bytes"]:
            self.offset = self._place["bytes"]
            self._skip = 0
        else:
            self._skip = self.events

    def _note(self) -> None:
        """Remember where another decoder can go on."""
        assert self._file is not None
        assert self._decoder is not None
        place = None
        if self._unpacker.kind is Compression.NONE:
            place = self._decoder.place()
        self._place = place or {"bytes": 0}
        sure = self._place["bytes"] or self.offset
        if int(self._head.partition(":")[0] or 0) < min(sure, HEAD_BYTES):
            self._head = head_of(self._file.fileno(), sure)

    def _taken(self, blocks: list[Decoded], first: int) -> list[Decoded]:
        """Return events with their numbers in the input, those left out that were read before."""
        base = first - 1 - max(self._local, self._skip)
        found = []
        for block in blocks:
            self._local = max(self._local, last_event(block))
            new = shifted(block, 0, self._skip)
            moved = None if new is None else shifted(new, base, 0, self.path)
            if moved is not None:
                found.append(moved)
        self.events += sum(len(f) + len(f.bad) for f in found)
        return found

    def _whole(self, until: int, first: int) -> Iterator[list[Decoded]]:
        """Yield the events of a file that is read as a whole, once its end is there."""
        from ..formats.parquet import read_file

        assert self._file is not None
        descriptor = self._file.fileno()
        if until < 12 or os.pread(descriptor, 4, until - 4) != _MAGIC:
            return
        self._local = 0
        self._head = head_of(descriptor, until)
        self._file.seek(0)
        for block in read_file(_binary(self._file)):
            found = self._taken([block], first)
            first += sum(len(f) for f in found)
            yield found
        self.offset = self._sure = until
        self._skip = self.events

    def start_over(self) -> None:
        """Take the file for a new one: read it from its start."""
        self._decoder = None
        self.events = self.offset = self._sure = self._skip = self._local = 0
        self._place, self._head, self.lost = {"bytes": 0}, "", False

    def give_up(self) -> None:
        """Leave out the rest of the file, whatever it grows by."""
        self._decoder = None
        self.lost = True
        self._place = {"bytes": 0}


def _binary(file: FileIO) -> BinaryIO:
    """Return the file under the type that readers of files ask for."""
    return file  # type: ignore[return-value]
