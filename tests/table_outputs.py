"""Tables in databases as the tests of outputs use them: a fresh one, and its rows."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamql.column import from_values
from streamql.connectors.catalog import open_sink

MOMENT = "2024-03-05T08:15:00.1234567Z"
BIGGEST = 2**63 - 1
ROW = {
    "i": [BIGGEST, -BIGGEST - 1, None],
    "f": [1.5, 1e300, None],
    "m": [1, 2.5, None],
    "b": [True, False, None],
    "r": [{"a": [1, "x"]}, {}, None],
    "l": [[1, None], [], None],
    "x": [1, "two", {"three": 3}],
    "n": [None, None, None],
}
"""Columns of every type, by name."""


@dataclass
class Sqlite:
    """A SQLite file with a table `t`."""

    path: Path
    options: str = ""

    def open(self, options: str = "") -> Any:
        return open_sink(f"sqlite://{self.path}?table=t{options}{self.options}")

    def execute(self, *statements: str) -> None:
        database = sqlite3.connect(self.path)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()

    def rows(self, query: str = "SELECT * FROM t") -> list[tuple]:
        database = sqlite3.connect(self.path)
        try:
            return database.execute(query).fetchall()
        finally:
            database.close()


@dataclass
class Postgres:
    """A schema of a PostgreSQL server with a table `t`."""

    server: Any
    schema: str
    options: str = field(default="")

    def __post_init__(self) -> None:
        self.server.execute(
            f"DROP SCHEMA IF EXISTS {self.schema} CASCADE", f"CREATE SCHEMA {self.schema}"
        )

    def open(self, options: str = "") -> Any:
        return open_sink(f"{self.server.uri}?table={self.schema}.t{options}{self.options}")

    def execute(self, *statements: str) -> None:
        self.server.execute(f"SET search_path TO {self.schema}")
        with self.server.connect() as connection:
            connection.execute(f"SET search_path TO {self.schema}")
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str = "SELECT * FROM t") -> list[tuple]:
        with self.server.connect() as connection:
            connection.execute(f"SET search_path TO {self.schema}")
            return connection.execute(query).fetchall()


def write(sink: Any, **columns: list[Any]) -> None:
    """Write rows given by their columns."""
    sink.write(list(columns), [from_values(values) for values in columns.values()])


def fill(place: Any, options: str = "", **columns: list[Any]) -> None:
    """Write rows through a sink that is opened and closed for them."""
    sink = place.open(options)
    try:
        write(sink, **columns)
    finally:
        sink.close()
