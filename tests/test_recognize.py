"""MATCH_RECOGNIZE end to end: a table of patterns, and random ones against a plain matcher."""

from __future__ import annotations

import itertools
import random
import re
from datetime import datetime

import pytest

import streamql
from streamql.errors import BindError, DataError

ALL_AT_ONCE = None


def _time(second):
    return f"2024-03-05T08:{second // 60:02}:{second % 60:02}Z"


def _events(text, first=0):
    """`a1 b2 . c3`: an event a second of this kind and value; `.` is a second without one."""
    return [
        {"at": _time(first + i), "kind": word[0], "v": int(word[1:] or 0)}
        for i, word in enumerate(text.split())
        if word != "."
    ]


def _run(query, events, cut=ALL_AT_ONCE, restart=False):
    with streamql.Engine() as engine:
        engine.register("r", events)
        engine.cut = cut
        engine.restart = restart
        return engine.sql(query).fetchall()


def _in_every_way(query, events):
    """Return the rows, after a check that they are the same however the input is cut."""
    whole = _run(query, events)
    assert _run(query, events, itertools.repeat(1)) == whole
    assert _run(query, events, itertools.repeat(1), restart=True) == whole
    sizes = random.Random(len(events))
    cut = iter(lambda: sizes.randint(1, 4), 0)
    assert _run(query, events, cut, restart=True) == whole
    return whole


def _query(pattern, define="", measures="", limit="minute, 1", partition="", select="*"):
    define = define or "A AS A.kind = 'a', B AS B.kind = 'b', C AS C.kind = 'c'"
    used = [d for d in define.split(", ") if d.split()[0] in pattern] or [f"{pattern[0]} AS v = 1"]
    return (
        f"SELECT {select} FROM r TIMESTAMP BY at MATCH_RECOGNIZE (LIMIT DURATION ({limit}) "
        f"{partition} MEASURES {measures or 'Classifier() AS m, First(v) AS f'} "
        f"AFTER MATCH SKIP TO NEXT ROW PATTERN ({pattern}) DEFINE {', '.join(used)}) AS T"
    )


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
    rows = _in_every_way(_query(pattern), _events(events))
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
    rows = _in_every_way(_query(pattern, limit=limit), _events(events))
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
    events = _events(events)
    query = _query(pattern, define, "Classifier() AS m, First(id) AS f")
    for number, event in enumerate(events):
        event["id"] = number
    rows = _in_every_way(query, events)
    values = [str(e["v"]) for e in events]
    found = [(r["f"], " ".join(values[r["f"] : r["f"] + len(r["m"])])) for r in rows]
    assert [text for _, text in sorted(found)] == expected


MEASURES = [
    ("First(A.v) AS x, Last(A.v) AS y, Min(A.v) AS z, Max(A.v) AS w", [3, 2, 1, 3]),
    ("A.v AS x, B.v AS y, C.v AS z, v AS w", [2, 9, None, 9]),
    ("Last(B.v) - First(A.v) AS x, Max(v) AS y, Min(r.v) AS z, UPPER(Last(kind)) AS w",
     [6, 9, 1, "B"]),
    ("System.Timestamp() AS x, DATEDIFF(second, First(A.at), Last(B.at)) AS y, 1 AS z, "
     "First(C.v) AS w", [_time(3), 3, 1, None]),
    ("First(A.n.x) AS x, Last(A.n.x) AS y, Min(A.n.x) AS z, Max(A.n.x) AS w", [None, 2, 1.5, 2]),
    ("First(A.s) AS x, Last(A.s) AS y, Min(A.s) AS z, Max(A.s) AS w", ["b", "c", "a", "c"]),
]  # fmt: skip


