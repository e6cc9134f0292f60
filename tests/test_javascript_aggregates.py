"""User aggregates in JavaScript, over ranges of rows and in queries."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from streamql import Engine
from streamql.column import Column, from_values, nulls
from streamql.errors import BindError, CompileError, FunctionError
from streamql.grouping.ranges import Ranges
from streamql.types import Type
from streamql.udf.javascript import (
    JavaScriptRuntime,
    is_aggregate,
    load_aggregate,
    load_function,
    portions,
)
from streamql.udf.javascript import aggregate as aggregate_module

SECOND = 10_000_000
NEW = datetime(2024, 3, 5, 8, 15, tzinfo=UTC)
MS = 0.001


def main(accumulate, result, init="", rest=""):
    return f"""function main() {{
  this.init = function () {{ {init} }};
  this.accumulate = function (value, timestamp) {{ {accumulate} }};
  this.computeResult = function () {{ return {result}; }};
  {rest}
}}"""


TOTAL = main("this.t += value;", "this.t", "this.t = 0;")
SEEN = main("this.seen.push(value);", "this.seen", "this.seen = [];")
ROWS_OUT = "this.deaccumulate = function (value, timestamp) { this.t -= value; this.left++; };"
HOPS_OUT = "this.deaccumulateState = function (o) { this.t -= o.t; this.left += 1 + o.left; };"


@pytest.fixture(scope="module")
def runtime():
    made = JavaScriptRuntime()
    yield made
    made.close()


@pytest.fixture
def strict():
    """A runtime of its own with tight limits, for what breaks isolates."""
    made = JavaScriptRuntime(timeout=0.4, max_heap=64 << 20)
    yield made
    made.close()


def over(runtime, source, values, ranges, times=None):
    aggregate = load_aggregate(runtime, "f", source, "f.js").make(None)
    column = values if isinstance(values, Column) else from_values(values)
    if times is None:
        times = np.arange(len(column)) * SECOND
    starts, ends = zip(*ranges, strict=True) if ranges else ((), ())
    spans = Ranges(np.array(starts, np.int64), np.array(ends, np.int64))
    return aggregate.over([column], times, spans)


def failure(runtime, source, values, ranges):
    with pytest.raises(FunctionError) as caught:
        over(runtime, source, values, ranges)
    return caught.value


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
    monkeypatch.setattr(runtime, "call", lambda *given: calls.append(1) or plain(*given))
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


# -- failures -------------------------------------------------------------------------------------


def test_an_exception_names_aggregate_row_and_line(runtime):
    source = "function main() {\n this.accumulate = function (v) {\n  v.length;\n };\n"
    source += " this.computeResult = function () { return 1; };\n}"
    error = failure(runtime, source, ["a", "b", "c", None, "d"], [(4, 5), (2, 4)])
    assert error.message == "uda.f: TypeError: Cannot read properties of null (reading 'length')"
    assert error.row == 3
    assert error.hint == "at f.js line 3, column 5"


@pytest.mark.parametrize(
    ("source", "row", "words"),
    [
        (main("", "(() => { throw new Error('no'); })()"), 2, "uda.f: Error: no"),
        (main("", "1 / 0"), 2, "uda.f returned Infinity, which has no SQL type"),
        (main("", "this.init"), 2, "uda.f returned a function, which has no SQL type"),
        (main("", "new Error('x')"), 2, "uda.f returned an Error object (Error: x)"),
        (main("", "1", "throw new Error('begin');"), 1, "uda.f: Error: begin"),
        (main("this.init();", "1", "if (this.n++) throw 'again'; this.n = 1;"), 1, '"again"'),
        (main("if (timestamp.getTime() === 2000) throw 7;", "1"), 2, "uda.f: threw 7"),
    ],
)
def test_whatever_fails(runtime, source, row, words):
    error = failure(runtime, source, [1, 2, 3, 4], [(1, 3)])
    assert words in error.message
    assert error.row == row


@pytest.mark.parametrize("rest", ["this.deaccumulate", "this.deaccumulateState"])
def test_what_fails_while_rows_leave(runtime, rest):
    source = main(
        "this.t += value;", "this.t", "this.t = 0;", rest + " = function () { throw 1; };"
    )
    error = failure(runtime, source, [1] * 9, [(0, 5), (1, 6)])
    assert (error.message, error.hint) == ("uda.f: threw 1", "in f.js")


def test_no_end_and_no_memory(strict):
    good = load_aggregate(strict, "good", TOTAL, "good.js").make(None)
    ranges = Ranges(np.array([0, 2]), np.array([2, 4]))
    column = from_values([1, 2, 3, 4])
    for source, words, row in (
        (main("while (value === 4);", "1"), "uda.f: no end after 0.4 s, at row 4 of the 4", 3),
        (main("", "(() => { for (;;); })()"), "uda.f: no end after 0.4 s, at row 2 of the 4", 1),
    ):
        error = failure(strict, source, [1, 2, 3, 4], [(0, 2), (2, 4)])
        assert words in error.message
        assert error.row == row
        assert good.over([column], np.arange(4), ranges).to_pylist() == [3, 7]


def test_too_much_memory():
    runtime = JavaScriptRuntime(timeout=30, max_heap=64 << 20)
    source = main("for (;;) this.a.push('x' + this.a.length);", "1", "this.a = [];")
    error = failure(runtime, source, [1, 2], [(0, 2)])
    assert error.message.startswith("uda.f: used more than 64 MB of memory, at row 1 of the 2")
    runtime.close()


def test_a_file_that_redefines_everything_breaks_only_itself():
    runtime = JavaScriptRuntime()
    hostile = """
    JSON.parse = JSON.stringify = () => 'broken'; globalThis.JSON = null; leaked = 1;
    Object.keys = Object.getPrototypeOf = () => { throw new Error('keys'); };
    String.prototype.substring = () => 'broken';
    globalThis.Float64Array = globalThis.Date = null;
    """
    values = [{"a": NEW}, None, "é😀x", 4]
    for source in (hostile + SEEN, SEEN):
        assert over(runtime, source, values, [(0, 4)]).to_pylist() == [values]
    assert over(runtime, main("leak = 1;", "typeof leak"), [1], [(0, 1)]).to_pylist() == ["number"]
    assert over(runtime, main("", "typeof leak"), [1], [(0, 1)]).to_pylist() == ["undefined"]
    runtime.close()


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error", "words", "hint"),
    [
        ("function main() { this.accumulate = function () {}; }", BindError,
         "f.js: main makes no aggregate, it has no computeResult", "this.computeResult = function"),
        ("function main() { this.computeResult = function () {}; }", BindError,
         "it has no accumulate", "write function main()"),
        (main("", "1", "", "this.deaccumulate = 5;"), BindError,
         "its deaccumulate is of type number", "write function main()"),
        (main("", "1").replace("computeR", "ComputeR"), BindError,
         "it has no computeResult", "found ComputeResult: upper and lower case differ"),
        ("function main() {\n  this.accumulate = nothing;\n}", CompileError,
         "f.js: ReferenceError: nothing is not defined, while main was constructed",
         "at f.js line 2, column 21"),
        ("var main = () => { this.accumulate = 1; };", CompileError, "not a constructor", None),
        ("function main() { this.accumulate = ; }", CompileError, "f.js, line 1", None),
        ("function a() { this.accumulate = 1; } function b() {}", BindError,
         "f.js defines a, b, none of them main or f", None),
    ],
)  # fmt: skip
def test_files_that_are_refused(source, error, words, hint):
    with Engine() as engine, pytest.raises(error) as caught:
        engine.javascript("f", source)
    assert words in caught.value.message
    assert hint is None or hint in caught.value.hint


def test_constructing_has_a_limit(strict):
    with pytest.raises(CompileError, match=r"no end after 0\.4 s, while main was constructed"):
        load_aggregate(strict, "f", "function main() { while (1); }", "f.js")


@pytest.mark.parametrize(
    "source",
    [
        "function main(x) { return x; }",
        "function main(x) { return x; } // this.accumulate = function () {}",
        "function main(x) { return accumulate(x); } function accumulate(x) { return x; }",
        "function main(x) { if (x === undefined) throw 'computeResult'; return x; }",
    ],
)
def test_functions_are_no_aggregates(runtime, source):
    assert not is_aggregate(runtime, "f", source, "f.js")
    function = load_function("f", source, "f.js", runtime)
    assert function.call([from_values([3])], 1).to_pylist() == [3]


# -- queries --------------------------------------------------------------------------------------

EVENTS = [
    {"at": "2024-03-05T08:00:01Z", "k": "a", "v": 4},
    {"at": "2024-03-05T08:00:02Z", "k": "b", "v": None},
    {"at": "2024-03-05T08:00:09Z", "k": "a", "v": 5},
    {"at": "2024-03-05T08:00:11Z", "k": "a", "v": 100},
]


def run(query, **sources):
    with Engine() as engine:
        for alias, source in sources.items():
            engine.javascript(alias, source)
        engine.register("r", EVENTS)
        return engine.sql(query).fetchall()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("k, UDA.seen(v) AS s FROM r TIMESTAMP BY at GROUP BY k, TumblingWindow(second, 10)",
         [{"k": "a", "s": [4, 5]}, {"k": "b", "s": [None]}, {"k": "a", "s": [100]}]),
        ("uda.Last(r) AS s FROM r TIMESTAMP BY at GROUP BY TumblingWindow(second, 10)",
         [{"s": "a5"}, {"s": "a100"}]),
        ("udf.half(uda.total(v)) AS s FROM r TIMESTAMP BY at WHERE v < 50"
         " GROUP BY SessionWindow(second, 5, 60) HAVING uda.total(v) > 0",
         [{"s": 2}, {"s": 2.5}]),
    ],
)  # fmt: skip
def test_queries(query, expected):
    found = run(
        f"SELECT {query}",
        seen=SEEN,
        total=TOTAL,
        last=main("this.last = value.k + value.v;", "this.last"),
        half="function half(x) { return x / 2; }",
    )
    assert found == expected


@pytest.mark.parametrize(
    ("call", "words", "hint"),
    [
        ("udf.total(v)", "unknown function udf.total", "call it as uda.total"),
        ("uda.half(v)", "unknown aggregate uda.half", "call it as udf.half"),
        ("uda.totl(v)", "unknown aggregate uda.totl", "did you mean uda.total"),
        ("uda.total(v, k)", "uda.total takes 1 argument, found 2", None),
        ("uda.total()", "uda.total takes 1 argument, found 0", None),
    ],
)
def test_calls_that_are_refused(call, words, hint):
    with pytest.raises(BindError) as caught:
        run(
            f"SELECT {call} AS x FROM r TIMESTAMP BY at GROUP BY TumblingWindow(second, 10)",
            total=TOTAL,
            half="function half(x) { return x / 2; }",
        )
    assert words in caught.value.message
    assert hint is None or hint in caught.value.hint


def test_the_last_of_one_alias_wins(tmp_path):
    query = "SELECT uda.f(v) AS x FROM r TIMESTAMP BY at GROUP BY TumblingWindow(minute, 1)"
    (tmp_path / "f.js").write_text(TOTAL)
    with Engine() as engine:
        engine.register("r", EVENTS)
        engine.javascript("F", ECHO)
        engine.functions_from(tmp_path)
        assert engine.sql(query).fetchall() == [{"x": 109}]
        engine.javascript("F", ECHO)
        with pytest.raises(BindError, match="unknown aggregate"):
            engine.sql(query)


ECHO = "function f(x) { return x; }"


def test_an_error_names_the_event():
    with pytest.raises(FunctionError) as caught:
        run(
            "SELECT uda.f(v) AS x FROM r TIMESTAMP BY at GROUP BY k, TumblingWindow(second, 10)",
            f=main("if (value === 5) throw new Error('five');", "1"),
        )
    assert caught.value.event == 3
