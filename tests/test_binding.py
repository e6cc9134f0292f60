"""What the binder refuses, where, and with which words; and the names it gives to columns."""

import pytest

import streamql
from streamql.errors import BindError, CompileError, RunError, render

ROWS = [{"a": 1, "b": 2, "s": "x", "r": {"k": 1}, "arr": [1, 2]}]


def compiled(query, rows=ROWS, **settings):
    engine = streamql.Engine(**settings)
    engine.register("input", rows)
    engine.javascript("twice", "function twice(x) { return x * 2; }")
    return engine.sql(query)


REFUSED = [
    ("SELECT nope(a) FROM input", "nope(a)", "unknown function nope", None),
    ("SELECT ABSS(a) FROM input", "ABSS(a)", "unknown function ABSS", "did you mean ABS?"),
    ("SELECT twice(a) FROM input", "twice(a)", "unknown function twice", "did you mean udf.twice?"),
    ("SELECT udf.twise(a) FROM input", "udf.twise(a)", "unknown function udf.twise", "did you mean udf.twice?"),
    ("SELECT udf.abs(a) FROM input", "udf.abs(a)", "unknown function udf.abs", "abs is built in: write it without udf."),
    ("SELECT mine.ABS(a) FROM input", "mine.ABS(a)", "there is no function mine.ABS", "write ABS(...)"),
    ("SELECT a FROM inptu", "inptu", "unknown input inptu", "did you mean input?"),
    ("SELECT a, a FROM input", "a", "two columns are named a", "give one another alias"),
    ("WITH s AS (SELECT a FROM input) SELECT b FROM s", "b", "s has no column b", None),
    ("WITH s AS (SELECT fare FROM input) SELECT fair FROM s", "fair", "s has no column fair", "did you mean fare?"),
    ("WITH s AS (SELECT a FROM input), S AS (SELECT b FROM input) SELECT a FROM s", "S", "two steps are named S", None),
    ("WITH input AS (SELECT a FROM input) SELECT a FROM input", "input", "the step input has the name of an input", None),
    ("WITH s AS (SELECT a INTO x FROM input) SELECT a FROM s", "x", "INTO cannot stand inside of WITH", None),
    ("SELECT CAST(a AS int) FROM input", "int", "CAST: unknown type int", "whole numbers have one type: bigint"),
    ("SELECT CASE WHEN a = 1 THEN 2 END AS x FROM input", "CASE WHEN a = 1 THEN 2 END", "CASE needs an ELSE", None),
    ("SELECT a FROM input WHERE a", "a", "a value is no condition", None),
    ("SELECT GetArrayElements(arr) FROM input", "GetArrayElements(arr)", "GetArrayElements makes rows and stands only after CROSS APPLY or OUTER APPLY", None),
    ("SELECT DATEADD(fortnight, 1, a) AS d FROM input", "fortnight", None, None),
    ("SELECT udf.twice() AS d FROM input", "udf.twice()", None, None),
    ("SELECT a FROM input TIMESTAMP BY System.Timestamp()", "System.Timestamp()", None, None),
    ("SELECT UPPER(1, 2) AS u FROM input", "UPPER(1, 2)", None, None),
    ("SELECT a FROM input UNION SELECT b FROM input", "SELECT b FROM input", None, "both need the same columns"),
    ("SELECT a FROM input GROUP BY a", "a", "GROUP BY needs a window", None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "place", "message", "hint"), REFUSED, ids=[r[0] for r in REFUSED]
)
def test_refused_with_place_and_hint(query, place, message, hint):
    with pytest.raises(CompileError) as caught:
        compiled(query)
    error = caught.value
    assert error.span is not None
    assert query[error.span.start : error.span.end] == place
    if message is not None:
        assert error.message == message
    if hint is not None:
        assert error.hint == hint
    shown = render(error, query)
    assert "^" in shown
    assert "line 1, column" in shown


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT a, r.k, ABS(b), a + b, s AS S2 FROM input", ["a", "k", "ABS", "Column4", "S2"]),
        ("SELECT total = a + b FROM input", ["total"]),
        ("SELECT input.a, [s] FROM input", ["a", "s"]),
        ("SELECT a + b, a * b, ABS(a), ABS(b) FROM input", ["Column1", "Column2", "ABS", "ABS_"]),
        ("SELECT udf.twice(a) FROM input", ["twice"]),
    ],
)
def test_names_of_columns(query, names):
    assert list(compiled(query).fetchall()[0]) == names


