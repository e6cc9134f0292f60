"""Cutting rows into groups in which every column has one type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..column import Column
from ..errors import DataError
from ..types import Type

T = TypeVar("T")
R = TypeVar("R", bound="NDArray[np.int64] | None")


def by_type(
    columns: Sequence[Column], count: int
) -> list[tuple[NDArray[np.int64], list[Column]]] | None:
    """Cut the rows into groups in which every column has one type; None if they have already."""
    if all(c.type not in (Type.ANY, Type.NUMBER) for c in columns):
        return None
    codes = np.zeros(count, np.int64)
    all_parts = []
    for column in columns:
        parts = column.parts()
        all_parts.append(parts)
        codes *= len(parts)
        for number, (rows, _) in enumerate(parts):
            codes[slice(None) if rows is None else rows] += number
    groups = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        chosen = []
        rest = int(code)
        for column, parts in zip(reversed(columns), reversed(all_parts), strict=True):
            rest, number = divmod(rest, len(parts))
            where, part = parts[number]
            if where is None:
                chosen.append(part.take(rows))
            else:
                chosen.append(part.take(np.searchsorted(where, rows)))
            if column.constant:
                chosen[-1] = replace(chosen[-1], constant=True)
        groups.append((rows, chosen[::-1]))
    return groups


def each_group(
    groups: Iterable[tuple[R, T]], work: Callable[[R, T], Column]
) -> list[tuple[NDArray[np.int64] | None, Column]]:
    """Return (rows, work(rows, group)) for each group of rows (None: all rows).

    Where groups fail, the DataError of the earliest row is raised, its row that of the whole: which
    error a user sees must not depend on the order of the types.
    """
    pieces: list[tuple[NDArray[np.int64] | None, Column]] = []
    earliest: DataError | None = None
    for rows, group in groups:
        try:
            pieces.append((rows, work(rows, group)))
        except DataError as error:
            if rows is not None and error.row is not None:
                error.row = int(rows[error.row])
            if earliest is None or (error.row or 0) < (earliest.row or 0):
                earliest = error
    if earliest is not None:
        raise earliest
    return pieces
