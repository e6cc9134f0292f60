"""Parquet in jobs with checkpoints: a folder of parts, one for each checkpoint that brought rows.

A parquet file has its index at its end and cannot be continued. `out.parquet` becomes a folder with
`part-000001.parquet` and so on, which all that reads parquet takes as one table. A part is written
under a name that begins with a dot, which readers leave out, and gets its own name on commit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

import pyarrow as pa

from ..column import Column
from ..errors import OutputError
from ..formats.catalog import Format
from .contract import EXACTLY_ONCE, Sink, SinkState
from .filesink import FileSink


class PartsSink(Sink):
    """Writes rows into parts of a folder; nothing can be seen before it is committed."""

    delivery = EXACTLY_ONCE

    def __init__(self, path: str, layout: Format) -> None:
        self.name = path
        self._folder = Path(path)
        self._layout = layout
        self._number = 0
        self._part: FileSink | None = None

    def resume(self, state: SinkState | None) -> None:
        try:
            if state is None and self._folder.is_file():
                self._folder.unlink()
            self._folder.mkdir(parents=True, exist_ok=True)
            if state is not None:
                self.rows, self._number = int(state["rows"]), int(state["number"])
                self._show(self._number)
            for found in self._folder.glob("*part-*.parquet"):
                if found.name.startswith(".") or found.name > _named(self._number):
                    found.unlink()
        except OSError as error:
            raise self._failed(error) from error

    def write(self, names: Sequence[str], columns: Sequence[Column]) -> None:
        if columns and len(columns[0]):
            self._open().write(names, columns)
            self.rows += len(columns[0])

    def write_records(self, texts: pa.StringArray) -> None:
        if len(texts):
            self._open().write_records(texts)
            self.rows += len(texts)

    def prepare(self, epoch: int) -> SinkState:
        if self._part is not None:
            part, self._part = self._part, None
            part.close()
            try:
                with self._hidden(self._number).open("rb") as file:
                    os.fsync(file.fileno())
            except OSError as error:
                raise self._failed(error) from error
        return {"number": self._number, "rows": self.rows}

    def commit(self, epoch: int) -> None:
        try:
            for found in sorted(self._folder.glob(".part-*.parquet")):
                number = int(found.stem.rpartition("-")[2])
                if self._part is None or number < self._number:
                    self._show(number)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        if self._part is not None:  # rows that no checkpoint has
            self._part.close()
            self._hidden(self._number).unlink(missing_ok=True)

    def _open(self) -> FileSink:
        if self._part is None:
            self._number += 1
            try:
                file = FileIO(str(self._hidden(self._number)), "wb")
            except OSError as error:
                raise self._failed(error) from error
            self._part = FileSink(self.name, self._layout, file)
        return self._part

    def _hidden(self, number: int) -> Path:
        return self._folder / f".{_named(number)}"

    def _show(self, number: int) -> None:
        """Give a part its name, unless it has it."""
        if self._hidden(number).exists():
            self._hidden(number).rename(self._folder / _named(number))
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _failed(self, error: OSError) -> OutputError:
        reason = (error.strerror or str(error)).lower()
        return OutputError(
            f"cannot write {self.name}: {reason}; {self.rows:,} rows were written before"
        )


def _named(number: int) -> str:
    return f"part-{number:06}.parquet"
