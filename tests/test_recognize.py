"""MATCH_RECOGNIZE end to end: tables of patterns, limits, conditions, measures and errors."""

from __future__ import annotations

import itertools
import random
from datetime import datetime

import pytest
from recognizing import events_of, in_every_way, query_of, run, time_of

import streamql
from streamql.errors import BindError, DataError
from streamql.runtime.graph import Graph

PATTERNS = [
    ("A B", "a1 b2 a3 a4 b5", [("AB", 1), ("AB", 4)]),
    ("A+ B", "a1 a2 b3 a4 b5", [("AAB", 1), ("AB", 2), ("AB", 4)]),
    ("A+", "a1 a2 b3 a4", [("AA", 1), ("A", 2), ("A", 4)]),
    ("A* B", "b1 a2 b3", [("B", 1), ("AB", 2), ("B", 3)]),
    ("A? B", "a1 a2 b3", [("AB", 2), ("B", 3)]),
    ("A B?", "a1 b2 a3 c4", [("AB", 1), ("A", 3)]),
    ("A*", "a1 b2 a3", [("A", 1), ("A", 3)]),
    ("A (B | C) A", "a1 b2 a3 c4 a5", [("ABA", 1), ("ACA", 3)]),
    ("(A B)+", "a1 b2 a3 b4 a5", [("ABAB", 1), ("AB", 3)]),
    ("(A | B)+ C", "a1 b2 a3 c4", [("ABAC", 1), ("BAC", 2), ("AC", 3)]),
    ("A{2}", "a1 a2 a3", [("AA", 1), ("AA", 2)]),
    ("A{2,}", "a1 a2 a3", [("AAA", 1), ("AA", 2)]),
    ("A{1,2} B", "a1 a2 a3 b4", [("AAB", 2), ("AB", 3)]),
    ("A{0,1} B", "a1 b2", [("AB", 1), ("B", 2)]),
    ("A . B", "a1 c2 b3 a4 b5 b6", [("A.B", 1), ("A.B", 4)]),
    (". . C?", "a1 b2 c3", [("..C", 1), ("..", 2)]),
    ("(A*)* B", "a1 a2 b3", [("AAB", 1), ("AB", 2), ("B", 3)]),
    ("A Z", "a1 b2 a3", [("AZ", 1)]),  # DEFINE leaves Z out: any event
    ("A+ A", "a1 a2 a3", [("AAA", 1), ("AA", 2)]),
    ("A+ . B", "a1 a2 b3 b4", [("AA.B", 1), ("A.B", 2)]),
    ("(A | A B) C", "a1 b2 c3 a4 c5", [("ABC", 1), ("AC", 4)]),
    ("(A | A B)", "a1 b2", [("A", 1)]),  # the first alternative is preferred, not the longest
    ("B? A", "b1 b2 a3", [("BA", 2), ("A", 3)]),
    ("A B", "", []),
    ("A B", "c1 c2", []),
]


@pytest.mark.parametrize(("pattern", "events", "expected"), PATTERNS)
def test_patterns(pattern, events, expected):
    rows = in_every_way(query_of(pattern), events_of(events))
    found = [("".join(row["m"]), row["f"]) for row in rows]
    assert sorted(found, key=lambda f: f[1]) == expected


LIMITS = [
    ("A B", "a1 . . b4", "second, 3", []),  # exactly as long as the limit is too long
    ("A B", "a1 . . b4", "second, 4", [("AB", 1)]),
    ("A+", "a1 a2 a3 a4 a5", "second, 2", [("AA", 1), ("AA", 2), ("AA", 3), ("AA", 4), ("A", 5)]),
    ("A+ B", "a1 a2 a3 b4", "second, 3", [("AAB", 2), ("AB", 3)]),
    ("A+ B?", "a1 a2 a3 b4", "second, 3", [("AAA", 1), ("AAB", 2), ("AB", 3)]),
    ("(A | B)+", "a1 b2 a3 b4", "second, 2", [("AB", 1), ("BA", 2), ("AB", 3), ("B", 4)]),
]


