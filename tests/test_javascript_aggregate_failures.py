"""User aggregates in JavaScript: what fails, files, and queries."""

import numpy as np
import pytest
from javascript_aggregates import NEW, SEEN, TOTAL, failure, main, over

from streamql import Engine
from streamql.column import from_values
from streamql.errors import BindError, CompileError, FunctionError
from streamql.grouping.ranges import Ranges
from streamql.udf.javascript import (
    JavaScriptRuntime,
    is_aggregate,
    load_aggregate,
    load_function,
)

# -- failures -------------------------------------------------------------------------------------


def test_an_exception_names_aggregate_row_and_line(runtime):
    source = "function main() {\n this.accumulate = function (v) {\n  v.length;\n };\n"
    source += " this.computeResult = function () { return 1; };\n}"
    error = failure(runtime, source, ["a", "b", "c", None, "d"], [(4, 5), (2, 4)])
    assert error.message == "uda.f: TypeError: Cannot read properties of null (reading 'length')"
    assert error.row == 3
    assert error.hint == "at f.js line 3, column 5\n  |   v.length;\n  |     ^"


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
