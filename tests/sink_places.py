"""A place for rows of each kind of sink, as the contract of sinks asks for it.

A place outlives the process: `open` is what a new one does, `gone` what is left of a sink whose
process died, `rows` what a reader of the place finds. The rows of the contract have the columns n
and t.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
from adversary import Adversary, Reply
from table_outputs import Postgres, Sqlite

from streamql.connectors.catalog import open_sink
from streamql.connectors.console import ConsoleSink
from streamql.connectors.contract import AT_LEAST_ONCE, EXACTLY_ONCE
from streamql.connectors.filesink import file_in_directory
from streamql.formats.catalog import Format

MANY, FEW = "many", "few"
"""How much a place can be tried: local ones take milliseconds, a server of databases more."""


def _jsonl(data: bytes) -> list[int]:
    return [json.loads(line)["n"] for line in data.splitlines()]


def _array(data: bytes) -> list[int]:
    return [row["n"] for row in json.loads(data)]


def _csv(data: bytes) -> list[int]:
    return pyarrow.csv.read_csv(io.BytesIO(data))["n"].to_pylist()


@dataclass
class InFile:
    """A file of one format."""

    path: Path
    read: Callable[[bytes], list[int]]
    packed: bool = False
    delivery: str = EXACTLY_ONCE
    effort: str = MANY

    def open(self) -> Any:
        return open_sink(str(self.path), keep=True)

    def gone(self, sink: Any) -> None:
        sink._file.close()

    def rows(self) -> list[int]:
        data = self.path.read_bytes()
        return self.read(gzip.decompress(data) if self.packed else data)


class InDirectory(InFile):
    """A file of `--output-dir`."""

    def open(self) -> Any:
        path = file_in_directory(str(self.path.parent), "a/b")
        assert path == str(self.path)
        return open_sink(path, keep=True)


class InParts(InFile):
    """A folder of Parquet files."""

    def gone(self, sink: Any) -> None:
        if sink._part is not None:
            sink._part._file.close()

    def rows(self) -> list[int]:
        parts = sorted(self.path.glob("[!.]*"))
        return [n for part in parts for n in pyarrow.parquet.read_table(part)["n"].to_pylist()]


class OnConsole(InFile):
    """Standard output, led to a file."""

    def open(self) -> Any:
        self.descriptor = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        return ConsoleSink(Format(), self.descriptor)

    def gone(self, sink: Any) -> None:
        os.close(self.descriptor)


@dataclass
class InTable:
    """A table of a database; with `key` rows take the place of those with their number."""

    place: Any
    options: str = ""
    delivery: str = EXACTLY_ONCE
    effort: str = MANY

    def open(self) -> Any:
        return self.place.open(self.options)

    def gone(self, sink: Any) -> None:
        sink._disconnect()

    def rows(self) -> list[int]:
        return [n for (n,) in self.place.rows("SELECT n FROM t ORDER BY n")]


@dataclass
class OnServer:
    """A server that takes rows; one that `looks` at the keys of requests takes each but once."""

    server: Adversary
    looks: bool
    effort: str = MANY

    @property
    def delivery(self) -> str:
        return EXACTLY_ONCE if self.looks else AT_LEAST_ONCE

    def open(self) -> Any:
        return open_sink(self.server.url + "?max_rows=2")

    def gone(self, sink: Any) -> None:
        sink._disconnect()

    def rows(self) -> list[int]:
        bodies = [(r.headers["idempotency-key"], r.body) for r in self.server.requests]
        taken = dict(bodies).items() if self.looks else bodies
        return [row["n"] for _, body in taken for row in json.loads(body)]


FILES = {
    "json lines": ("o.jsonl", InFile, _jsonl, False),
    "json array": ("o.json?format=array", InFile, _array, False),
    "csv": ("o.csv", InFile, _csv, False),
    "packed json lines": ("o.jsonl.gz", InFile, _jsonl, True),
    "packed csv": ("o.csv.gz", InFile, _csv, True),
    "directory": ("made/a%2Fb.jsonl", InDirectory, _jsonl, False),
    "parquet": ("o.parquet", InParts, _jsonl, False),
    "console": ("o.txt", OnConsole, _jsonl, False),
}
PLACES = (*FILES, "sqlite", "sqlite by key", "postgres", "postgres by key", "server",
          "server that looks")  # fmt: skip


class Formatted(InFile):
    """A file whose format its URI names."""

    options: str = ""

    def open(self) -> Any:
        return open_sink(f"{self.path}?{self.options}", keep=True)


def make(name: str, folder: Path, request: Any) -> Any:
    """Return a new, empty place."""
    folder.mkdir(parents=True, exist_ok=True)
    if name in FILES:
        file, kind, read, packed = FILES[name]
        file, _, options = file.partition("?")
        made = (Formatted if options else kind)(folder / file, read, packed)
        if options:
            made.options = options
        if kind is OnConsole:
            made.delivery = AT_LEAST_ONCE
        return made
    options = "&key=n" if name.endswith("by key") else ""
    match name.partition(" ")[0]:
        case "sqlite":
            return InTable(Sqlite(folder / "o.db"), options, effort=FEW if options else MANY)
        case "postgres":
            server = request.getfixturevalue("postgres")
            return InTable(Postgres(server, "contract"), options, effort=FEW)
        case _:
            server = Adversary(lambda _: Reply())
            server.__enter__()
            request.addfinalizer(lambda: server.__exit__())
            return OnServer(server, name.endswith("looks"))
