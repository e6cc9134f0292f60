"""Fields that nobody asks for are left out where rows wait, and only there."""

import itertools

import pytest

import streamql

EVENTS = [
    {"at": "2024-01-01T00:00:02Z", "k": "b", "v": 2, "more": {"x": 1}},
    {"at": "2024-01-01T00:00:01Z", "k": "a", "v": 1},
]
LAG = "SELECT k, LAG(v) OVER (LIMIT DURATION(second, 9)) AS p INTO two FROM input TIMESTAMP BY at"
WHOLE = [
    "SELECT * INTO one FROM input TIMESTAMP BY at",
    "SELECT input.* INTO one FROM input TIMESTAMP BY at WHERE v > 0",
    "SELECT udf.whole(input) AS r INTO one FROM input TIMESTAMP BY at",
    "SELECT s.* INTO one FROM (SELECT * FROM input TIMESTAMP BY at) s",
]


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("whole", WHOLE)
def test_whole_events_are_whole_beside_a_statement_that_waits(whole, turned, size):
    """Whichever statement comes first, one that passes events on gets all of their fields."""
    with streamql.Engine() as engine:
        engine.cut = None if size is None else itertools.repeat(size)
        engine.function(lambda r: r, name="whole")
        engine.register("input", EVENTS)
        result = engine.sql("\n".join([LAG, whole] if turned else [whole, LAG]))
        one, two = (list(result.output(name)) for name in ("one", "two"))
    found = [row.get("r", row) for row in one]
    assert sorted(found, key=lambda row: row["v"]) == sorted(EVENTS, key=lambda row: row["v"])
    assert two == [{"k": "a", "p": None}, {"k": "b", "p": 1}]


TIMES = [
    ("SELECT k, v, LAG(v) OVER (LIMIT DURATION(second, 9)) AS p FROM input TIMESTAMP BY at", 2),
    ("SELECT a.k, b.v FROM input a TIMESTAMP BY at JOIN input b TIMESTAMP BY at "
     "ON DATEDIFF(second, a, b) = 1", 1),
    ("SELECT at, LAG(at) OVER (LIMIT DURATION(second, 9)) AS p FROM input TIMESTAMP BY at", 2),
    ("SELECT COUNT(*) AS n FROM input TIMESTAMP BY AT GROUP BY SlidingWindow(second, 1)", 2),
    ("SELECT a.k FROM input a TIMESTAMP BY at JOIN input b TIMESTAMP BY DATEADD(second, 1, at) "
     "ON DATEDIFF(second, a, b) = 0", 1),
]  # fmt: skip


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(("query", "rows"), TIMES)
def test_times_are_read_ahead_however_the_query_names_them(query, rows, size):
    with streamql.Engine() as engine:
        engine.cut = None if size is None else itertools.repeat(size)
        engine.register("input", [*EVENTS, {"at": "never", "k": "c", "v": 3}, {"k": "d", "v": 4}])
        assert len(list(engine.sql(query))) == rows
