"""LAG, LAST, ISFIRST and aggregates OVER, beside a second implementation."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from oracle import aggregates as agg
from oracle.analytic import is_first, lag, over
from oracle.joins import UNITS, Bound, equal, join, stream
from oracle.streams import CUTS, KEYS, SUNDAY, TEXT_TIME, check, many, run, streams
from oracle.windows import Event, hopping, in_order, sliding

WHEN = {
    "": lambda _: True,
    " WHEN v > 0": lambda row: row["v"] is not None and row["v"] > 0,
    " WHEN v IS NULL": lambda row: row["v"] is None,
    " WHEN j = 1 AND k = 1": lambda row: row["j"] == 1 and row["k"] == 1,
}
PARTITIONS = st.sampled_from([[], ["k"], ["j"], ["k", "j"]])
AGGREGATES = {
    "COUNT(*)": agg.count_rows,
    **{
        f"{name}(v)": lambda rows, function=function: function(rows, "v")
        for name, function in agg.BY_NAME.items()
    },
}


@st.composite
def calls(draw: Any, unit: str) -> tuple[str, Any]:
    """Draw a function, as text and as what gives its result for each event in order of time."""
    partition, when = draw(PARTITIONS), draw(st.sampled_from(list(WHEN)))
    true = WHEN[when]
    number = draw(st.sampled_from([1, 2, 3, 7, 20]))
    limit = number * UNITS[unit]
    by = f"PARTITION BY {', '.join(partition)} " if partition else ""
    frame = f"OVER ({by}LIMIT DURATION({unit}, {number}){when})"
    match draw(st.sampled_from(["lag", "lag", "last", "first", "over", "over"])):
        case "lag":
            offset = draw(st.integers(1, 3))
            default = draw(st.sampled_from([None, 99, -0.5]))
            more = f", {offset}" if offset > 1 or default is not None else ""
            more += f", {default}" if default is not None else ""
            return f"LAG(v{more}) {frame}", lambda events: lag(
                events, "v", offset, default, partition, limit, true
            )
        case "last":
            default = draw(st.sampled_from([None, 99]))
            more = "" if default is None else f", {default}"
            return f"LAST(v{more}) {frame}", lambda events: lag(
                events, "v", 0, default, partition, limit, true
            )
        case "first":
            inside = f"{by}{when}".strip()
            more = f" OVER ({inside})" if inside else ""
            return f"ISFIRST({unit}, {number}){more}", lambda events: is_first(
                events, limit, partition, true
            )
        case _:
            call = draw(st.sampled_from(list(AGGREGATES)))
            return f"{call} {frame}", lambda events: over(
                events, AGGREGATES[call], partition, limit, true
            )


WHERE = {
    "": lambda _: True,
    "WHERE v > 0": lambda row: row["v"] is not None and row["v"] > 0,
    "WHERE f0 > 0": None,
}
UNIT = st.sampled_from(["second", "minute", "hour", "microsecond"])


def results(events: list[Event], functions: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return each event, in order, with the results of the functions as f0, f1, ..."""
    events = in_order(events)
    columns = [function(events) for function in functions]
    return [
        (time, {**row, **{f"f{i}": column[place] for i, column in enumerate(columns)}})
        for place, (time, row) in enumerate(events)
    ]


def only(rows: list[Event], names: list[str]) -> list[Event]:
    return [(time, {name: row[name] for name in names}) for time, row in rows]


@st.composite
def sized(draw: Any) -> tuple[str, list[Event]]:
    unit = draw(UNIT)
    near = draw(st.sampled_from([None, SUNDAY]))
    return unit, draw(streams(UNITS[unit], 16, KEYS, near))


@many(200)
@given(st.data())
def test_analytic_functions(data: Any) -> None:
    unit, events = data.draw(sized())
    made = data.draw(st.lists(calls(unit), min_size=1, max_size=3))
    texts = [text for text, _ in made]
    where = data.draw(st.sampled_from(list(WHERE)))
    listed = ", ".join(f"{text} AS f{number}" for number, text in enumerate(texts))
    condition = where.replace("f0", texts[0])
    query = f"SELECT id, {listed}, {TEXT_TIME} FROM r TIMESTAMP BY at {condition}"
    expected = results(events, [function for _, function in made])
    # the functions see the input before WHERE
    test = WHERE[where] or (lambda row: row["f0"] is not None and row["f0"] > 0)
    expected = [event for event in expected if test(event[1])]
    names = ["id", *(f"f{number}" for number in range(len(made)))]
    check(run(query, {"r": events}, data.draw(CUTS)), only(expected, names))


