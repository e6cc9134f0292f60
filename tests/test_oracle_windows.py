"""Windows, keys, aggregates, HAVING and steps of windows, beside a second implementation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import aggregates as agg
from oracle.joins import UNITS
from oracle.streams import CUTS, KEYS, SUNDAY, TEXT_TIME, check, many, run, streams
from oracle.windows import grouped

SECOND = UNITS["second"]
# some do not divide a day: 7 seconds, 11 minutes, 5 hours
SIZES = st.sampled_from(
    [("second", n) for n in (1, 4, 7, 10, 60)]
    + [("minute", 1), ("minute", 11), ("hour", 5), ("day", 1), ("millisecond", 250)]
)


@st.composite
def windows(draw: Any, unit: str, size: int, kinds: str = "thsxn") -> tuple[str, dict[str, Any]]:
    """Draw a window, as text and as the second implementation takes it."""
    ticks = UNITS[unit]
    match draw(st.sampled_from(kinds)):
        case "t":
            hop, offset = size, draw(st.integers(-2, 2)) * draw(st.sampled_from([1, size]))
            text = draw(
                st.sampled_from(
                    [
                        f"TumblingWindow({unit}, {size}, {offset})",
                        f"Tumbling(Duration({unit}, {size}), Offset({unit}, {offset}))",
                    ]
                    + [f"TumblingWindow({unit}, {size})"] * (offset == 0)
                )
            )
        case "h":
            size, hop = draw(st.integers(1, 12)), draw(st.integers(1, 9))
            size = min(size, 6 * hop)
            offset = draw(st.integers(-3, 3))
            text = f"HoppingWindow(Duration({unit}, {size}), Hop({unit}, {hop}), Offset({unit}, {offset}))"
            if size * ticks > 7 * UNITS["day"] or hop * ticks > 7 * UNITS["day"]:
                return draw(windows(unit, size=1, kinds="t"))
        case "s":
            return f"SlidingWindow({unit}, {size})", {"kind": "sliding", "size": size * ticks}
        case "x":
            timeout, most = draw(st.integers(1, 6)), draw(st.integers(1, 7))
            partition = draw(st.sampled_from([[], ["k"], ["j"], ["k", "j"]]))
            over = f" OVER (PARTITION BY {', '.join(partition)})" if partition else ""
            return f"SessionWindow({unit}, {timeout}, {most}){over}", {
                "kind": "session",
                "timeout": timeout * ticks,
                "maximum": most * ticks,
                "partition": partition,
            }
        case _:
            return "System.Timestamp()", {"kind": "snapshot"}
    sizes = {"size": size * ticks, "hop": hop * ticks, "offset": offset * ticks}
    return text, {"kind": "hopping", **sizes}


OUTPUTS = {
    "n": ("COUNT(*)", agg.count_rows),
    "nv": ("COUNT(v)", lambda rows: agg.count(rows, "v")),
    "nd": ("COUNT(DISTINCT v)", lambda rows: agg.count_distinct(rows, "v")),
    "s": ("SUM(v)", lambda rows: agg.total(rows, "v")),
    "lo": ("MIN(v)", lambda rows: agg.least(rows, "v")),
    "hi": ("MAX(v)", lambda rows: agg.greatest(rows, "v")),
    "m": ("AVG(v)", lambda rows: agg.mean(rows, "v")),
    "c": ("Collect(v)", lambda rows: agg.collect(rows, "v")),
}
HAVING = {
    "": lambda _: True,
    "HAVING COUNT(*) >= 2": lambda rows: len(rows) >= 2,
    "HAVING n >= 2": lambda rows: len(rows) >= 2,
    "HAVING SUM(v) > 1": lambda rows: (agg.total(rows, "v") or 0) > 1,
    "HAVING MIN(v) IS NULL": lambda rows: agg.least(rows, "v") is None,
}
WHERE = {
    "": lambda _: True,
    "WHERE v > 0": lambda row: row["v"] is not None and row["v"] > 0,
    "WHERE j = 1": lambda row: row["j"] == 1,
}


def result(events: Any, window: Any, keys: Any, outputs: Any, having: Any) -> Any:
    """Return the rows of a grouped SELECT as the second implementation has them."""
    rows = []
    for end, key, members in grouped(events, window, keys):
        if having(members):
            values = {name: OUTPUTS[name][1](members) for name in outputs}
            rows.append((end, {**dict(zip(keys, key, strict=True)), **values}))
    return rows


def sorted_lists(found: Any) -> Any:
    """Sort what Collect put together in no particular order."""
    for _, row in found:
        if isinstance(row.get("c"), list):
            row["c"].sort()
    return found


def listed(names: list[str], outputs: list[str]) -> str:
    """Return a select list of keys, aggregates and the time."""
    return ", ".join([*names, *(f"{OUTPUTS[o][0]} AS {o}" for o in outputs), TEXT_TIME])


@st.composite
def sized(draw: Any, keys: Any = KEYS) -> tuple[str, int, Any]:
    unit, size = draw(SIZES)
    return unit, size, draw(streams(size * UNITS[unit], keys=keys))


KEY_LISTS = st.sampled_from([[], ["k"], ["j"], ["k", "j"]])
OUTPUT_LISTS = st.lists(st.sampled_from(list(OUTPUTS)), unique=True, max_size=3).map(
    lambda names: ["n", *(name for name in names if name != "n")]
)


@many(150)
@given(st.data())
def test_windows(data: Any) -> None:
    unit, size, events = data.draw(sized())
    text, window = data.draw(windows(unit, size))
    keys, outputs = data.draw(KEY_LISTS), data.draw(OUTPUT_LISTS)
    where, having = (
        data.draw(st.sampled_from(list(WHERE))),
        data.draw(st.sampled_from(list(HAVING))),
    )
    query = (
        f"SELECT {listed(keys, outputs)} FROM r TIMESTAMP BY at {where} "
        f"GROUP BY {', '.join([*keys, text])} {having}"
    )
    found = run(query, {"r": events}, data.draw(CUTS))
    events = [event for event in events if WHERE[where](event[1])]
    check(sorted_lists(found), result(events, window, keys, outputs, HAVING[having]))


@many(60)
@given(st.data())
def test_sets_of_windows(data: Any) -> None:
    unit, size, events = data.draw(sized())
    members = data.draw(st.lists(windows(unit, size), min_size=1, max_size=3))
    keys = data.draw(KEY_LISTS)
    named = data.draw(st.booleans())
    texts = [
        f"Window('Id{number}', {text})" if named else text
        for number, (text, _) in enumerate(members)
    ]
    query = (
        f"SELECT System.Window().Id AS win, {listed(keys, ['n', 's'])} FROM r TIMESTAMP BY at "
        f"GROUP BY {', '.join([*keys, 'Windows(' + ', '.join(texts) + ')'])}"
    )
    expected = []
    for number, (_, window) in enumerate(members):
        rows = result(events, window, keys, ["n", "s"], HAVING[""])
        name = f"Id{number}" if named else None
        expected += [(end, {"win": name, **row}) for end, row in rows]
    check(run(query, {"r": events}, data.draw(CUTS)), expected)


@many(80)
@given(st.data())
def test_windows_over_windows(data: Any) -> None:
    unit, size, events = data.draw(sized())
    first, inner = data.draw(windows(unit, size))
    second, outer = data.draw(windows(unit, size))
    keys = data.draw(KEY_LISTS)
    # the step has the column j even if it does not group by it
    own = ["k", "j"]
    query = (
        f"WITH step AS (SELECT k, j, SUM(v) AS v FROM r TIMESTAMP BY at GROUP BY k, j, {first}) "
        f"SELECT {listed(keys, ['n', 's', 'hi'])} FROM step GROUP BY {', '.join([*keys, second])}"
    )
    step = [
        (end, {"k": key[0], "j": key[1], "v": agg.total(rows, "v")})
        for end, key, rows in grouped(events, inner, own)
    ]
    check(
        run(query, {"r": events}, data.draw(CUTS)),
        result(step, outer, keys, ["n", "s", "hi"], HAVING[""]),
    )


@many(30)
@given(st.data())
def test_partition_by_splits_groups(data: Any) -> None:
    unit, size, events = data.draw(sized())
    text, window = data.draw(windows(unit, size, "tsn"))
    query = (
        f"SELECT j, {listed([], ['n', 's'])} FROM r TIMESTAMP BY at PARTITION BY k "
        f"GROUP BY j, {text}"
    )
    rows = [
        (end, {"j": key[1], "n": len(members), "s": agg.total(members, "v")})
        for end, key, members in grouped(events, window, ["k", "j"])
    ]
    check(run(query, {"r": events}, data.draw(CUTS)), rows)


def at(*seconds: float) -> list[Any]:
    return [(SUNDAY + round(s * SECOND), {"v": 1, "k": None, "j": 1}) for s in seconds]


@pytest.mark.parametrize(
    ("window", "events", "expected"),
    [
        pytest.param(
            "TumblingWindow(second, 10)", at(0, 10, 10.1), {0: 1, 10: 1, 20: 1}, id="ends"
        ),
        pytest.param(
            "TumblingWindow(second, 10, -1)", at(0, 9, 9.5), {9: 2, 19: 1}, id="offset below zero"
        ),
        pytest.param("HoppingWindow(second, 2, 5)", at(3, 3.5, 5, 6), {5: 2}, id="gaps"),
        pytest.param("SlidingWindow(second, 5)", at(0, 5), {0: 1, 5: 1}, id="exit at entry"),
        pytest.param(
            "SessionWindow(second, 5, 20)", at(18, 20, 21), {26: 3}, id="young at the check"
        ),
        pytest.param(
            "SessionWindow(second, 5, 10)", at(10, 15, 20, 21), {20: 3, 26: 1}, id="cut on an event"
        ),
    ],
)
def test_known_results(window: str, events: Any, expected: dict[int, int]) -> None:
    query = f"SELECT COUNT(*) AS n, {TEXT_TIME} FROM r TIMESTAMP BY at GROUP BY {window}"
    rows = [(SUNDAY + end * SECOND, {"n": n}) for end, n in expected.items()]
    check(run(query, {"r": events}), rows)


@pytest.mark.parametrize("first", [None, {"x": 1}, "a"])
@pytest.mark.parametrize("window", ["TumblingWindow(second, 9)", "SessionWindow(second, 1, 9)"])
def test_keys_of_several_types_survive_a_restart(first: Any, window: str) -> None:
    events = [(SUNDAY + 1, {"k": key, "j": 1}) for key in (first, 1, "b", first, 2.5, None)]
    query = f"SELECT k, COUNT(*) AS n, {TEXT_TIME} FROM r TIMESTAMP BY at GROUP BY k, {window}"
    whole = run(query, {"r": events})
    check(run(query, {"r": events}, ([1], True, True)), whole)
