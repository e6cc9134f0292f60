"""User aggregates in JavaScript, over ranges of rows."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from javascript_aggregates import (
    HOPS_OUT,
    NEW,
    ROWS_OUT,
    SEEN,
    TOTAL,
    failure,
    main,
    over,
)

from streamql.column import Column, from_values, nulls
from streamql.types import Type
from streamql.udf.javascript import (
    JavaScriptRuntime,
    is_aggregate,
    portions,
)
from streamql.udf.javascript import aggregate as aggregate_module


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(0, 2), (2, 5)], [3, 28]),
        ([(2, 5), (0, 2)], [28, 3]),
        ([(0, 5), (1, 4), (3, 4), (0, 1)], [31, 14, 8, 1]),
        ([(1, 3), (1, 3), (1, 2)], [6, 6, 2]),
        ([(0, 0), (4, 5), (5, 5), (2, 2), (3, 1)], [None, 16, None, None, None]),
        ([(1, 1)], [None]),
        ([], []),
        ([(4, 5)], [16]),
    ],
)
@pytest.mark.parametrize("rest", ["", ROWS_OUT, HOPS_OUT, ROWS_OUT + HOPS_OUT])
def test_each_range_is_computed_by_itself(runtime, ranges, expected, rest):
    source = main("this.t += value;", "this.t", "this.t = 0; this.left = 0;", rest)
    assert over(runtime, source, [1, 2, 4, 8, 16], ranges).to_pylist() == expected


@pytest.mark.parametrize(
    "values",
    [
        [1, -5, None, 2**53],
        [1.5, None, 1e300],
        [1, 2.5, "x", None, True, {"a": [1, NEW]}, [], NEW],
        ["a", "", None, "é😀", "longer than thirteen characters"],
        [True, None, False],
        [None, NEW],
        [{"a": 1, "at": NEW}, None, {"a": "é😀"}],
        [[1, "x", None], [], None],
        [None, None],
    ],
)
def test_values_are_passed_as_they_are_and_null_too(runtime, values):
    places = [(0, len(values)), (1, len(values)), (1, 2)]
    expected = [values, values[1:], values[1:2]]
    assert over(runtime, SEEN, values, places).to_pylist() == expected
    for cut in (1, 2):
        column = from_values(["before", *values]).slice(cut, len(values) + 1 - cut)
        seen = over(runtime, SEEN, column, [(0, len(column))]).to_pylist()
        assert seen == [column.to_pylist()]


@pytest.mark.parametrize("value", [5, 2.5, "text", True, NEW, {"a": 1}, [1], None])
def test_constants(runtime, value):
    column = replace(from_values([value] * 3), constant=True)
    assert over(runtime, SEEN, column, [(1, 3)]).to_pylist() == [[value, value]]
    assert over(runtime, SEEN, nulls(2), [(0, 2)]).to_pylist() == [[None, None]]


@pytest.mark.parametrize(
    ("result", "expected", "kind"),
    [
        ("5.0", 5, Type.BIGINT),
        ("0.5", 0.5, Type.FLOAT),
        ("'text'", "text", Type.TEXT),
        ("true", True, Type.BIT),
        ("null", None, Type.NULL),
        ("undefined", None, Type.NULL),
        ("new Date(Date.UTC(2024, 2, 5, 8, 15))", NEW, Type.DATETIME),
        (
            "({ lo: 1, at: new Date(Date.UTC(2024, 2, 5, 8, 15)) })",
            {"lo": 1, "at": NEW},
            Type.RECORD,
        ),
        ("[1, 'x']", [1, "x"], Type.ARRAY),
        ("2n ** 62n", 2**62, Type.BIGINT),
    ],
)
def test_results_are_those_of_functions(runtime, result, expected, kind):
    column = over(runtime, main("", result), [1, 2, 3], [(0, 1), (0, 3)])
    assert column.type is kind
    assert column.to_pylist() == [expected, expected]


def test_results_may_differ_in_type(runtime):
    source = main("this.last = value;", "this.last")
    values = [1, "x", 2.5, None, [1], NEW]
    ranges = [(i, i + 1) for i in (5, 4, 3, 2, 1, 0)]
    assert over(runtime, source, values, ranges).to_pylist() == values[::-1]


def test_timestamps_are_dates_with_milliseconds(runtime):
    source = main(
        "this.seen.push(timestamp instanceof Date, timestamp.getTime());",
        "this.seen",
        "this.seen = [];",
    )
    times = np.array([-1, 0, 10_009_999, 17_000_000_000_000_000])
    (found,) = over(runtime, source, [1] * 4, [(0, 4)], times).to_pylist()
    assert found == [True, -1, True, 0, True, 1000, True, 1_700_000_000_000]


def test_level_1_1_has_no_booleans():
    old = JavaScriptRuntime(bits_as_numbers=True)
    for values in ([True, False, None], [True, "x", None]):
        given = [int(v) if isinstance(v, bool) else v for v in values]
        assert over(old, SEEN, values, [(0, 3)]).to_pylist() == [given]
    result = over(old, main("", "true"), [1], [(0, 1)])
    assert (result.type, result.to_pylist()) == (Type.BIGINT, [1])
    old.close()


def test_what_a_range_does_to_a_record_is_not_seen_by_the_next(runtime):
    source = main("value.n += 1; this.n = value.n;", "this.n")
    assert over(runtime, source, [{"n": 1}], [(0, 1)] * 3).to_pylist() == [2, 2, 2]


def test_init_is_optional_and_classes_and_prototypes_will_do(runtime):
    for source in (
        "function main() { this.t = 0; this.accumulate = function (v) { this.t += v; };"
        " this.computeResult = function () { return this.t; }; }",
        "class main { t = 0; accumulate(v) { this.t += v; } computeResult() { return this.t; } }",
        "function main() { this.t = 0; } main.prototype.accumulate = function (v) { this.t += v; };"
        " main.prototype.computeResult = function () { return this.t; };",
        "function F() { this.t = 0; Object.assign(this, { accumulate(v) { this.t += v; },"
        " computeResult() { return this.t; } }); } function other() {}",
    ):
        assert is_aggregate(runtime, "f", source, "f.js")
        assert over(runtime, source, [1, 2, 4], [(0, 3), (1, 2)]).to_pylist() == [7, 2]


# -- states that go on ----------------------------------------------------------------------------


def sliding(count, width):
    return [(max(0, i - width), i) for i in range(1, count)]


def outgoing(rest):
    """An aggregate that tells its total, and how often something was taken out of it."""
    return main("this.t += value;", "[this.t, this.left]", "this.t = 0; this.left = 0;", rest)


@pytest.mark.parametrize("rest", [ROWS_OUT, HOPS_OUT])
def test_whole_numbers_are_taken_out(runtime, rest):
    ranges = [(0, 5), (1, 6), (2, 8), (4, 9)]
    values = [1, 2, None, 8, 16, 32, 64, 128, 256]
    found = over(runtime, outgoing(rest), values, ranges[::-1]).to_pylist()[::-1]
    assert [total for total, _ in found] == [sum(v or 0 for v in values[a:b]) for a, b in ranges]
    assert [left for _, left in found] == ([0, 1, 2, 4] if rest is ROWS_OUT else [0, 1, 2, 3])


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([0.1, 0.2, 0.3] * 10, id="fractions"),
        pytest.param([2**53 - 2, 1, 2, 1, 1, 1] * 5, id="beyond 2^53"),
        pytest.param([1, 2, 3, 0.7, 5, 6, 7, 0.1, 0.2, 0.3] * 3, id="fractions later"),
        pytest.param([2**26, 1e-10] + [1] * 28, id="fractions that do not show"),
        pytest.param([2**40, 0.00001] + [1] * 28, id="fractions that do not show in large sums"),
    ],
)
@pytest.mark.parametrize("rest", [ROWS_OUT, HOPS_OUT])
def test_a_result_does_not_depend_on_earlier_ranges(runtime, values, rest):
    source = main("this.t += value;", "this.t", "this.t = 0; this.left = 0;", rest)
    ranges = sliding(30, 5)
    together = over(runtime, source, values, ranges).to_pylist()
    alone = [over(runtime, source, values[a:b], [(0, b - a)]).to_pylist()[0] for a, b in ranges]
    assert together == alone == over(runtime, TOTAL, values, ranges).to_pylist()


@pytest.mark.parametrize(
    ("init", "accumulate", "take_out"),
    [
        ("this.seen = [];", "this.seen.push(value)", "this.seen.shift()"),
        ("this.s = {};", "this.s[value] = 1", "delete this.s[value]"),
        ("this.s = new Map();", "this.s.set(value, 1)", "this.s.delete(value)"),
        ("", "hidden += value", "hidden -= value"),
    ],
)
def test_a_state_that_is_no_fixed_set_of_numbers_is_made_anew(runtime, init, accumulate, take_out):
    rest = (
        f"var hidden = 0, left = 0; this.deaccumulate = function (value) {{ left++; {take_out}; }};"
    )
    source = main(accumulate, "left === 0", init, rest)
    assert over(runtime, source, [1, 2, 3, 4, 5] * 4, sliding(20, 5)).to_pylist() == [True] * 19


def test_nested_numbers_count_as_a_state(runtime):
    source = main(
        "this.s.n += 1; this.s.buckets[value % 2] += value;",
        "this.s.left * 1000 + this.s.n",
        "this.s = { n: 0, left: 0, buckets: [0, 0] };",
        "this.deaccumulate = function (value) {"
        " this.s.n -= 1; this.s.left += 1; this.s.buckets[value % 2] -= value; };",
    )
    found = over(runtime, source, list(range(7)), [(0, 4), (1, 5), (2, 7)]).to_pylist()
    assert found == [4, 1004, 2005]


def test_ranges_that_share_little_are_computed_anew(runtime):
    found = over(runtime, outgoing(ROWS_OUT), [1] * 20, [(0, 5), (4, 9), (10, 14), (11, 13)])
    assert found.to_pylist() == [[5, 0], [5, 0], [4, 0], [2, 0]]


# -- many calls -----------------------------------------------------------------------------------


@pytest.fixture(params=["rows", "bytes", "steps"])
def narrow(request, monkeypatch):
    """Every call of V8 takes few rows, few bytes, or few steps."""
    if request.param == "rows":
        monkeypatch.setattr(portions, "MOST_ROWS", 3)
        monkeypatch.setattr(aggregate_module, "MOST_ROWS", 3)
    elif request.param == "bytes":
        monkeypatch.setattr(portions, "_MOST_BYTES", 6)
    else:
        monkeypatch.setattr(aggregate_module, "_MOST_STEPS", 4)


@pytest.mark.parametrize("rest", ["", "this.deaccumulate = function () { this.t = 'wrong'; };"])
@pytest.mark.parametrize("values", [list("abcdefghij"), [None, "äö", 1, 2.5, NEW, True] * 2])
@pytest.mark.usefixtures("narrow")
def test_ranges_longer_than_a_call(runtime, values, rest):
    source = main("this.seen.push(value);", "this.seen", "this.seen = [];", rest)
    count = len(values)
    ranges = [(0, count), (3, 5), (0, 0), (1, 9), (9, count), (2, 3), (2, 8), (2, 2), (5, 6)]
    expected = [values[a:b] or None for a, b in ranges]
    assert over(runtime, source, values, ranges).to_pylist() == expected
    error = failure(
        runtime, main("if (value === 1) throw 1;", "1"), [0] * 8 + [1, 0], [(0, 1), (1, 10)]
    )
    assert error.row == 8


@pytest.mark.usefixtures("narrow")
def test_states_that_go_on_in_several_calls(runtime):
    for values in (list(range(40)), [v / 10 for v in range(40)], list(range(30)) + [0.3] * 10):
        source = main("this.t += value;", "this.t", "this.t = 0; this.left = 0;", ROWS_OUT)
        ranges = [*sliding(40, 6), (0, 40)]
        found = over(runtime, source, values, ranges).to_pylist()
        assert found == over(runtime, TOTAL, values, ranges).to_pylist()
        assert found[5] == sum(values[:6])


def test_no_call_takes_too_many_steps(runtime, monkeypatch):
    """Sums of fractions are made anew: more steps than the sums of whole numbers promised."""
    monkeypatch.setattr(aggregate_module, "_MOST_STEPS", 20)
    calls = []
    plain = runtime.call
    monkeypatch.setattr(
        runtime, "call", lambda *given, **named: calls.append(1) or plain(*given, **named)
    )
    source = main("this.t += value;", "this.t", "this.t = 0; this.left = 0;", ROWS_OUT)
    for values, least, most in ([1] * 40, 0, 8), ([0.1] * 40, 12, 99):
        calls.clear()
        over(runtime, source, values, sliding(40, 10))
        assert least <= len(calls) <= most


def test_many_rows(runtime):
    count = 400_000
    column = Column(Type.BIGINT, pa.array(np.arange(count)))
    found = over(runtime, TOTAL, column, [(0, count), (5, 7), (100_000, 399_999)]).to_pylist()
    assert found == [count * (count - 1) // 2, 11, sum(range(100_000, 399_999))]
