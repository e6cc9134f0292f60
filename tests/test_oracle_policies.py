"""Time policies, substreams and data without a valid time, beside a second implementation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.analytic import lag
from oracle.joins import DAY, UNITS, Bound, equal, join, stream
from oracle.policies import Arrival, judge
from oracle.streams import CUTS, SUNDAY, TEXT_TIME, WHOLE, check, iso, many, run_rows
from oracle.windows import Event, grouped

SECOND = UNITS["second"]
DELAYS = [*range(-2, 9), *range(-2, 9), 15, 20, 25, 60, -299, -300, -301, -400, 7 * 86_400]
STEPS = [0, 0, 1, 1, 2, 5, 12, 40, 3 * 365 * 86_400]
NOT_TIMES = [None, "yesterday", 5, {"x": 1}]
FOREVER = 10**18


@st.composite
def arrivals(draw: Any) -> list[Arrival]:
    """Draw events in order of arrival: all, none or some of them say when they arrived."""
    told = draw(st.sampled_from([[True], [True], [False], [True, False]]))
    found: list[Arrival] = []
    now = SUNDAY
    for number in range(draw(st.integers(0, 16))):
        now += draw(st.sampled_from(STEPS)) * SECOND
        time: int | None = now - draw(st.sampled_from(DELAYS)) * SECOND
        time += draw(st.sampled_from([0, 0, 0, 1, -1]))
        row = {"id": number, "k": draw(st.sampled_from([1, 1, 2, 2.0, "1", None, now]))}
        if draw(st.integers(0, 20)) == 20:
            row["at"] = draw(st.sampled_from(NOT_TIMES))
            time = None
        # what an event says may be older than what those in front of it said
        said = now - draw(st.sampled_from([0] * 12 + [5, 40])) * SECOND
        found.append((time, said if draw(st.sampled_from(told)) else None, row))
    return found


def rows_of(events: list[Arrival]) -> list[dict[str, Any]]:
    """Return events as an input has them."""
    return [
        {
            **({} if time is None else {"at": iso(time)}),
            **({} if arrival is None else {"$arrival": iso(arrival)}),
            **row,
        }
        for time, arrival, row in events
    ]


@st.composite
def policies(draw: Any) -> dict[str, Any]:
    """Draw the settings of time: all absent, or some of them given."""
    found: dict[str, Any] = {
        "late_arrival": draw(st.sampled_from([None, 0, 5, 20])),
        "out_of_order": draw(st.sampled_from([None, 0, 3, 15])),
        "policy": draw(st.sampled_from([None, "adjust", "drop"])),
    }
    return {name: value for name, value in found.items() if value is not None}


def judged(events: list[Arrival], policy: dict[str, Any], over: list[str]) -> list[Event]:
    """Return what the second implementation makes of events under these settings."""
    late = policy.get("late_arrival")
    return judge(
        events,
        None if late is None else late * SECOND,
        policy.get("out_of_order", 0) * SECOND if policy else FOREVER,
        policy.get("policy") == "drop",
        over,
    )


def run(
    query: str, inputs: dict[str, list[Arrival]], policy: dict[str, Any], cuts: Any, **more: Any
) -> Any:
    texts = {k: v if k == "policy" else f"00:00:{v:02}" for k, v in policy.items()}
    rows = {name: rows_of(events) for name, events in inputs.items()}
    return run_rows(query, rows, cuts, arrival_field="$arrival", **texts, **more)


@many(100)
@given(st.data())
def test_events_after_policies(data: Any) -> None:
    events = data.draw(arrivals())
    policy = data.draw(policies())
    substreams = data.draw(st.booleans())
    query = (
        f"SELECT id, LAG(id) OVER (PARTITION BY k LIMIT DURATION(day, 7)) AS previous, {TEXT_TIME} "
        f"FROM r TIMESTAMP BY at {'OVER k' * substreams}"
    )
    kept = judged(events, policy, ["k"] * substreams)
    before = lag(kept, "id", 1, None, ["k"], 7 * DAY, lambda _: True)
    expected = [
        (time, {"id": row["id"], "previous": previous})
        for (time, row), previous in zip(kept, before, strict=True)
    ]
    check(run(query, {"r": events}, policy, data.draw(CUTS)), expected)


WINDOWS = {
    "TumblingWindow(second, 10)": {"kind": "hopping", "size": 10, "hop": 10, "offset": 0},
    "HoppingWindow(second, 7, 3)": {"kind": "hopping", "size": 7, "hop": 3, "offset": 0},
    "SlidingWindow(second, 5)": {"kind": "sliding", "size": 5},
    "SessionWindow(second, 5, 20) OVER (PARTITION BY k)": {
        "kind": "session",
        "timeout": 5,
        "maximum": 20,
        "partition": ["k"],
    },
    "System.Timestamp()": {"kind": "snapshot"},
}


@many(120)
@given(st.data())
def test_windows_after_policies(data: Any) -> None:
    """The watermark must close no window to which an event still comes."""
    events = data.draw(arrivals())
    policy = data.draw(policies())
    substreams = data.draw(st.booleans())
    text = data.draw(st.sampled_from(list(WINDOWS)))
    window = {k: v * SECOND if isinstance(v, int) else v for k, v in WINDOWS[text].items()}
    query = (
        f"SELECT k, COUNT(*) AS n, SUM(id) AS s, {TEXT_TIME} "
        f"FROM r TIMESTAMP BY at {'OVER k' * substreams} GROUP BY k, {text}"
    )
    kept = judged(events, policy, ["k"] * substreams)
    expected = [
        (end, {"k": key[0], "n": len(rows), "s": sum(row["id"] for row in rows)})
        for end, key, rows in grouped(kept, window, ["k"])
    ]
    check(run(query, {"r": events}, policy, data.draw(CUTS)), expected)


@many(60)
@given(st.data())
def test_joins_after_policies(data: Any) -> None:
    """Each input has a watermark of its own; what they meet in waits for both."""
    left, right = (data.draw(arrivals()) for _ in range(2))
    policy = data.draw(policies())
    substreams = data.draw(st.booleans())
    kind = data.draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
    low, high = data.draw(st.integers(-9, 5)), data.draw(st.integers(-2, 9))
    over = "OVER k" * substreams
    query = (
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME} FROM l a TIMESTAMP BY at {over} "
        f"{kind} r b TIMESTAMP BY at {over} "
        f"ON a.k = b.k AND DATEDIFF(second, a, b) BETWEEN {low} AND {high}"
    )
    keys = ["k"] * substreams
    pairs = join(
        stream("a", judged(left, policy, keys)),
        "b",
        judged(right, policy, keys),
        [Bound("second", "a", "b", ">=", low), Bound("second", "a", "b", "<=", high)],
        lambda pair: equal(pair["a"][1]["k"], pair["b"][1]["k"]),
        kind != "JOIN",
    )
    expected = [
        (time, {n: None if pair[n] is None else pair[n][1]["id"] for n in ("a", "b")})
        for time, pair in pairs
    ]
    check(run(query, {"l": left, "r": right}, policy, data.draw(CUTS)), expected)


@many(40)
@given(st.data())
def test_unions_after_policies(data: Any) -> None:
    left, right = (data.draw(arrivals()) for _ in range(2))
    policy = data.draw(policies())
    text = data.draw(st.sampled_from(list(WINDOWS)))
    window = {k: v * SECOND if isinstance(v, int) else v for k, v in WINDOWS[text].items()}
    query = (
        "WITH both AS (SELECT id, k FROM l TIMESTAMP BY at UNION SELECT id, k FROM r TIMESTAMP BY at) "
        f"SELECT k, COUNT(*) AS n, SUM(id) AS s, {TEXT_TIME} FROM both GROUP BY k, {text}"
    )
    kept = judged(left, policy, []) + judged(right, policy, [])
    expected = [
        (end, {"k": key[0], "n": len(rows), "s": sum(row["id"] for row in rows)})
        for end, key, rows in grouped(kept, window, ["k"])
    ]
    check(run(query, {"l": left, "r": right}, policy, data.draw(CUTS)), expected)


@many(40)
@given(st.data())
def test_windows_by_arrival(data: Any) -> None:
    """Without TIMESTAMP BY the arrival is the time, which never goes back; policies do not apply."""
    events = data.draw(arrivals())
    policy = data.draw(policies())
    text = data.draw(st.sampled_from(list(WINDOWS)))
    window = {k: v * SECOND if isinstance(v, int) else v for k, v in WINDOWS[text].items()}
    now = SUNDAY - DAY
    kept = []
    for _, said, row in events:
        now = now if said is None else max(now, said)
        kept.append((now, row))
    query = f"SELECT k, COUNT(*) AS n, SUM(id) AS s, {TEXT_TIME} FROM r GROUP BY k, {text}"
    expected = [
        (end, {"k": key[0], "n": len(rows), "s": sum(row["id"] for row in rows)})
        for end, key, rows in grouped(kept, window, ["k"])
    ]
    found = run(query, {"r": events}, policy, data.draw(CUTS), now=lambda: SUNDAY - DAY)
    check(found, expected)


def minutes(text: str) -> int:
    """Return the time `mm:ss` after midnight."""
    return SUNDAY + (60 * int(text[:2]) + int(text[3:])) * SECOND


@pytest.mark.parametrize("cuts", [WHOLE, ([1], True, False)])
def test_the_table_of_the_reference(cuts: Any) -> None:
    told = "10:00 10:40, 10:30 10:41, 10:42 10:42, 10:38 10:43, 10:35 10:45"
    pairs = [pair.split() for pair in told.split(", ")]
    events = [(minutes(e), minutes(a), {"id": n}) for n, (e, a) in enumerate(pairs)]
    policy = {"late_arrival": 15, "out_of_order": 5, "policy": "adjust"}
    moved = ["10:25", "10:30", "10:42", "10:38", "10:37"]
    expected = [(minutes(time), {"id": n}) for n, time in enumerate(moved)]
    query = f"SELECT id, {TEXT_TIME} FROM r TIMESTAMP BY at"
    check(judged(events, policy, []), expected)
    check(run(query, {"r": events}, policy, cuts), expected)


EVENTS = {
    "an event that tells no arrival moves no watermark of late arrival": (
        [(SUNDAY + 2, None, {"id": 0}), (SUNDAY + 1, None, {"id": 1})],
        {"late_arrival": 0, "out_of_order": 3},
        [(SUNDAY + 1, {"id": 1}), (SUNDAY + 2, {"id": 0})],
    ),
    "an event that tells no arrival is neither late nor early": (
        [(SUNDAY, SUNDAY, {"id": 0}), (SUNDAY - 9 * SECOND, None, {"id": 1})],
        {"late_arrival": 5, "out_of_order": 20},
        [(SUNDAY - 9 * SECOND, {"id": 1}), (SUNDAY, {"id": 0})],
    ),
    "an arrival is taken as it is told": (
        [(SUNDAY, SUNDAY, {"id": 0}), (SUNDAY - 9, SUNDAY - 9, {"id": 1})],
        {"late_arrival": 0, "out_of_order": 9, "policy": "drop"},
        [(SUNDAY - 9, {"id": 1}), (SUNDAY, {"id": 0})],
    ),
}


@pytest.mark.parametrize("cuts", [WHOLE, ([1], True, False)])
@pytest.mark.parametrize("case", EVENTS)
def test_arrival(case: str, cuts: Any) -> None:
    events, policy, expected = EVENTS[case]
    check(judged(events, policy, []), expected)
    query = f"SELECT id, {TEXT_TIME} FROM r TIMESTAMP BY at"
    check(run(query, {"r": events}, policy, cuts), expected)


def test_keys_that_come_and_go() -> None:
    """Rows keep their keys while keys in front of them are forgotten."""
    left = [(SUNDAY + 3 * n * SECOND, None, {"id": n, "k": n}) for n in range(12)]
    right = [(time + 4 * SECOND, None, row) for time, _, row in left]
    query = (
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME} FROM l a TIMESTAMP BY at "
        "JOIN r b TIMESTAMP BY at ON a.k = b.k AND DATEDIFF(second, a, b) BETWEEN 0 AND 5"
    )
    found = run(query, {"l": left, "r": right}, {"out_of_order": 1}, ([1], True, False))
    check(found, [(time, {"a": row["id"], "b": row["id"]}) for time, _, row in right])
