"""Joins of streams, of steps and of joins, beside a second implementation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import aggregates as agg
from oracle.joins import DAY, UNITS, Bound, Joined, Relations, equal, join, stream
from oracle.streams import CUTS, SUNDAY, TEXT_TIME, check, many, run, streams
from oracle.windows import Event, hopping

SECOND = UNITS["second"]
MOST = {"hour": 30, "day": 4, "week": 1}
FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
Bounds = tuple[str, list[Bound]]


@st.composite
def bounds(draw: Any, unit: str, left: list[str], right: str) -> Bounds:
    """Draw bounds on the time between the right relation and some of the left ones."""
    most = MOST.get(unit, 8)
    texts, parts = [], []
    number = st.integers(-most, most)
    for name in draw(st.lists(st.sampled_from(left), min_size=1, max_size=2, unique=True)):
        ends = draw(st.sampled_from([(name, right), (right, name)]))
        call = f"DATEDIFF({unit}, {ends[0]}, {ends[1]})"
        low, high = draw(number), draw(number)
        if draw(st.integers(0, 9)):  # mostly a bound that something can satisfy
            low, high = sorted((low, high))
        match draw(st.sampled_from(["between", "between", "signs", "equal"])):
            case "between":
                texts.append(f"{call} BETWEEN {low} AND {high}")
                parts += [Bound(unit, *ends, ">=", low), Bound(unit, *ends, "<=", high)]
            case "equal":
                texts.append(f"{call} = {high}")
                parts.append(Bound(unit, *ends, "=", high))
            case _:
                # a bound beyond seven days is refused: with weeks, > 1 and < -1 are
                open_ends = [] if unit == "week" else ["<"]
                for sign, value in (
                    (FLIPPED[draw(st.sampled_from(["<=", *open_ends]))], low),
                    (draw(st.sampled_from(["<=", *open_ends])), high),
                ):
                    parts.append(Bound(unit, *ends, sign, value))
                    turned = f"{value} {FLIPPED[sign]} {call}"
                    texts.append(draw(st.sampled_from([f"{call} {sign} {value}", turned])))
    return " AND ".join(texts), parts


def value(relations: Relations, name: str, column: str) -> Any:
    """Return a column of one relation; NULL where a LEFT JOIN found nothing."""
    event = relations[name]
    return None if event is None else event[1].get(column)


def less(left: Any, right: Any) -> bool:
    return left is not None and right is not None and left < right


@st.composite
def conditions(draw: Any, left: str, right: str) -> tuple[str, Any]:
    """Draw what else ON says, with the AND in front of it."""

    def on_key(pair: Relations) -> bool:
        return equal(value(pair, left, "k"), value(pair, right, "k"))

    def on_both(pair: Relations) -> bool:
        return on_key(pair) and equal(value(pair, left, "j"), value(pair, right, "j"))

    def on_value(pair: Relations) -> bool:
        return less(value(pair, left, "v"), value(pair, right, "v"))

    return draw(
        st.sampled_from(
            [
                ("", lambda _: True),
                (f" AND {left}.k = {right}.k", on_key),
                (f" AND {right}.k = {left}.k AND {left}.j = {right}.j", on_both),
                (f" AND {left}.v < {right}.v", on_value),
                (
                    f" AND {left}.k = {right}.k AND {left}.v < {right}.v",
                    lambda pair: on_key(pair) and on_value(pair),
                ),
            ]
        )
    )


WHERE = {
    "": lambda _: True,
    " WHERE b.v IS NULL": lambda pair: value(pair, "b", "v") is None,
    " WHERE b.id IS NULL": lambda pair: pair["b"] is None,
    " WHERE a.v > 0": lambda pair: less(0, value(pair, "a", "v")),
}
UNIT = st.sampled_from(["second", "second", "minute", "hour", "day", "week", "millisecond"])
KIND = st.sampled_from(["JOIN", "LEFT JOIN"])


def ids(rows: Joined, names: list[str]) -> list[Any]:
    """Return the output rows of a join: the number of the event of each relation."""
    return [(time, {n: value(pair, n, "id") for n in names}) for time, pair in rows]


@many(150)
@given(st.data())
def test_joins(data: Any) -> None:
    unit = data.draw(UNIT)
    kind, where = data.draw(KIND), data.draw(st.sampled_from(list(WHERE)))
    within, limits = data.draw(bounds(unit, ["a"], "b"))
    also, condition = data.draw(conditions("a", "b"))
    left = data.draw(streams(UNITS[unit], 10, near=SUNDAY))
    alone = data.draw(st.booleans())
    right = left if alone else data.draw(streams(UNITS[unit], 10, near=SUNDAY))
    query = (
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME} FROM l a TIMESTAMP BY at "
        f"{kind} {'l' if alone else 'r'} b TIMESTAMP BY at ON {within}{also}{where}"
    )
    inputs = {"l": left} if alone else {"l": left, "r": right}
    rows = join(stream("a", left), "b", right, limits, condition, kind != "JOIN")
    rows = [row for row in rows if WHERE[where](row[1])]
    check(run(query, inputs, data.draw(CUTS)), ids(rows, ["a", "b"]))


@many(100)
@given(st.data())
def test_chains_of_joins(data: Any) -> None:
    unit = data.draw(UNIT)
    near = {"near": SUNDAY}
    a, b, c = (data.draw(streams(UNITS[unit], 7, **near)) for _ in range(3))
    first, second = data.draw(KIND), data.draw(KIND)
    within, limits = data.draw(bounds(unit, ["a"], "b"))
    also, condition = data.draw(conditions("a", "b"))
    # the second join may count in another unit, and from either of the two before it
    other = data.draw(st.sampled_from([unit, "second", "hour"]))
    within2, limits2 = data.draw(bounds(other, ["a", "b"], "c"))
    also2, condition2 = data.draw(conditions(data.draw(st.sampled_from(["a", "b"])), "c"))
    query = (
        f"SELECT a.id AS a, b.id AS b, c.id AS c, {TEXT_TIME} FROM ra a TIMESTAMP BY at "
        f"{first} rb b TIMESTAMP BY at ON {within}{also} "
        f"{second} rc c TIMESTAMP BY at ON {within2}{also2}"
    )
    rows = join(stream("a", a), "b", b, limits, condition, first != "JOIN")
    rows = join(rows, "c", c, limits2, condition2, second != "JOIN")
    found = run(query, {"ra": a, "rb": b, "rc": c}, data.draw(CUTS))
    check(found, ids(rows, ["a", "b", "c"]))


def counted(events: list[Event], size: int) -> list[Event]:
    """Return the rows of the step of `test_joins_of_window_steps`."""
    return [
        (end, {"j": j, "id": len(rows)})
        for j in (1, 2)
        for end, rows in hopping([event for event in events if event[1]["j"] == j], size, size)
    ]


@many(80)
@given(st.data())
def test_joins_of_window_steps(data: Any) -> None:
    """Either side, both, or the same step twice."""
    unit, size = data.draw(UNIT.filter(lambda u: u != "week")), data.draw(st.integers(1, 4))
    left = data.draw(streams(UNITS[unit], 10, near=SUNDAY))
    right = data.draw(streams(UNITS[unit], 10, near=SUNDAY))
    kind = data.draw(KIND)
    within, limits = data.draw(bounds(unit, ["a"], "b"))
    sides = {
        "l a TIMESTAMP BY at": left,
        "r b TIMESTAMP BY at": right,
        "steps a": counted(right, size * UNITS[unit]),
        "steps b": counted(right, size * UNITS[unit]),
        "others b": counted(left, 2 * UNITS[unit]),
    }
    first = data.draw(st.sampled_from(["l a TIMESTAMP BY at", "steps a"]))
    second = data.draw(st.sampled_from(["r b TIMESTAMP BY at", "steps b", "others b"]))
    query = (
        f"WITH steps AS (SELECT j, COUNT(*) AS id FROM r TIMESTAMP BY at "
        f"GROUP BY j, TumblingWindow({unit}, {size})), "
        f"others AS (SELECT j, COUNT(*) AS id FROM l TIMESTAMP BY at "
        f"GROUP BY j, TumblingWindow({unit}, 2)) "
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME} FROM {first} {kind} {second} "
        f"ON {within} AND a.j = b.j"
    )

    def on_j(pair: Relations) -> bool:
        return equal(value(pair, "a", "j"), value(pair, "b", "j"))

    rows = join(stream("a", sides[first]), "b", sides[second], limits, on_j, kind != "JOIN")
    check(run(query, {"l": left, "r": right}, data.draw(CUTS)), ids(rows, ["a", "b"]))


SMALL = {
    "second": [("TumblingWindow(millisecond, 100)", SECOND // 10)],
    "minute": [("TumblingWindow(second, 7)", 7 * SECOND)],
    "hour": [("TumblingWindow(minute, 1)", 60 * SECOND), ("TumblingWindow(hour, 2)", DAY // 12)],
    "day": [("TumblingWindow(hour, 1)", DAY // 24), ("TumblingWindow(day, 1)", DAY)],
}


@many(80)
@given(st.data())
def test_windows_over_joins(data: Any) -> None:
    """Misses and coarse units must not make a window close too soon: windows are small."""
    unit = data.draw(st.sampled_from(list(SMALL)))
    window, ticks = data.draw(st.sampled_from(SMALL[unit]))
    left = data.draw(streams(UNITS[unit], 8, near=SUNDAY))
    right = data.draw(streams(UNITS[unit], 8, near=SUNDAY))
    kind = data.draw(KIND)
    within, limits = data.draw(bounds(unit, ["a"], "b"))
    also, condition = data.draw(conditions("a", "b"))
    query = (
        f"WITH pairs AS (SELECT a.id AS a, b.id AS b FROM l a TIMESTAMP BY at "
        f"{kind} r b TIMESTAMP BY at ON {within}{also}) "
        f"SELECT COUNT(*) AS n, SUM(a) AS a, COUNT(b) AS b, {TEXT_TIME} FROM pairs "
        f"GROUP BY {window}"
    )
    rows = join(stream("a", left), "b", right, limits, condition, kind != "JOIN")
    expected = [
        (end, {"n": len(rows), "a": agg.total(rows, "a"), "b": agg.count(rows, "b")})
        for end, rows in hopping(ids(rows, ["a", "b"]), ticks, ticks)
    ]
    check(run(query, {"l": left, "r": right}, data.draw(CUTS)), expected)


def test_a_unit_is_counted_by_its_boundaries() -> None:
    """The example of the reference: 119 seconds are one minute, 61 seconds are two."""
    query = (
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME} FROM l a TIMESTAMP BY at "
        f"JOIN r b TIMESTAMP BY at ON DATEDIFF(minute, a, b) BETWEEN 0 AND 1 AND a.id = b.id"
    )
    left = [(SUNDAY, {"id": 1}), (SUNDAY + 59 * SECOND, {"id": 2})]
    right = [(SUNDAY + 119 * SECOND, {"id": 1}), (SUNDAY + 120 * SECOND, {"id": 2})]
    check(run(query, {"l": left, "r": right}), [(right[0][0], {"a": 1, "b": 1})])


@pytest.mark.parametrize(
    ("bound", "after"),
    [
        ("DATEDIFF(hour, a, b) BETWEEN 0 AND 2", 7_200),
        ("DATEDIFF(hour, b, a) BETWEEN -2 AND 0", 7_200),
        ("DATEDIFF(day, a, b) BETWEEN -3 AND -1", 0),
        ("DATEDIFF(minute, a, b) > 0 AND DATEDIFF(minute, a, b) < 5", 240),
    ],
)
def test_the_time_of_a_miss(bound: str, after: int) -> None:
    query = f"SELECT b.id AS b, {TEXT_TIME} FROM l a TIMESTAMP BY at LEFT JOIN r b TIMESTAMP BY at ON {bound}"
    found = run(query, {"l": [(SUNDAY + 1, {"id": 1})], "r": [(SUNDAY + 9 * DAY, {"id": 2})]})
    check(found, [(SUNDAY + 1 + after * SECOND, {"b": None})])


def test_a_late_miss_still_finds_its_window() -> None:
    """A miss is known at the end of the hour only, but its time is that of the left event."""
    query = (
        f"WITH pairs AS (SELECT a.id AS a, b.id AS b FROM l a TIMESTAMP BY at "
        f"LEFT JOIN r b TIMESTAMP BY at ON DATEDIFF(hour, a, b) BETWEEN 0 AND 0 AND a.k = b.k) "
        f"SELECT COUNT(*) AS n, {TEXT_TIME} FROM pairs GROUP BY TumblingWindow(second, 1)"
    )
    times = [SUNDAY + at * SECOND for at in (1, 1_800, 3_599, 7_200)]
    left = [(time, {"id": 1, "k": 1}) for time in times]
    right = [(time, {"id": 1, "k": 2}) for time in times]
    found = run(query, {"l": left, "r": right}, ([1], True, True))
    check(found, [(time, {"n": 1}) for time in times])
