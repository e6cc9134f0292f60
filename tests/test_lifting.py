"""Remote calls leave expressions: which rows are sent, and how the answers come back."""

import itertools

import pytest
from fakes import FakeRemote

import streamql
from streamql.errors import FunctionError

ROWS = [{"a": 1, "b": None}, {"a": None, "b": 5}, {"a": 3, "b": 7}]


def run(query, answer=lambda v: None if v is None else v * 10, rows=ROWS, cut=None, **more):
    engine = streamql.Engine()
    engine.cut = cut
    engine.register("input", rows)
    remote = FakeRemote("score", answer, **more)
    engine.add_function(remote)
    return remote, engine.sql(query).fetchall()


CASES = [
    ("SELECT udf.score(a) AS x FROM input", [1, None, 3], [10, None, 30]),
    ("SELECT udf.score(a) + 1 AS x FROM input", [1, None, 3], [11, None, 31]),
    ("SELECT ABS(udf.score(a)) + udf.score(a) AS x FROM input", [1, None, 3], [20, None, 60]),
    ("SELECT udf.score(udf.score(a)) AS x FROM input WHERE a = 1", [1, 10], [100]),
    ("SELECT CASE WHEN a IS NOT NULL THEN udf.score(a) ELSE 0 END AS x FROM input", [1, 3], [10, 0, 30]),
    ("SELECT CASE a WHEN 1 THEN 'one' ELSE udf.score(a) END AS x FROM input", [None, 3], ["one", None, 30]),
    ("SELECT COALESCE(b, udf.score(a)) AS x FROM input", [1], [10, 5, 7]),
    ("SELECT a AS x FROM input WHERE a IS NOT NULL AND udf.score(a) > 20", [1, 3], [3]),
    ("SELECT a AS x FROM input WHERE a = 1 OR udf.score(b) = 70", [5, 7], [1, 3]),
    ("SELECT CASE WHEN udf.score(a) > 20 THEN udf.score(b) ELSE -1 END AS x FROM input", [1, None, 3, 7], [-1, -1, 70]),
    ("WITH s AS (SELECT udf.score(a) AS r FROM input) SELECT r AS x FROM s WHERE r > 10", [1, None, 3], [30]),
]  # fmt: skip


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("cut", [None, 1], ids=["whole", "one by one"])
@pytest.mark.parametrize(("query", "asked", "expected"), CASES, ids=[c[0] for c in CASES])
def test_calls_are_made_for_the_rows_that_reach_them(query, asked, expected, cut, delay):
    sizes = None if cut is None else itertools.repeat(cut)
    remote, found = run(query, cut=sizes, delay=delay)
    if cut is None:
        assert remote.asked == asked
    else:
        assert sorted(map(repr, remote.asked)) == sorted(map(repr, asked))
    assert [row["x"] for row in found] == expected


def test_a_record_answer_is_read_by_a_later_step():
    query = (
        "WITH s AS (SELECT a, udf.score(a) AS result FROM input)"
        " SELECT a, result.[Score] AS s, result.label AS l FROM s WHERE result.Score > 1"
    )
    _, found = run(query, lambda v: None if v is None else {"Score": v, "Label": f"n{v}"})
    assert found == [{"a": 3, "s": 3, "l": "n3"}]


def test_skipped_rows_leave_the_stream():
    _, found = run("SELECT a, udf.score(a) AS x FROM input", lambda v: "skip" if v == 1 else v)
    assert found == [{"a": None, "x": None}, {"a": 3, "x": 3}]


def test_a_failed_call_has_its_place():
    query = "SELECT udf.score(a) AS x FROM input"
    with pytest.raises(FunctionError) as caught:
        run(query, lambda v: "fail" if v == 3 else v)
    assert query[caught.value.span.start : caught.value.span.end] == "udf.score(a)"
    assert caught.value.event == 3


def test_two_statements_share_the_input():
    query = (
        "SELECT udf.score(a) AS x INTO one FROM input WHERE a > 1 "
        "SELECT b AS x INTO two FROM input WHERE b > 5"
    )
    engine = streamql.Engine()
    engine.register("input", ROWS)
    engine.add_function(FakeRemote("score", lambda v: v, delay=3))
    result = engine.sql(query)
    assert result.output("one").fetchall() == [{"x": 3}]
    assert result.output("two").fetchall() == [{"x": 7}]
