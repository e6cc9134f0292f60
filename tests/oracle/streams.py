"""Random streams for the engine and the second implementation, and the comparison of the two."""

from __future__ import annotations

import itertools
import math
import os
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import streamql
from streamql.runtime.operators import analyze, group, join
from streamql.runtime.windows import panes

from .joins import DAY, SECOND
from .windows import Event, end_at_or_after, in_order

_WANTED = os.environ.get("STREAMQL_EXAMPLES")
"""How many random examples each test tries: more find more, with other examples each time."""


def many(default: int) -> settings:
    """Return the settings of a property test: `default` fixed examples, or the number asked for."""
    return settings(
        max_examples=int(_WANTED or default),
        derandomize=_WANTED is None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SUNDAY = 1_709_424_000 * SECOND
"""2024-03-03T00:00:00Z, the beginning of a day and of a week."""
GAPS = st.sampled_from([0] * 12 + [3 * 365 * DAY, -70 * 365 * DAY])
NUMBERS = st.sampled_from([None, -1, 0, 1, 2, 3, 0.5, 2.0, -1.25])
KEYS = st.sampled_from([None, 1, 1.0, 2.5, "1", "a", {"x": 1}, {"x": 1.0}, [1, None]])
FEW_KEYS = st.sampled_from([None, 1, 1.0, 2, "1"])


def iso(ticks: int) -> str:
    """Return a time as text, with seven digits of the second."""
    whole, rest = divmod(ticks, SECOND)
    return f"{EPOCH + timedelta(seconds=whole):%Y-%m-%dT%H:%M:%S}.{rest:07}Z"


def ticks_of(text: str) -> int:
    """Return the time that a text of `iso` stands for."""
    moment = datetime.fromisoformat(text[:19] + "+00:00")
    return round((moment - EPOCH).total_seconds()) * SECOND + int(text[20:27])


@st.composite
def times(draw: Any, step: int, near: int | None = None) -> int:
    """Draw a time: often on a multiple of `step` or a tick beside, seldom years away."""
    start = end_at_or_after(SUNDAY, step) if near is None else near
    at = start + draw(st.integers(-6, 24)) * max(step // 4, 1)
    return at + draw(GAPS) + draw(st.sampled_from([0, 0, 0, 0, 1, -1]))


@st.composite
def streams(
    draw: Any, step: int, most: int = 14, keys: Any = FEW_KEYS, near: int | None = None
) -> list[Event]:
    """Draw the events of an input, in order of arrival; their times are in any order."""
    row = st.fixed_dictionaries({"k": keys, "j": st.sampled_from([1, 2]), "v": NUMBERS})
    events = draw(st.lists(st.tuples(times(step, near), row), max_size=most))
    return [(time, {"id": number, **row}) for number, (time, row) in enumerate(events)]


Cuts = tuple[list[int], bool, bool]
WHOLE: Cuts = ([0], False, False)
CUTS = st.one_of(
    st.just(WHOLE),
    st.tuples(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans(), st.booleans()),
)
"""Sizes of batches ([0]: all at once), whether operators are replaced between any two, and whether
events come in order of time, so that the watermark rises with them and not only at the end."""


def run(
    query: str,
    inputs: dict[str, list[Event]],
    cuts: Cuts = WHOLE,
) -> list[Event]:
    """Run a query, whose output column `t` is its time as text, over events with a column `at`."""
    _, _, flowing = cuts
    rows = {
        name: [{"at": iso(time), **row} for time, row in (in_order(events) if flowing else events)]
        for name, events in inputs.items()
    }
    return run_rows(query, rows, cuts, out_of_order="00:00:00" if flowing else None)


def run_rows(
    query: str, inputs: dict[str, list[dict[str, Any]]], cuts: Cuts, **chosen: Any
) -> list[Event]:
    """Run a query over rows as they are and return its output as events.

    With restarts, operators also forget keys and slots that are done as soon as there are a few.
    """
    sizes, restart, _ = cuts
    with pytest.MonkeyPatch.context() as patch, streamql.Engine(**chosen) as engine:
        for operator in (group, join, analyze, panes) if restart else ():
            patch.setattr(operator, "_TIDY", 2)
        if sizes != [0]:
            engine.cut = itertools.cycle(sizes)
            engine.restart = restart
        for name, rows in inputs.items():
            engine.register(name, rows)
        found = engine.sql(query).fetchall()
    return [(ticks_of(row.pop("t")), row) for row in found]


def same(found: Any, expected: Any) -> bool:
    """Tell whether two values are the same; numbers may differ by rounding."""
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same(found[name], expected[name]) for name in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(same(a, b) for a, b in zip(found, expected, strict=True))
        )
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return type(found) is type(expected) and found == expected


def check(found: list[Event], expected: list[Event], *, ordered: bool = True) -> None:
    """Fail unless the rows of each time are the same, and come in order of time."""
    moments = [time for time, _ in found]
    assert not ordered or moments == sorted(moments), f"not in order of time: {moments}"
    rows: dict[int, list[Any]] = defaultdict(list)
    for time, row in found:
        rows[time].append(row)
    missing = []
    for time, row in expected:
        place = next((i for i, other in enumerate(rows[time]) if same(other, row)), None)
        if place is None:
            missing.append((iso(time), row))
        else:
            rows[time].pop(place)
    surplus = [(iso(time), row) for time, rest in rows.items() for row in rest]
    assert (missing, surplus) == ([], []), f"missing {missing}\nnot expected {surplus}"


TEXT_TIME = "CAST(System.Timestamp() AS nvarchar(max)) AS t"
