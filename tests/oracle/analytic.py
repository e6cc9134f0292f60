"""Analytic functions as the language defines them, for one event after the other.

Events are (time, row), in order of time and then of arrival. Each function returns one result per
event. `when` tells whether a row qualifies, `partition` are column names. Durations are ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .windows import Event, Row, end_at_or_after, keyed

When = Callable[[Row], bool]


def _before(
    events: list[Event], place: int, partition: list[str], limit: int, when: When
) -> list[Row]:
    """Return what qualifies among the events up to this one that are less than `limit` old."""
    now, row = events[place]
    return [
        other
        for time, other in events[: place + 1]
        if keyed(other, partition) == keyed(row, partition) and time > now - limit and when(other)
    ]


def lag(
    events: list[Event],
    column: str,
    offset: int,
    default: Any,
    partition: list[str],
    limit: int,
    when: When,
) -> list[Any]:
    """LAG(column, offset, default); with offset 0 it is LAST(column, default)."""
    results = []
    for place, (_, row) in enumerate(events):
        known = _before(events, place, partition, limit, when)
        if offset > 0 and when(row):
            known.pop()  # the event itself is not among its predecessors
        back = max(offset, 1)
        results.append(known[-back].get(column) if len(known) >= back else default)
    return results


def is_first(events: list[Event], interval: int, partition: list[str], when: When) -> list[int]:
    """ISFIRST: 1 for the first event that qualifies of each interval; intervals are (start, end]."""
    seen: list[tuple[int, list[Any]]] = []
    results = []
    for time, row in events:
        place = (end_at_or_after(time, interval), keyed(row, partition))
        first = when(row) and place not in seen
        if first:
            seen.append(place)
        results.append(int(first))
    return results


def over(
    events: list[Event],
    aggregate: Callable[[list[Row]], Any],
    partition: list[str],
    limit: int,
    when: When,
) -> list[Any]:
    """An aggregate OVER (PARTITION BY ... LIMIT DURATION ... WHEN ...)."""
    return [
        aggregate(_before(events, place, partition, limit, when)) for place in range(len(events))
    ]
