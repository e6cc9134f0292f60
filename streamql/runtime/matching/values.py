"""What is asked of bound events: the first, last, least and greatest value, and the variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ...column import Column, combine
from ...grouping.ranges import Ranges, fold
from ...plan.pattern import Automaton, Pick
from ...types import Type
from .slots import Ints, Slots
from .walk import Found

_CLASSES = {
    Type.BIT: 0,
    Type.BIGINT: 1,
    Type.FLOAT: 1,
    Type.NUMBER: 1,
    Type.DATETIME: 2,
    Type.TEXT: 3,
    Type.RECORD: 4,
    Type.ARRAY: 5,
}
"""Values of different types in one column are put in this order."""


def picked(pick: Pick, found: Found, automaton: Automaton, slots: Slots, column: Column) -> Ints:
    """Return for each match the row whose value a pick stands for, -1 where nothing is bound.

    `column` has the kept values of the rows. Of equal values the earliest row is taken.
    """
    result = np.full(len(found.rows), -1, np.int64)
    match, starts, stops = found.match, found.starts, found.stops
    if pick.variable is not None:
        own = np.asarray(automaton.variables)[found.places] == pick.variable
        match, starts, stops = match[own], starts[own], stops[own]
    if len(match) == 0:
        return result
    heads = np.flatnonzero(np.append(True, match[1:] != match[:-1]))
    owners = match[heads]
    if pick.kind == "first":
        result[owners] = slots.order[slots.rows[starts[heads]]]
    elif pick.kind == "last":
        tails = np.append(heads[1:], len(match)) - 1
        result[owners] = slots.order[slots.rows[stops[tails] - 1]]
    else:
        ranks = _ranks(column.take(slots.order), pick.kind == "max")
        # rank and place in one number: the least has the best value, then the earliest row
        keys = ranks * len(ranks) + np.arange(len(ranks))
        (best,) = fold((keys,), Ranges(slots.rows[starts], slots.rows[stops - 1] + 1), _least)
        result[owners] = slots.order[np.minimum.reduceat(best, heads) % len(ranks)]
    return result


def _least(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    return (np.minimum(left[0], right[0]),)


def _ranks(column: Column, descending: bool) -> Ints:
    """Return numbers in the order of the values (equal values have equal ones), NULLs last."""
    kinds = [(rows, part) for rows, part in _comparable(column) if part.type is not Type.NULL]
    ranks = np.full(len(column), len(column), np.int64)
    for rows, part in kinds:
        order = "descending" if descending else "ascending"
        inner = np.asarray(pc.rank(part.values, sort_keys=order, tiebreaker="dense"), np.int64)
        known = part.valid()
        where = np.arange(len(column)) if rows is None else rows
        ranks[where[known]] = inner[known]
    if len(kinds) < 2:
        return ranks
    rise = 0
    for rows, _ in sorted(kinds, key=lambda k: _class(k[1]), reverse=descending):
        known = rows[ranks[rows] < len(column)]
        ranks[known] += rise
        rise = int(ranks[known].max(initial=rise))
    return np.where(column.valid(), ranks, rise + 1)


def _comparable(column: Column) -> list[tuple[Any, Column]]:
    """Split a column into pieces that can be sorted: numbers together, then type by type."""
    if column.type is not Type.ANY:
        return [(None, column)]
    parts = column.parts()
    numbers = [(r, p) for r, p in parts if p.type in (Type.BIGINT, Type.FLOAT)]
    if len(numbers) < 2:
        return list(parts)
    rows = np.sort(np.concatenate([r for r, _ in numbers if r is not None]))
    floats = combine(
        len(column),
        [(r, Column(Type.FLOAT, p.values.cast(pa.float64(), safe=False))) for r, p in numbers],
    )
    others = [(r, p) for r, p in parts if p.type not in (Type.BIGINT, Type.FLOAT)]
    return [(rows, floats.take(rows)), *others]


def _class(part: Column) -> int:
    return _CLASSES[part.type]


def sort_keys(column: Column) -> list[Any]:
    """Return for each value what it is compared by, in the order of `picked`; None for NULL."""
    keys: list[Any] = [None] * len(column)
    for rows, part in _comparable(column):
        if part.type is Type.NULL:
            continue
        where = range(len(column)) if rows is None else rows.tolist()
        number = _class(part)
        for i, value in zip(where, part.values.to_pylist(), strict=True):
            keys[i] = None if value is None else (number, value)
    return keys


def take_picked(column: Column, rows: Ints) -> Column:
    """Return the values of these rows; NULL for row -1."""
    known = np.flatnonzero(rows >= 0)
    if len(known) == len(rows):
        return column.take(rows)
    return combine(len(rows), [(known, column.take(rows[known]))])


def classified(found: Found, automaton: Automaton, names: Sequence[str]) -> Column:
    """Return for each match the array of its variables, one for each event."""
    quoted = [orjson.dumps(names[v]).decode() for v in automaton.variables]
    lists: list[list[str]] = [[] for _ in range(len(found.rows))]
    pieces = zip(
        found.match.tolist(),
        (found.stops - found.starts).tolist(),
        found.places.tolist(),
        strict=True,
    )
    for match, length, place in pieces:
        lists[match] += [quoted[place]] * length
    texts = ["[" + ",".join(items) + "]" for items in lists]
    return Column(Type.ARRAY, pa.array(texts, pa.string()))
