"""The fields of an input that are asked for, decoded, and the time of each event."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .. import instants
from ..column import Column
from ..expressions.nodes import TIME
from ..rows import ColumnRows, Rows
from ..text import valid
from ..types import Type


def narrowed(rows: Rows, names: tuple[str, ...], time: tuple[str, ...] | None) -> ColumnRows:
    """Return rows with these fields only, and with the column TIME if `time` is a field's path.

    Rows that have been narrowed before are not read again.
    """
    columns = {name: rows.field((name,)) for name in names}
    if time is not None:
        made = rows.columns.get(TIME) if isinstance(rows, ColumnRows) else None
        columns[TIME] = made or as_datetimes(rows.field(time))
    return ColumnRows(columns, len(rows))


def as_datetimes(column: Column) -> Column:
    """Return the instants of datetimes and ISO 8601 texts; NULL for everything else."""
    ticks, known = ticks_of(column)
    return Column(Type.DATETIME, pa.array(ticks, mask=None if known.all() else ~known))


def ticks_of(column: Column) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the ticks of datetimes and ISO 8601 texts, and which values are such."""
    ticks = np.zeros(len(column), np.int64)
    known = np.zeros(len(column), bool)
    for rows, part in column.parts():
        values = part.values
        if part.type is Type.TEXT:
            values = instants.parse(values)
        elif part.type is not Type.DATETIME:
            continue
        where = slice(None) if rows is None else rows
        ticks[where] = values.fill_null(0).to_numpy(zero_copy_only=False)
        known[where] = valid(values)
    return ticks, known