def test_level_10_makes_names_lower_case():
    rows = [{"Deep": {"Inner": 1}, "T": "2024-03-05T08:00:00Z", "f": True}]
    query = "SELECT *, GetType(T) AS Kind, GetType(f) AS Flag FROM input"
    found = compiled(query, rows, compatibility_level="1.0").fetchall()[0]
    assert list(found) == ["deep", "t", "f", "kind", "flag"]
    assert found["deep"] == {"inner": 1}
    assert (found["kind"], found["flag"], found["f"]) == ("datetime", "bigint", 1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT CASE WHEN b <> 2 THEN a / 0 ELSE 7 END AS x FROM input", 7),
        ("SELECT COALESCE(a, a / 0) AS x FROM input", 1),
        ("SELECT a AS x FROM input WHERE a = 2 OR (b = 2 AND a IS NOT NULL)", 1),
        ("SELECT a AS x FROM input WHERE NOT (a = 2 AND 1 / (a - 1) = 1)", 1),
        ("SELECT a AS x FROM input WHERE a IN (3, 1) AND s NOT IN ('y')", 1),
        ("SELECT a AS x FROM input WHERE s LIKE '[w-y]'", 1),
    ],
)
def test_branches_are_evaluated_only_where_they_are_reached(query, expected):
    assert compiled(query).fetchall() == [{"x": expected}]


def test_a_data_error_names_the_event_and_the_place():
    rows = [{"a": 1}] * 70 + [{"a": 0}] + [{"a": 2}] * 50
    query = "SELECT 10 / a AS x FROM input"
    with pytest.raises(RunError) as caught:
        compiled(query, rows).fetchall()
    assert caught.value.event == 71
    assert query[caught.value.span.start : caught.value.span.end] == "10 / a"


def test_a_step_used_twice_is_one_object():
    engine = streamql.Engine()
    engine.register("input", ROWS)
    calls = []

    @engine.function(volatile=True)
    def seen(x: int) -> int:
        calls.append(x)
        return x

    result = engine.sql(
        "WITH s AS (SELECT udf.seen(a) AS a FROM input)"
        " SELECT a INTO one FROM s SELECT a INTO two FROM s"
    )
    assert result.output("one").fetchall() == [{"a": 1}]
    assert calls == [1]


STEPS = [
    ("WITH d AS (SELECT a, s FROM input WHERE a = 1) SELECT udf.twice(d) FROM input", "filters its rows"),
    ("WITH d AS (SELECT a FROM input UNION SELECT a FROM input) SELECT udf.twice(d) FROM input", "UNION"),
    ("WITH d AS (SELECT a FROM input), e AS (SELECT a FROM d) SELECT udf.twice(e) FROM input", "does not read"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "reason"), STEPS)
def test_a_step_that_is_no_row_of_this_select_is_refused(query, reason):
    with pytest.raises(BindError, match=reason) as caught:
        compiled(query)
    assert caught.value.hint.startswith("read the step itself: FROM ")


def test_a_step_as_value_is_the_projection_of_the_row():
    engine = streamql.Engine()
    engine.register("input", [{"a": 1, "b": "x", "c": 3}, {"a": 2.5, "c": None}])
    engine.javascript("show", "function show(r) { return JSON.stringify(r); }")
    query = (
        "WITH d AS (SELECT i.c AS z, a, UPPER(b) AS B FROM input i)"
        " SELECT udf.show(d) AS r FROM input WHERE a < 9"
    )
    assert [row["r"] for row in engine.sql(query)] == [
        '{"z":3,"a":1,"B":"X"}',
        '{"z":null,"a":2.5,"B":null}',
    ]