@pytest.mark.parametrize(("pattern", "events", "limit", "expected"), LIMITS)
def test_a_match_is_shorter_than_the_limit(pattern, events, limit, expected):
    rows = in_every_way(query_of(pattern, limit=limit), events_of(events))
    found = [("".join(row["m"]), row["f"]) for row in rows]
    assert sorted(found, key=lambda f: f[1]) == expected


CONDITIONS = [
    # aggregates see the events bound before the one under test
    ("A+", "A AS First(A.v) IS NULL OR A.v > Last(A.v)", "a1 a3 a2 a5", ["1 3", "3", "2 5", "5"]),
    ("A B", "A AS A.kind = 'a', B AS B.v > Last(A.v)", "a1 b2 a5 b4", ["1 2"]),
    ("A B", "A AS A.kind = 'a', B AS B.v > A.v", "a1 b2 a5 b4", ["1 2"]),
    ("A+ B", "A AS A.kind = 'a', B AS B.v = Min(A.v)", "a4 a3 b3", ["4 3 3", "3 3"]),
    ("A+ B", "A AS A.kind = 'a', B AS B.v = Max(A.v)", "a4 a3 b4", ["4 3 4"]),
    ("A+ B", "A AS A.kind = 'a', B AS B.v = First(A.v)", "a4 a3 b3 b9", ["3 3"]),
    # going back: the last A is given up so that B fits
    ("A+ B", "A AS A.v < 9, B AS B.v > Last(A.v)", "a1 a2 a3 a2", ["1 2 3", "2 3"]),
    ("A* B", "A AS A.v < 9, B AS Last(A.v) IS NULL", "a1 a2", ["1", "2"]),
    ("(A B)+", "A AS A.kind = 'a', B AS B.v = Last(A.v)", "a1 b1 a2 b2 a3 b4", ["1 1 2 2", "2 2"]),
    ("A B", "A AS A.kind = 'a', B AS B.v / Last(A.v) > 1", "a2 b5 a3 b2", ["2 5"]),
    ("A+ B", "A AS A.kind = 'a', B AS kind = 'b' AND B.v > Max(v)", "a4 a5 b5 a1 b2", ["1 2"]),
    ("A B+", "A AS A.v = 1, B AS B.kind = 'b' AND B.v > A.v", "a1 b2 b3 b1", ["1 2 3"]),
]


@pytest.mark.parametrize(("pattern", "define", "events", "expected"), CONDITIONS)
def test_conditions_on_bound_events(pattern, define, events, expected):
    events = events_of(events)
    query = query_of(pattern, define, "Classifier() AS m, First(id) AS f")
    for number, event in enumerate(events):
        event["id"] = number
    rows = in_every_way(query, events)
    values = [str(e["v"]) for e in events]
    found = [(r["f"], " ".join(values[r["f"] : r["f"] + len(r["m"])])) for r in rows]
    assert [text for _, text in sorted(found)] == expected


MEASURES = [
    ("First(A.v) AS x, Last(A.v) AS y, Min(A.v) AS z, Max(A.v) AS w", [3, 2, 1, 3]),
    ("A.v AS x, B.v AS y, C.v AS z, v AS w", [2, 9, None, 9]),
    ("Last(B.v) - First(A.v) AS x, Max(v) AS y, Min(r.v) AS z, UPPER(Last(kind)) AS w",
     [6, 9, 1, "B"]),
    ("System.Timestamp() AS x, DATEDIFF(second, First(A.at), Last(B.at)) AS y, 1 AS z, "
     "First(C.v) AS w", [time_of(3), 3, 1, None]),
    ("First(A.n.x) AS x, Last(A.n.x) AS y, Min(A.n.x) AS z, Max(A.n.x) AS w", [None, 2, 1.5, 2]),
    ("First(A.s) AS x, Last(A.s) AS y, Min(A.s) AS z, Max(A.s) AS w", ["b", "c", "a", "c"]),
]  # fmt: skip


@pytest.mark.parametrize(("measures", "expected"), MEASURES)
def test_measures(measures, expected):
    events = events_of("a3 a1 a2 b9")
    for event, inner, text in zip(events, [None, 1.5, 2, 7], "bacx", strict=True):
        event.update(n={"x": inner}, s=text)
    rows = in_every_way(query_of("A+ (B | C)", measures=measures), events)
    assert list(rows[0]) == ["x", "y", "z", "w"]
    assert [_text(v) for v in rows[0].values()] == [_text(v) for v in expected]