@many(60)
@given(st.data())
def test_functions_inside_of_groups(data: Any) -> None:
    unit, events = data.draw(sized())
    text, function = data.draw(calls(unit))
    query = (
        f"SELECT k, SUM({text}) AS s, COUNT(*) AS n, {TEXT_TIME} FROM r TIMESTAMP BY at "
        f"WHERE v > 0 GROUP BY k, TumblingWindow({unit}, 3)"
    )
    rows = [event for event in results(events, [function]) if WHERE["WHERE v > 0"](event[1])]
    keys: list[Any] = []
    for _, row in rows:
        if row["k"] not in keys:
            keys.append(row["k"])
    expected = [
        (end, {"k": key, "s": agg.total(members, "f0"), "n": len(members)})
        for key in keys
        for end, members in hopping(
            [event for event in rows if event[1]["k"] == key], 3 * UNITS[unit], 3 * UNITS[unit]
        )
    ]
    check(run(query, {"r": events}, data.draw(CUTS)), expected)


@many(60)
@given(st.data())
def test_functions_after_windows(data: Any) -> None:
    """A step without keys has one row for each time, so their order is known."""
    unit, events = data.draw(sized())
    text, function = data.draw(calls(unit))
    size = data.draw(st.integers(1, 3)) * UNITS[unit]
    number = size // UNITS[unit]
    window, found = data.draw(
        st.sampled_from(
            [
                (f"TumblingWindow({unit}, {number})", hopping(events, size, size)),
                (f"HoppingWindow({unit}, {number}, 2)", hopping(events, size, 2 * UNITS[unit])),
                (f"SlidingWindow({unit}, {number})", sliding(events, size)),
            ]
        )
    )
    query = (
        f"WITH step AS (SELECT COUNT(*) AS n, MAX(v) AS v, MIN(j) AS j, COUNT(v) AS k "
        f"FROM r TIMESTAMP BY at GROUP BY {window}) "
        f"SELECT n, {text} AS f0, {TEXT_TIME} FROM step"
    )
    step = [
        (
            end,
            {
                "n": len(rows),
                "v": agg.greatest(rows, "v"),
                "j": agg.least(rows, "j"),
                "k": agg.count(rows, "v"),
            },
        )
        for end, rows in found
    ]
    expected = only(results(step, [function]), ["n", "f0"])
    check(run(query, {"r": events}, data.draw(CUTS)), expected)


@many(60)
@given(st.data())
def test_functions_before_joins(data: Any) -> None:
    """A function of one side is computed on its stream, not on the pairs."""
    left, right = (data.draw(streams(UNITS["second"], 10, near=SUNDAY)) for _ in range(2))
    kind = data.draw(st.sampled_from(["JOIN", "LEFT JOIN"]))
    most, number = data.draw(st.integers(-2, 4)), data.draw(st.integers(1, 5))
    query = (
        f"SELECT a.id AS a, b.id AS b, {TEXT_TIME}, "
        f"LAG(a.v) OVER (PARTITION BY a.k LIMIT DURATION(second, {number})) AS f, "
        f"LAST(b.v) OVER (LIMIT DURATION(second, {number}) WHEN b.v > 0) AS g "
        f"FROM l a TIMESTAMP BY at {kind} r b TIMESTAMP BY at "
        f"ON DATEDIFF(second, a, b) BETWEEN -3 AND {most} AND a.k = b.k"
    )
    limit = number * UNITS["second"]
    before = results(left, [lambda e: lag(e, "v", 1, None, ["k"], limit, WHEN[""])])
    after = results(right, [lambda e: lag(e, "v", 0, None, [], limit, WHEN[" WHEN v > 0"])])
    bounds = [Bound("second", "a", "b", ">=", -3), Bound("second", "a", "b", "<=", most)]
    pairs = join(
        stream("a", before),
        "b",
        after,
        bounds,
        lambda pair: equal(pair["a"][1]["k"], pair["b"][1]["k"]),
        kind != "JOIN",
    )
    expected = []
    for time, pair in pairs:
        a, b = pair["a"][1], {"id": None, "f0": None} if pair["b"] is None else pair["b"][1]
        expected.append((time, {"a": a["id"], "b": b["id"], "f": a["f0"], "g": b["f0"]}))
    check(run(query, {"l": left, "r": right}, data.draw(CUTS)), expected)


def test_an_aggregate_takes_the_results_of_an_analytic_function() -> None:
    events = [(SUNDAY + place, {"v": place}) for place in (1, 2, 3)]
    query = (
        f"SELECT SUM(v - LAG(v, 1, 0) OVER (LIMIT DURATION(second, 9))) AS s, {TEXT_TIME} "
        "FROM r TIMESTAMP BY at WHERE v > 1 GROUP BY TumblingWindow(second, 9)"
    )
    [(_, row)] = run(query, {"r": events})
    assert row == {"s": 2}
