"""Streams nobody wants: clocks gone wrong, keys of any kind, values that do not fit."""

import itertools

import pytest

import streamql
from streamql.errors import DataError

FAR = [
    {"t": "2014-01-01T00:00:01Z", "k": 1, "v": 1},
    {"t": "2024-01-01T00:00:01Z", "k": 1, "v": 2},
    {"t": "2034-01-01T00:00:01Z", "k": None, "v": 3},
    {"t": None, "k": 1, "v": 9},
    {"t": "garbage", "k": 1, "v": 9},
    {"t": 5, "k": 1, "v": 9},
    {"t": "0001-01-01T00:00:00Z", "k": 2, "v": 5},
    {"t": "9999-12-31T23:59:59.9999999Z", "k": 2, "v": 6},
]
AT = "2024-01-01T00:00:01Z"
WINDOWS = [
    ("TumblingWindow(second, 1)", [5, 1, 2, 3, 6]),
    ("TumblingWindow(microsecond, 1)", [5, 1, 2, 3, 6]),
    ("HoppingWindow(day, 7, 7)", [5, 1, 2, 3, 6]),
    ("SlidingWindow(day, 7)", [5, 1, 2, 3, 6]),
    ("SessionWindow(day, 7, 7)", [5, 1, 2, 3, 6]),
    ("SessionWindow(second, 1, 1)", [5, 1, 2, 3, 6]),
    ("System.Timestamp()", [5, 1, 2, 3, 6]),
    ("Windows(TumblingWindow(second, 1), System.Timestamp())", [5, 5, 1, 1, 2, 2, 3, 3, 6, 6]),
]


def run(query, size=None, **inputs):
    with streamql.Engine() as engine:
        engine.cut = None if size is None else itertools.repeat(size)
        for name, rows in inputs.items():
            engine.register(name, rows)
        return list(engine.sql(query))


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("window", "expected"), WINDOWS)
def test_times_from_the_first_year_to_the_last(window, expected, size):
    """Gaps of centuries cost nothing, and a window may end after the last instant there is."""
    query = f"SELECT k, SUM(v) AS s FROM input TIMESTAMP BY t GROUP BY k, {window}"
    assert [row["s"] for row in run(query, size, input=FAR)] == expected


def test_a_join_of_times_far_apart():
    query = (
        "SELECT a.v, b.v AS w FROM input a TIMESTAMP BY t LEFT JOIN input b TIMESTAMP BY t "
        "ON DATEDIFF(day, a, b) BETWEEN -7 AND 7 AND a.k = b.k"
    )
    found = [(row["v"], row["w"]) for row in run(query, input=FAR)]
    assert found == [(5, 5), (1, 1), (2, 2), (3, None), (6, 6)]


SAME = [{"t": AT, "k": n % 3, "v": n} for n in range(5_000)]


@pytest.mark.parametrize(
    "window", ["SlidingWindow(second, 1)", "SessionWindow(second, 1, 1)", "System.Timestamp()"]
)
@pytest.mark.parametrize("size", [None, 777])
def test_thousands_of_events_at_one_instant(window, size):
    query = f"SELECT k, COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY k, {window}"
    assert [row["n"] for row in run(query, size, input=SAME)] == [1667, 1667, 1666]


def test_lag_within_one_instant_goes_by_arrival():
    query = (
        "SELECT v - LAG(v, 1000) OVER (LIMIT DURATION(second, 1)) AS d FROM input TIMESTAMP BY t"
    )
    found = [row["d"] for row in run(query, 777, input=SAME)]
    assert found == [None] * 1000 + [1000] * 4000


KEYS = [None, {"a": 1, "b": 2}, {"b": 2, "a": 1.0}, [1, 2], [1, 2], [2, 1], "x", 1, 1.0, True, "1"]


@pytest.mark.parametrize("size", [None, 1, 3])
def test_keys_of_any_type(size):
    events = [{"t": AT, "k": key} for key in KEYS]
    query = (
        "SELECT k, COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY k, TumblingWindow(second, 1)"
    )
    found = [(row["k"], row["n"]) for row in run(query, size, input=events)]
    expected = [(None, 1), ({"a": 1, "b": 2}, 2), ([1, 2], 2), ([2, 1], 1), ("x", 1), (1, 2)]
    assert found == [*expected, (True, 1), ("1", 1)]


FAILING = [
    ("SUM(v)", ["12", "x"], "cannot convert 'x' to float", 2),
    ("SUM(v)", [2**62, 2**62, 2**62], "the result of SUM is no bigint", None),
    ("MAX(v)", [1, {"a": 1}], "record", 2),
    ("COUNT(*) / (COUNT(*) - 2)", [1, 1], "division by zero", None),
    ("POWER(10, COUNT(*) + 20)", [1], "", None),
]


@pytest.mark.parametrize(("value", "given", "words", "event"), FAILING)
def test_values_that_do_not_fit_stop_the_job_with_their_place(value, given, words, event):
    events = [{"t": AT, "v": v} for v in given]
    query = f"SELECT {value} AS s FROM input TIMESTAMP BY t GROUP BY TumblingWindow(second, 1)"
    with pytest.raises(DataError) as caught:
        run(query, input=events)
    assert words in caught.value.message
    assert caught.value.event == event
    place = caught.value.span
    assert place is not None
    assert query[place.start : place.end] in value


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) AS n FROM input GROUP BY TumblingWindow(second, 1)",
        "SELECT COUNT(*) AS n FROM input TIMESTAMP BY t GROUP BY SlidingWindow(second, 1)",
        "SELECT a.v FROM input a TIMESTAMP BY t JOIN input b TIMESTAMP BY t "
        "ON DATEDIFF(second, a, b) = 0",
        "SELECT LAG(v) OVER (LIMIT DURATION(second, 1)) AS p FROM input TIMESTAMP BY t",
    ],
)
def test_an_input_that_ends_at_once_gives_no_rows(query):
    assert run(query, input=[]) == []
