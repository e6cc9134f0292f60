"""What PostgreSQL says no to: its errors as ours, and the rows that it did not take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import OutputError
from .postgres_table import sql
from .tables import DROPPED, LEAVE_OUT, REMEMBERED, lost, quoted, taken

if TYPE_CHECKING:
    import psycopg

_KEY = re.compile(r"Key \((.*)\)=\((.*)\) already exists", re.DOTALL)
_FOR_EVER = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password")
"""What a refused connection says that will be refused again."""

_OF_ROWS = ("22", "23", "54", "P0001")
"""How the codes begin of errors that rows are to blame for: data, constraints, sizes, triggers."""

_LINE = re.compile(r"^COPY .*?, [^\W\d]+ (\d+)", re.MULTILINE)
"""Where COPY says which row it was at."""


def is_of_rows(error: psycopg.Error) -> bool:
    """Tell whether rows are to blame for an error."""
    return (error.sqlstate or "").startswith(_OF_ROWS)


def row_of(error: psycopg.Error) -> int | None:
    """Return at which row COPY was when it failed, if it says so."""
    line = _LINE.search(error.diag.context or "")
    return None if line is None else int(line[1]) - 1


def error_of(error: psycopg.Error, name: str, table: str, count: int) -> OutputError:
    """Return an error of the server as ours; `count` rows are in the transaction."""
    import psycopg  # noqa: PLC0415 - for jobs that have such an output

    detail = error.diag.message_detail or ""
    said = " ".join((error.diag.message_primary or str(error)).split())
    if isinstance(error, psycopg.errors.UniqueViolation):
        found = _KEY.search(detail)
        columns = found[1].split(", ") if found else ["COLUMN"]
        return taken(table, columns, found[2] if found else "", count)
    passing = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if passing and not is_of_rows(error):
        passing = not any(word in said for word in _FOR_EVER)
        hint = None if passing else "the password is given as password=env:NAME"
        if "does not exist" in said:
            hint = "the URI is postgresql://USER@HOST:PORT/DATABASE?table=NAME"
        return OutputError(
            f"cannot write {name}: {said}{lost(count)}", hint=hint, retriable=passing
        )
    # a value that only the server could refuse: COPY says in which column
    where = re.search(r"column ([^:]*)", error.diag.context or "")
    column = f" (column {where[1]})" if where else f" ({detail})" if detail else ""
    hint = LEAVE_OUT if is_of_rows(error) else None
    return OutputError(f"cannot write {name}: {said}{column}{lost(count)}", hint=hint)


def refused_before(
    cursor: psycopg.Cursor[Any], schema: str, job: str | None, start: int, stop: int
) -> list[tuple[int, str]]:
    """Return which of some rows of a job were refused when they came before."""
    table = _dropped(schema)
    if stop <= start:
        return []
    found = cursor.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    if found is None or found[0] is None:
        return []
    return cursor.execute(
        sql(f"SELECT row, reason FROM {table} WHERE job = %s AND row >= %s AND row < %s"),
        (job, start, stop),
    ).fetchall()


def remember(
    cursor: psycopg.Cursor[Any],
    schema: str,
    job: str | None,
    refused: Sequence[tuple[int, str]],
    epoch: int,
) -> None:
    """Note rows that were refused, for the case that they come again."""
    table = _dropped(schema)
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (table,))
    cursor.execute(
        sql(
            f"CREATE TABLE IF NOT EXISTS {table} (job text, row bigint, epoch bigint NOT NULL, "
            "reason text NOT NULL, PRIMARY KEY (job, row))"
        )
    )
    cursor.execute(
        sql(f"DELETE FROM {table} WHERE job = %s AND epoch < %s"), (job, epoch - REMEMBERED)
    )
    cursor.executemany(
        sql(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)"),
        [(job, row, epoch, reason) for row, reason in refused],
    )


def _dropped(schema: str) -> str:
    return f"{quoted(schema)}.{quoted(DROPPED)}"