@pytest.mark.parametrize(("measures", "expected"), MEASURES)
def test_measures(measures, expected):
    events = _events("a3 a1 a2 b9")
    for event, inner, text in zip(events, [None, 1.5, 2, 7], "bacx", strict=True):
        event.update(n={"x": inner}, s=text)
    rows = _in_every_way(_query("A+ (B | C)", measures=measures), events)
    assert list(rows[0]) == ["x", "y", "z", "w"]
    assert [_text(v) for v in rows[0].values()] == [_text(v) for v in expected]


def _text(value):
    return f"{value:%FT%TZ}" if isinstance(value, datetime) else str(value)


def test_partitions_do_not_meet_and_results_come_in_order_of_time():
    events = [
        {"at": _time(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [
            (0, "x", "a"), (1, "y", "a"), (2, None, "a"), (3, "y", "b"), (4, "x", "b"),
            (5, None, "b"), (6, "x", "a"), (6, "x", "b"),
        ]
    ]  # fmt: skip
    measures = "Last(A.k) AS k, First(v) AS f, Last(v) AS l"
    rows = _in_every_way(_query("A B", measures=measures, partition="PARTITION BY k"), events)
    assert [(r["k"], r["f"], r["l"]) for r in rows] == [
        ("y", 1, 3), ("x", 0, 4), (None, 2, 5), ("x", 6, 6)
    ]  # fmt: skip


def test_an_open_match_does_not_hold_back_what_must_end_before_it():
    events = [
        {"at": _time(s), "k": k, "kind": kind, "v": s}
        for s, k, kind in [(0, 1, "a"), (1, 2, "a"), (2, 2, "b"), (5, 1, "b")]
    ]
    rows = _in_every_way(_query("A+ B", partition="PARTITION BY k"), events)
    assert [r["f"] for r in rows] == [1, 0]


def test_measures_are_columns_of_the_alias():
    query = _query("A B", select="T.f + 1 AS g, System.Timestamp() AS t") + " WHERE f > 1"
    rows = _in_every_way(query, _events("a1 b2 a3 b4"))
    assert [(r["g"], _text(r["t"])) for r in rows] == [(4, _time(3))]


def test_windows_after_matches_get_every_match():
    query = (
        f"WITH m AS ({_query('A+')}) "
        "SELECT COUNT(*) AS n, System.Timestamp() AS t FROM m GROUP BY TumblingWindow(second, 2)"
    )
    rows = _in_every_way(query, _events("a1 a2 a3 b4 a5 . . b6 a7"))
    assert [r["n"] for r in rows] == [3, 1, 1]


def test_long_matches_need_no_stack():
    events = _events(" ".join(["a1"] * 3000 + ["b2"]))
    query = _query("A+ B", measures="First(A.v) AS f, Max(A.at) AS l", limit="day, 1")
    assert len(_run(query, events)) == 3000
    slow = _query("A+ B", "A AS A.v = 1, B AS B.v > Last(A.v)", limit="second, 50")
    assert len(_run(slow, events[-200:])) == 49


def test_ambiguous_patterns_take_no_exponential_time():
    events = _events(" ".join(["a1"] * 60))
    define = "A AS A.v = 1, B AS B.v = 1, C AS C.v > First(A.v) + First(B.v)"
    assert _run(_query("(A | B)* (A | B)* C", define), events) == []
    assert _run(_query("(A | A A)+ (A* A*)* B"), events) == []


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
        _run(_query(pattern, define, measures), [])
    assert caught.value.span is not None


def test_a_definition_needs_its_variable_in_the_pattern():
    query = _query("Start End", "Start AS v = 1").replace("Start AS", "Strat AS")
    with pytest.raises(BindError, match="PATTERN has no Strat") as caught:
        _run(query, [])
    assert caught.value.hint == "did you mean Start?"


def test_limit_duration_is_needed():
    query = _query("A").replace("LIMIT DURATION (minute, 1)", "")
    with pytest.raises(BindError, match="needs LIMIT DURATION"):
        _run(query, [])


def test_remote_functions_are_refused():
    engine = streamql.Engine()
    engine.register("r", [])
    engine.model("score", "http://127.0.0.1:1/score")
    query = _query("A", "A AS udf.score(A.v) > 1")
    with pytest.raises(BindError, match=r"udf.score is a remote function"):
        engine.sql(query)


def test_a_data_error_names_the_event():
    query = _query("A B", "A AS A.kind = 'a', B AS 1 / (B.v - Last(A.v)) > 0")
    with pytest.raises(DataError) as caught:
        _run(query, _events("c1 a2 b2"))
    assert caught.value.event == 3


def _matches(pattern, kinds, times, limit, index, path):
    """Yield the ways to match `pattern` (nested tuples) from `index`, the preferred one first."""
    match pattern:
        case str():
            fits = index < len(kinds) and (pattern in (".", kinds[index].upper()))
            if fits and times[index] - times[path[0][0] if path else index] < limit:
                yield [*path, (index, pattern)]
        case ("seq", *parts):
            if not parts:
                yield path
            else:
                for found in _matches(parts[0], kinds, times, limit, index, path):
                    after = index + len(found) - len(path)
                    yield from _matches(("seq", *parts[1:]), kinds, times, limit, after, found)
        case ("or", *options):
            for option in options:
                yield from _matches(option, kinds, times, limit, index, path)
        case ("*", part):
            for found in _matches(part, kinds, times, limit, index, path):
                if len(found) > len(path):
                    after = index + len(found) - len(path)
                    yield from _matches(pattern, kinds, times, limit, after, found)
            yield path
        case ("+", part):
            yield from _matches(("seq", part, ("*", part)), kinds, times, limit, index, path)
        case ("?", part):
            yield from _matches(("or", part, ("seq",)), kinds, times, limit, index, path)


def _random_pattern(random_, depth):
    kind = random_.choice(["leaf", "leaf", "seq", "or", "+", "*", "?"] if depth else ["leaf"])
    match kind:
        case "leaf":
            return random_.choice("ABC.")
        case "seq" | "or":
            parts = [_random_pattern(random_, depth - 1) for _ in range(random_.randint(2, 3))]
            return (kind, *parts)
        case _:
            return (kind, _random_pattern(random_, depth - 1))


def _written(pattern):
    match pattern:
        case str():
            return pattern
        case ("seq", *parts):
            return "(" + " ".join(map(_written, parts)) + ")"
        case ("or", *options):
            return "(" + " | ".join(map(_written, options)) + ")"
        case (sign, part):
            return f"({_written(part)}){sign}"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("asking", [False, True])
def test_random_patterns_match_as_a_plain_matcher_says(seed, asking):
    random_ = random.Random(seed)
    pattern = _random_pattern(random_, 3)
    if not set("ABC") & set(_written(pattern)):
        pattern = ("seq", pattern, ("?", "C"))
    seconds = list(itertools.accumulate(random_.choice([0, 1, 1, 2]) for _ in range(25)))
    kinds = random_.choices("abc", weights=[5, 3, 2], k=len(seconds))
    limit = random_.randint(1, 12)
    expected = []
    for start in range(len(kinds)):
        ways = _matches(pattern, kinds, seconds, limit, start, [])
        best = next((way for way in ways if way), None)
        if best is not None:
            expected.append((best[-1][0], start, [name for _, name in best]))
    events = [
        {"at": _time(s), "kind": k, "v": i}
        for i, (s, k) in enumerate(zip(seconds, kinds, strict=True))
    ]
    define = "A AS A.kind = 'a', B AS B.kind = 'b', C AS C.kind = 'c'"
    if asking:  # what this adds is never true, but it looks at bound events
        define = re.sub(r"= '\w'", lambda m: f"{m[0]} OR Last(kind) <> Last(kind)", define)
    query = _query(_written(pattern), define, "Classifier() AS m, First(v) AS f, Last(v) AS l",
                   limit=f"second, {limit}")  # fmt: skip
    rows = _in_every_way(query, events)
    assert [(r["l"], r["f"], r["m"]) for r in rows] == sorted(expected)
