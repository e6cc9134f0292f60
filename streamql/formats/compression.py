"""Compressed streams: gzip and deflate, in blocks of bounded size, and gzip on the way out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from ..errors import InputError, UsageError, suggest

BLOCK_BYTES = 4 * 1024 * 1024
"""The most bytes one step gives, so that a small file that unpacks to much stays harmless."""

_GZIP_MAGIC = b"\x1f\x8b"
_SUFFIXES = {".gz": "gzip", ".gzip": "gzip", ".deflate": "deflate", ".zz": "deflate"}


class Compression(Enum):
    """How the bytes of a file are packed. The value is the name in `?compression=`."""

    NONE = "none"
    GZIP = "gzip"
    DEFLATE = "deflate"


def compression_named(name: str) -> Compression:
    """Return the compression a user named (ignoring case)."""
    known = [c.value for c in Compression]
    if name.lower() not in known:
        hint = suggest(name, known) or f"there are {', '.join(known)}"
        raise UsageError(f"no compression {name!r}", hint=hint)
    return Compression(name.lower())


def split_suffix(name: str) -> tuple[str, Compression]:
    """Return a file's name without its compression suffix, and the compression it tells."""
    for suffix, kind in _SUFFIXES.items():
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], Compression(kind)
    return name, Compression.NONE


@dataclass
class Decompressor:
    """Unpacks one stream. Used once, from one thread.

    With `Compression.NONE` the stream is passed on, unless it starts like gzip. A gzip stream may
    have several members; deflate may come with the zlib header or raw.

    Attributes:
        taken: compressed bytes taken so far.
        given: unpacked bytes given so far.
    """

    kind: Compression
    taken: int = 0
    given: int = 0
    _started: bool = False
    _unpacker: zlib._Decompress | None = None
    _head: bytes = field(default=b"")
    _members: int = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the unpacked bytes in blocks; `InputError` when the stream is damaged."""
        self.taken += len(data)
        if not self._started:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            self._start(data)
        if self.kind is Compression.NONE:
            if data:
                self.given += len(data)
                yield data
            return
        while data:
            if self._unpacker is None:
                # zero padding may follow the last member of a gzip stream
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._unpacker = zlib.decompressobj(31)
            try:
                block = self._unpacker.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                if not self.given and not self._members and self.taken == len(data):
                    raise InputError(
                        f"these are no {self.kind.value} data: they begin with {_shown(data)}",
                        hint="?compression=none reads them as they are",
                    ) from error
                raise InputError(
                    f"the {self.kind.value} data are damaged: after {self.taken - len(data):,} "
                    f"bytes and {self.given:,} unpacked bytes that are fine ({error})"
                ) from error
            data = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                data = self._after_member(self._unpacker.unused_data)
            if block:
                self.given += len(block)
                yield block

    @property
    def whole(self) -> bool:
        """Whether the stream may end here."""
        return self._unpacker is None

    def finish(self) -> Iterator[bytes]:
        """Yield what the end of the stream completes; `InputError` when it ends too early."""
        if not self._started and self._head:
            if self.kind is not Compression.NONE:
                raise InputError(f"one byte is no {self.kind.value} stream")
            self.given += len(self._head)
            yield self._head
        if self._unpacker is not None:
            raise InputError(
                f"the {self.kind.value} data end too early: {self.taken:,} bytes, which unpack to "
                f"{self.given:,}, are fine, the rest is missing",
                hint="the file was cut off while it was written or copied",
            )

    def _start(self, data: bytes) -> None:
        """Choose the unpacker by the first two bytes."""
        self._started = True
        if self.kind is Compression.NONE and data.startswith(_GZIP_MAGIC):
            self.kind = Compression.GZIP
        if self.kind is Compression.GZIP:
            self._unpacker = zlib.decompressobj(31)
        elif self.kind is Compression.DEFLATE:
            zlib_header = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._unpacker = zlib.decompressobj(15 if zlib_header else -15)

    def _after_member(self, rest: bytes) -> bytes:
        """Return what follows the end of a member and is to be unpacked."""
        self._members += 1
        if self.kind is Compression.DEFLATE and rest:
            raise InputError(
                f"{len(rest):,} bytes or more follow the end of the deflate data",
                hint=f"{self.given:,} unpacked bytes before them are fine",
            )
        self._unpacker = None
        return rest


def _shown(data: bytes) -> str:
    return repr(data[:16].decode("utf-8", "backslashreplace"))


class GzipCompressor:
    """Packs one output as gzip. Level 1: an output is written at the speed of the engine."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        self.empty = True

    def pack(self, data: bytes | memoryview) -> bytes:
        """Return packed bytes; some may be kept back."""
        self.empty = False
        return self._packer.compress(data)

    def flush(self) -> bytes:
        """Return what was kept back, so that a reader sees all that was written."""
        return self._packer.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return what completes the stream."""
        return self._packer.flush(zlib.Z_FINISH)
