"""Aggregates as the language defines them, over a plain list of rows.

A row is a dict; a column that a row lacks is NULL. NULLs count only for COUNT(*).
"""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]


def values(rows: Rows, column: str) -> list[Any]:
    """Return the values of a column that are not NULL."""
    return [row[column] for row in rows if row.get(column) is not None]


def count_rows(rows: Rows) -> int:
    """COUNT(*)."""
    return len(rows)


def count(rows: Rows, column: str) -> int:
    """COUNT(column)."""
    return len(values(rows, column))


def count_distinct(rows: Rows, column: str) -> int:
    """COUNT(DISTINCT column); 1 and 1.0 are one value."""
    found: list[Any] = []
    for value in values(rows, column):
        if value not in found:
            found.append(value)
    return len(found)


def total(rows: Rows, column: str) -> Any:
    """SUM(column)."""
    found = values(rows, column)
    return sum(found) if found else None


def least(rows: Rows, column: str) -> Any:
    """MIN(column)."""
    return min(values(rows, column), default=None)


def greatest(rows: Rows, column: str) -> Any:
    """MAX(column)."""
    return max(values(rows, column), default=None)


def mean(rows: Rows, column: str) -> float | None:
    """AVG(column), always a float."""
    found = values(rows, column)
    return sum(found) / len(found) if found else None


def collect(rows: Rows, column: str) -> list[Any]:
    """Collect(column): all values, in no particular order; so sorted here."""
    return sorted(values(rows, column))


BY_NAME = {
    "COUNT": count,
    "SUM": total,
    "MIN": least,
    "MAX": greatest,
    "AVG": mean,
}
