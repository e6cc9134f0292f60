"""The windows of GROUP BY as the language defines them, one window at a time.

Times and durations are ticks of 100 ns since 1970. An event is (time, row). Each function returns
the windows that hold events: (end, rows). Windows are (start, end].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Event = tuple[int, Row]
Windows = list[tuple[int, list[Row]]]

YEAR_ONE = -621_355_968_000_000_000
"""0001-01-01T00:00:00Z: windows end at the multiples of the hop since then."""


def in_order(events: list[Event]) -> list[Event]:
    """Return events in order of time; those of one time stay in order of arrival."""
    return sorted(events, key=lambda event: event[0])


def end_at_or_after(time: int, hop: int, offset: int = 0) -> int:
    """Return the first multiple of `hop`, moved by `offset`, that is not before `time`."""
    since = time - YEAR_ONE - offset
    number = since // hop
    if number * hop < since:
        number += 1
    return number * hop + YEAR_ONE + offset


def hopping(events: list[Event], size: int, hop: int, offset: int = 0) -> Windows:
    """Hopping and (with `hop` equal to `size`) tumbling windows."""
    ends = set()
    for time, _ in events:
        end = end_at_or_after(time, hop, offset)
        while end - size < time:
            ends.add(end)
            end += hop
    return [
        (end, [row for time, row in in_order(events) if end - size < time <= end])
        for end in sorted(ends)
    ]


def sliding(events: list[Event], size: int) -> Windows:
    """A window ends whenever an event enters or leaves; empty ones give nothing."""
    instants = {time for time, _ in events} | {time + size for time, _ in events}
    found = [
        (end, [row for time, row in in_order(events) if end - size < time <= end])
        for end in sorted(instants)
    ]
    return [(end, rows) for end, rows in found if rows]


def session(events: list[Event], timeout: int, maximum: int) -> Windows:
    """A session ends `timeout` after its last event, or when it is found to be too old.

    Its age is looked at at the multiples of `maximum`. An event exactly there is still part of it.
    """
    found: Windows = []
    waiting = in_order(events)
    while waiting:
        first = waiting[0][0]
        cut = first
        while True:
            cut = end_at_or_after(cut, maximum)
            if cut - first >= maximum:
                break
            cut += 1
        last = first
        rows = []
        while waiting and waiting[0][0] - last <= timeout and waiting[0][0] <= cut:
            last, row = waiting.pop(0)
            rows.append(row)
        found.append((min(last + timeout, cut), rows))
    return found


def snapshot(events: list[Event]) -> Windows:
    """The events of one instant."""
    instants = sorted({time for time, _ in events})
    return [(end, [row for time, row in events if time == end]) for end in instants]


def by_key(rows: list[Any], key: Callable[[Any], Any]) -> list[tuple[Any, list[Any]]]:
    """Return rows by key: equal values are one key, 1 and 1.0 too, and NULL is a key as well."""
    groups: list[tuple[Any, list[Any]]] = []
    for row in rows:
        for known, members in groups:
            if known == key(row):
                members.append(row)
                break
        else:
            groups.append((key(row), [row]))
    return groups


def keyed(row: Row, columns: list[str]) -> list[Any]:
    """Return the values of the key columns."""
    return [row.get(column) for column in columns]


def grouped(
    events: list[Event], window: dict[str, Any], keys: list[str]
) -> list[tuple[int, list[Any], list[Row]]]:
    """Return (end, key values, rows) for each window and key that has rows.

    Sessions are formed before the keys are told apart, among the events that agree in what
    `partition` names; other windows are those of each key.
    """
    if window["kind"] == "session":
        split = by_key(events, lambda event: keyed(event[1], window["partition"]))
        found = []
        for _, members in split:
            for end, rows in session(members, window["timeout"], window["maximum"]):
                for key, own in by_key(rows, lambda row: keyed(row, keys)):
                    found.append((end, key, own))
        # two sessions that end at once are still two, even if they have the same key
        return found
    result = []
    for key, members in by_key(events, lambda event: keyed(event[1], keys)):
        if window["kind"] == "hopping":
            windows = hopping(members, window["size"], window["hop"], window["offset"])
        elif window["kind"] == "sliding":
            windows = sliding(members, window["size"])
        else:
            windows = snapshot(members)
        result += [(end, key, rows) for end, rows in windows]
    return result
