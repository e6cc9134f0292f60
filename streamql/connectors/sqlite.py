"""SQLite databases as outputs: `sqlite:///path?table=NAME&key=a,b`."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import unquote

import pyarrow as pa

from .. import instants
from ..errors import OutputError, UsageError
from ..types import Array, Type
from .fitting import Family, Place
from .staged import Part, missing
from .tables import DROPPED, EPOCHS, LEAVE_OUT, REMEMBERED, TableSink, Target, lost, quoted, taken
from .uri import Uri

_WAIT = 30.0
"""Seconds to wait for another writer of the database."""

_CHUNK = 65_536
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
)
_UNIQUE = re.compile(r"UNIQUE constraint failed: (.*)")


class SqliteSink(TableSink):
    """Rows into a table of a SQLite file: exactly once, in transactions."""

    types: ClassVar = {
        Type.BIGINT: "INTEGER",
        Type.FLOAT: "REAL",
        Type.NUMBER: "REAL",
        Type.BIT: "BOOLEAN",
        Type.TEXT: "TEXT",
        Type.DATETIME: "TEXT",
        Type.RECORD: "TEXT",
        Type.ARRAY: "TEXT",
        Type.ANY: "TEXT",
        Type.NULL: "TEXT",
    }

    def __init__(self, path: str, target: Target) -> None:
        super().__init__(f"table {target.table} of {path}", target)
        self._path = path
        parent = os.path.dirname(path) or "."
        if not os.path.isdir(parent):
            raise OutputError(
                f"cannot write {path}: there is no directory {parent}", hint="create it first"
            )
        with self._errors(0):
            # opened in one thread, used in another, never in two at a time
            self._database = sqlite3.connect(
                path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
        try:
            with self._errors(0):
                self._describe()
        except BaseException:
            self._disconnect()
            raise

    # -- the table ----------------------------------------------------------------------------

    def _describe(self) -> None:
        """Learn the table's columns, if it is there."""
        ask = self._database.execute
        found = ask(
            "SELECT name, type FROM sqlite_master WHERE lower(name) = lower(?) "
            "AND type IN ('table', 'view')",
            (self.target.table,),
        ).fetchone()
        if found is None:
            return
        if found[1] == "view":
            raise OutputError(f"{self.target.table} of {self._path} is a view", hint="name a table")
        self._table = quoted(found[0])
        columns = ask(f"PRAGMA table_info({self._table})").fetchall()
        single = sum(1 for column in columns if column[5]) == 1
        self.places = {}
        for _, name, declared, required, default, key in columns:
            # the column of an INTEGER PRIMARY KEY is the number of the row: NULL means the next one
            number = bool(key) and single and declared.upper() == "INTEGER"
            self.places[name.lower()] = Place(
                name,
                declared or "of any type",
                _family(declared),
                required=bool(required) or name.lower() in map(str.lower, self.target.key),
                default=default is not None or number,
            )
        unique = [frozenset(c[1] for c in columns if c[5])]
        for index in ask(f"PRAGMA index_list({self._table})").fetchall():
            if index[2] and not index[4]:
                rows = ask(f"PRAGMA index_info({quoted(index[1])})").fetchall()
                unique.append(frozenset(row[2] for row in rows))
        self._require_unique(unique)

    def _create(self, definitions: Sequence[tuple[str, str]]) -> None:
        key = {name.lower() for name in self.target.key}
        lines = [
            f"{quoted(name)} {kind}" + (" NOT NULL" if name.lower() in key else "")
            for name, kind in definitions
        ]
        if key:
            lines.append(f"PRIMARY KEY ({', '.join(map(quoted, self.target.key))})")
        with self._errors(0):
            self._database.execute(
                f"CREATE TABLE IF NOT EXISTS {quoted(self.target.table)} ({', '.join(lines)})"
            )
            self._describe()

    def _quoted_table(self) -> str:
        return quoted(self.target.table)

    # -- rows ---------------------------------------------------------------------------------

    def _encode(self, array: Array, place: Place) -> Array:
        match place.family:
            case Family.BOOLEAN:
                return array.cast(pa.int64())
            case Family.DATETIME:
                return instants.format_ticks(array)
            case _:
                return array

    def _stored(self) -> int | None:
        with self._errors(0):
            known = self._database.execute(
                "SELECT 1 FROM sqlite_master WHERE name = ?", (EPOCHS,)
            ).fetchone()
            return self._count() if known else None

    def _count(self) -> int | None:
        found = self._database.execute(
            f"SELECT rows FROM {EPOCHS} WHERE job = ?", (self.job,)
        ).fetchone()
        return None if found is None else int(found[0])

    def _store(
        self, parts: Sequence[Part], base: int, epoch: int | None
    ) -> Sequence[tuple[int, str]]:
        database, count, at = self._database, sum(map(len, parts)), base
        known: list[tuple[int, str]] = []
        refused: list[tuple[int, str]] = []
        with self._errors(count):
            database.execute("BEGIN IMMEDIATE")
            try:
                if epoch is not None:
                    database.execute(
                        f"CREATE TABLE IF NOT EXISTS {EPOCHS} (job TEXT PRIMARY KEY, "
                        "output TEXT NOT NULL, epoch INTEGER NOT NULL, rows INTEGER NOT NULL)"
                    )
                    stored = self._count() or 0
                    parts, at = list(missing(parts, base, stored)), max(base, stored)
                    known = self._refused_before(base, min(at, base + count))
                    database.execute(
                        f"INSERT OR REPLACE INTO {EPOCHS} VALUES (?, ?, ?, ?)",
                        (self.job, self.target.table, epoch, max(stored, base + count)),
                    )
                for part in parts:
                    refused += [(at + row, reason) for row, reason in self._insert(part)]
                    at += len(part)
                if refused and epoch is not None:
                    self._remember(refused, epoch)
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise
        return [*known, *refused]

    def _insert(self, part: Part) -> list[tuple[int, str]]:
        """Insert rows; return those that were left out, each with the reason."""
        statement = self._statement(part.names)
        left: list[tuple[int, str]] = []
        for start in range(0, len(part), _CHUNK):
            values = [array.slice(start, _CHUNK).to_pylist() for array in part.arrays]
            if not self.dropping:
                self._database.executemany(statement, zip(*values, strict=True))
                continue
            rows = _Given(zip(*values, strict=True))
            while start + rows.given < min(start + _CHUNK, len(part)):
                try:
                    self._database.executemany(statement, rows)
                except (sqlite3.IntegrityError, sqlite3.DataError) as error:
                    # rows before it are there, it is not; unless a trigger took back everything
                    if not self._database.in_transaction:
                        raise
                    left.append((start + rows.given - 1, self._error(error, 0).message))
        return left

    def _refused_before(self, start: int, stop: int) -> list[tuple[int, str]]:
        """Return which of some rows of the job were refused when they came before."""
        there = "SELECT 1 FROM sqlite_master WHERE name = ?"
        if stop <= start or not self._database.execute(there, (DROPPED,)).fetchone():
            return []
        return self._database.execute(
            f"SELECT row, reason FROM {DROPPED} WHERE job = ? AND row >= ? AND row < ?",
            (self.job, start, stop),
        ).fetchall()

    def _remember(self, refused: Sequence[tuple[int, str]], epoch: int) -> None:
        """Note rows that were refused, for the case that they come again."""
        ask = self._database.execute
        ask(
            f"CREATE TABLE IF NOT EXISTS {DROPPED} (job TEXT, row INTEGER, epoch INTEGER NOT NULL, "
            "reason TEXT NOT NULL, PRIMARY KEY (job, row))"
        )
        ask(f"DELETE FROM {DROPPED} WHERE job = ? AND epoch < ?", (self.job, epoch - REMEMBERED))
        self._database.executemany(
            f"INSERT INTO {DROPPED} VALUES (?, ?, ?, ?)",
            [(self.job, row, epoch, reason) for row, reason in refused],
        )

    def _text(self, part: Part, row: int) -> str:
        assert self.places is not None
        values = dict(zip(part.names, (array[row].as_py() for array in part.arrays), strict=True))
        for name, value in values.items():
            if self.places[name.lower()].family is Family.BOOLEAN and value is not None:
                values[name] = bool(value)
        return json.dumps(values, ensure_ascii=False)

    def _statement(self, names: Sequence[str]) -> str:
        listed, marks = ", ".join(map(quoted, names)), ", ".join("?" * len(names))
        statement = f"INSERT INTO {self._table} ({listed}) VALUES ({marks})"
        if not self.target.upsert:
            return statement
        return f"{statement} {self._on_conflict(names)}"

    def _disconnect(self) -> None:
        self._database.close()

    @contextmanager
    def _errors(self, count: int) -> Iterator[None]:
        """Turn errors of the database into ours; `count` rows are in the transaction."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error, count) from error

    def _error(self, error: sqlite3.Error, count: int) -> OutputError:
        # the lower byte of the code is its class
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        said = str(error)
        unique = _UNIQUE.match(said)
        if unique is not None:
            columns = [name.rpartition(".")[2] for name in unique[1].split(", ")]
            return taken(self.target.table, columns, "", count)
        hint = LEAVE_OUT if isinstance(error, sqlite3.IntegrityError) else None
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            hint = f"another process has been writing to it for {_WAIT:.0f} s"
        elif code == sqlite3.SQLITE_NOTADB:
            hint = "name another file, or remove this one"
        return OutputError(
            f"cannot write {self.name}: {said}{lost(count)}",
            hint=hint,
            retriable=code in _PASSING,
        )


class _Given:
    """Rows one after the other, and how many were given."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.given = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        row = next(self._rows)
        self.given += 1
        return row


def _family(declared: str) -> Family:
    """Return what a column takes by SQLite's own rules for the names of types."""
    name = declared.upper()
    if name.startswith("BOOL"):
        return Family.BOOLEAN
    if "INT" in name:
        return Family.WHOLE
    if any(word in name for word in ("CHAR", "CLOB", "TEXT", "JSON", "UUID")):
        return Family.TEXT
    if any(word in name for word in ("REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL")):
        return Family.FLOAT
    if "DATE" in name or "TIME" in name:
        return Family.DATETIME
    return Family.TEXT


def open_sqlite_sink(uri: Uri) -> SqliteSink:
    """Return the sink of a URI such as `sqlite:///var/rides.db?table=fares`."""
    path: Any = unquote(uri.path)
    if not path:
        raise UsageError(
            f"{uri.text!r} names no file", hint="write sqlite:///path/of/the.db?table=NAME"
        )
    return SqliteSink(path, Target.of_options(uri.options))