def _text(value):
    return f"{value:%FT%TZ}" if isinstance(value, datetime) else str(value)


def test_partitions_do_not_meet_and_results_come_in_order_of_time():
    events = [
        {"at": time_of(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [
            (0, "x", "a"), (1, "y", "a"), (2, None, "a"), (3, "y", "b"), (4, "x", "b"),
            (5, None, "b"), (6, "x", "a"), (6, "x", "b"),
        ]
    ]  # fmt: skip
    measures = "Last(A.k) AS k, First(v) AS f, Last(v) AS l"
    rows = in_every_way(query_of("A B", measures=measures, partition="PARTITION BY k"), events)
    assert [(r["k"], r["f"], r["l"]) for r in rows] == [
        ("y", 1, 3), ("x", 0, 4), (None, 2, 5), ("x", 6, 6)
    ]  # fmt: skip


def test_an_open_match_does_not_hold_back_what_must_end_before_it():
    events = [
        {"at": time_of(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [(0, 1, "a"), (1, 2, "a"), (2, 2, "b"), (5, 1, "b")]
    ]
    rows = in_every_way(query_of("A+ B", partition="PARTITION BY k"), events)
    assert [r["f"] for r in rows] == [1, 0]


def test_partitions_come_and_go(monkeypatch):
    monkeypatch.setattr("streamql.runtime.operators.recognize._TIDY", 4)
    kinds = random.Random(5).choices("ab", k=80)
    events = [
        {"at": time_of(i), "k": i // 8 * 3 + i % 3, "kind": kind, "v": i}
        for i, kind in enumerate(kinds)
    ]
    measures = "First(v) AS f, Last(v) AS l"
    for define in ("", "A AS kind = 'a', B AS kind = 'b' AND B.v > Last(A.v)"):
        query = query_of("A+ B", define, measures, "second, 20", "PARTITION BY k")
        found = [(r["l"], r["f"]) for r in in_every_way(query, events)]
        expected = []
        for last, end in enumerate(events):
            for start in events[:last]:
                between = [e["kind"] for e in events[start["v"] : last] if e["k"] == end["k"]]
                if start["k"] == end["k"] and end["kind"] == "b" and set(between) == {"a"}:
                    expected.append((last, start["v"]))
        assert found == expected


def test_measures_are_columns_of_the_alias():
    query = query_of("A B", select="T.f + 1 AS g, System.Timestamp() AS t") + " WHERE f > 1"
    rows = in_every_way(query, events_of("a1 b2 a3 b4"))
    assert [(r["g"], _text(r["t"])) for r in rows] == [(4, time_of(3))]


def test_windows_after_matches_get_every_match():
    query = (
        f"WITH m AS ({query_of('A+')}) "
        "SELECT COUNT(*) AS n, System.Timestamp() AS t FROM m GROUP BY TumblingWindow(second, 2)"
    )
    rows = in_every_way(query, events_of("a1 a2 a3 b4 a5 . . b6 a7"))
    assert [r["n"] for r in rows] == [3, 1, 1]


def test_windows_wait_for_matches_that_are_still_open():
    events = [
        {"at": time_of(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [(1, "x", "a"), (5, "y", "c"), (6, "y", "a"), (20, "y", "c")]
    ]
    inner = query_of("A+", limit="second, 10", partition="PARTITION BY k")
    query = (
        f"WITH m AS ({inner}) "
        "SELECT MIN(f) AS f, COUNT(*) AS n FROM m GROUP BY TumblingWindow(second, 2)"
    )
    assert in_every_way(query, events) == [{"f": 1, "n": 1}, {"f": 6, "n": 1}]


def test_a_restart_takes_up_all_partitions(monkeypatch):
    events = [
        {"at": time_of(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [
            (1, "x", "a"),
            (2, "y", "a"),
            (3, "y", "b"),
            (4, "y", "c"),
            (5, "x", "b"),
        ]
    ]
    define = "A AS kind = 'a', B AS kind = 'b' AND B.v > Last(A.v)"
    restart, calls = Graph.restart, itertools.count()
    monkeypatch.setattr(Graph, "restart", lambda g: next(calls) == 1 and restart(g))
    query = query_of("A B*", define, partition="PARTITION BY k")
    rows = run(query, events, itertools.repeat(1), restart=True, out_of_order="0s")
    assert next(calls) > 3
    assert [(r["f"], len(r["m"])) for r in rows] == [(2, 2), (1, 2)]


def test_long_matches_need_no_stack():
    events = events_of(" ".join(["a1"] * 3000 + ["b2"]))
    query = query_of("A+ B", measures="First(A.v) AS f, Max(A.at) AS l", limit="day, 1")
    assert len(run(query, events)) == 3000
    slow = query_of("A+ B", "A AS A.v = 1, B AS B.v > Last(A.v)", limit="second, 50")
    assert len(run(slow, events[-200:])) == 49


def test_ambiguous_patterns_take_no_exponential_time():
    events = events_of(" ".join(["a1"] * 30))
    define = "A AS A.v = 1, B AS B.v = 1, C AS C.v > First(A.v) + First(B.v)"
    assert run(query_of("(A | B)* (A | B)* C", define), events) == []
    assert run(query_of("(A | A A)+ (A* A*)* B"), events) == []


ERRORS = [
    ("A+", "", "Max(ABS(A.v)) AS m", "Max in MATCH_RECOGNIZE takes a field, found a call"),
    ("A+", "", "Max(A.v + 1) AS m", "takes a field, found an expression"),
    ("A+", "", "Max(A) AS m", "Max takes a field"),
    ("A+", "", "Max(A.v, 1) AS m", "Max takes 1 argument, found 2"),
    ("A+", "", "COUNT(A.v) AS m", "COUNT cannot stand in MATCH_RECOGNIZE"),
    ("A+", "", "Last(A.v) OVER (LIMIT DURATION (second, 1)) AS m", "neither OVER nor DISTINCT"),
    ("A+", "", "Classifier(1) AS m", "Classifier.. takes no argument"),
    ("A+", "", "A.v AS m, B.v AS m", "two measures are named m"),
    ("A B", "A AS A.v > Max(B.v)", "", "B comes after A in PATTERN"),
    ("A B", "A AS A.v > B.v", "", "B comes after A in PATTERN"),
    ("A B", "A AS A.v = 1, A AS A.v = 2", "", "A is defined twice"),
    ("A B", "A AS Classifier() = 'x'", "", "Classifier.. stands only in MEASURES"),
    ("A B", "A AS A.v", "", "a value is no condition"),
    ("A{2000}", "", "", "the pattern has more than 1000 events"),
]


@pytest.mark.parametrize(("pattern", "define", "measures", "message"), ERRORS)
def test_errors(pattern, define, measures, message):
    with pytest.raises(BindError, match=message) as caught:
        run(query_of(pattern, define, measures), [])
    assert caught.value.span is not None


def test_a_definition_needs_its_variable_in_the_pattern():
    query = query_of("Start Stop", "Start AS v = 1").replace("Start AS", "Strat AS")
    with pytest.raises(BindError, match="PATTERN has no Strat") as caught:
        run(query, [])
    assert caught.value.hint == "did you mean Start?"


def test_limit_duration_is_needed():
    query = query_of("A").replace("LIMIT DURATION (minute, 1)", "")
    with pytest.raises(BindError, match="needs LIMIT DURATION"):
        run(query, [])


def test_remote_functions_are_refused():
    engine = streamql.Engine()
    engine.register("r", [])
    engine.model("score", "http://127.0.0.1:1/score")
    query = query_of("A", "A AS udf.score(A.v) > 1")
    with pytest.raises(BindError, match=r"udf.score is a remote function"):
        engine.sql(query)


def test_a_data_error_names_the_event():
    query = query_of("A B", "A AS A.kind = 'a', B AS 1 / (B.v - Last(A.v)) > 0")
    with pytest.raises(DataError) as caught:
        run(query, events_of("c1 a2 b2"))
    assert caught.value.event == 3
