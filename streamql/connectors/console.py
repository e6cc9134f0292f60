"""Standard input and output (`-`)."""

from __future__ import annotations

from io import FileIO

from ..formats.catalog import Format
from .bytestream import ByteReader
from .contract import ALL, Position, Reader, Source
from .file import is_regular
from .filesink import ClosedPipe, FileSink

__all__ = ["ClosedPipe", "ConsoleSink", "ConsoleSource"]


class ConsoleSource(Source):
    """Standard input. It is read once: a restart cannot go back in it."""

    name = "standard input"

    def __init__(self, layout: Format, descriptor: int = 0) -> None:
        self._format = layout.of_file("")
        self._descriptor = descriptor
        self.live = not is_regular(descriptor)

    def open(self, partition: str = ALL, position: Position | None = None) -> Reader:
        """Open standard input; a position skips as many events as it counts."""
        file = FileIO(self._descriptor, "rb", closefd=False)
        return ByteReader(file, self._format, self.name, position)


class ConsoleSink(FileSink):
    """Standard output. A reader that has gone raises `ClosedPipe`."""

    def __init__(self, layout: Format, descriptor: int = 1) -> None:
        file = FileIO(descriptor, "wb", closefd=False)
        super().__init__("standard output", layout.of_file(""), file, own=False)
