"""Time policies as the language defines them, for one event after the other.

An arrival is (event time, arrival time, row) in order of arrival; the event time is None where it
is no datetime, the arrival time where the event does not say when it arrived: such an event arrives
at its own time. All times are ticks of 100 ns since 1970.
"""

from __future__ import annotations

from typing import Any

from .windows import Event, in_order

EARLY = 5 * 60 * 10_000_000
Arrival = tuple[int | None, int | None, dict[str, Any]]


def judge(
    arrivals: list[Arrival],
    late: int | None,
    out_of_order: int,
    drop: bool,
    over: list[str],
) -> list[Event]:
    """Return the events that stay, with their times, in order of time.

    Args:
        arrivals: the events.
        late: the tolerance for late arrival; None: arrival does not matter.
        out_of_order: the tolerance for events out of order.
        drop: whether events beyond a tolerance are dropped; else their times are moved.
        over: the keys of substreams, which have a watermark each.
    """
    newest: list[tuple[list[Any], int]] = []
    kept: list[Event] = []
    for time, said, row in arrivals:
        key = [row.get(column) for column in over]
        if time is None or None in key:
            continue
        if late is not None:
            arrival = time if said is None else said
            if time > arrival + EARLY:
                continue
            if arrival - time > late:
                if drop:
                    continue
                time = arrival - late
        largest = [known for other, known in newest if other == key]
        if largest and time < max(largest) - out_of_order:
            if drop:
                continue
            time = max(largest) - out_of_order
        newest.append((key, time))
        kept.append((time, row))
    return in_order(kept)
