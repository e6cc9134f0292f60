"""JavaScript in a job: shared helpers, console, limits of one function."""

import logging
from datetime import UTC, datetime

import pytest
from javascript_calls import call, failure

from streamql.column import from_values
from streamql.engine import Engine
from streamql.errors import CompileError, FunctionError, UsageError
from streamql.udf.javascript import JavaScriptRuntime, SourceFile, load_function

START = datetime(2024, 3, 5, 8, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """Return a function that writes files into a folder and gives its path."""

    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path

    return write


# -- helpers ----------------------------------------------------------------------------------


def test_helpers_are_there_for_functions_and_aggregates(folder):
    path = folder(
        _a="const FACTOR = 2;\nfunction twice(x) { return x * FACTOR; } // the end",
        _b="'use strict';\nconst four = (x) => twice(twice(x));",
        one="function one(x) { return four(x) + (typeof main); }",
        own="const FACTOR = 100; function own(x) { return twice(x) + FACTOR; }",
        total="function main() { this.accumulate = function (v) { this.t = (this.t || 0) + "
        "twice(v); }; this.computeResult = function () { return this.t; }; }",
    )
    with Engine() as engine:
        engine.functions_from(path)
        engine.register("input", [{"x": 1}, {"x": 2}])
        rows = engine.sql("SELECT udf.one(x) AS a, udf.own(x) AS b FROM input").fetchall()
        assert [tuple(r.values()) for r in rows] == [("4undefined", 102), ("8undefined", 104)]
        query = "SELECT uda.total(x) AS t FROM input GROUP BY TumblingWindow(day, 1)"
        assert [r["t"] for r in engine.sql(query).fetchall()] == [6]
        with pytest.raises(CompileError, match=r"unknown function udf\._a"):
            engine.sql("SELECT udf._a(x) FROM input")


def test_functions_do_not_share_the_state_of_helpers(runtime):
    library = [SourceFile("_lib.js", "let count = 0; function next() { return ++count; }")]
    source = "function f() { return next(); }"
    for _ in range(2):
        function = load_function("f", source, "f.js", runtime, library=library)
        assert function.call([], 1).to_pylist() == [1]


LIBRARY = [
    SourceFile("_a.js", "const a = 1;\n\nfunction bad(x) {\n  return x.y.z;\n}\n"),
    SourceFile("_b.js", "function worse(x) { return bad(x); }"),
]


def test_errors_in_helpers_have_the_place_there_and_of_the_caller(runtime):
    source = "// first\nfunction f(x) {\n\treturn worse(x);\n}"
    function = load_function("f", source, "f.js", runtime, library=LIBRARY)
    with pytest.raises(FunctionError) as caught:
        function.call([from_values([{"a": 1}])], 1)
    assert caught.value.hint == (
        "at _a.js line 4, column 14\n  |   return x.y.z;\n  |              ^\n"
        "  called at f.js line 3, column 9"
    )
    own = load_function("f", "\nfunction f(x) { return x.y.z; }", "f.js", runtime, library=LIBRARY)
    with pytest.raises(FunctionError) as caught:
        own.call([from_values([{"a": 1}])], 1)
    assert caught.value.hint.startswith("at f.js line 2, column 28\n")


@pytest.mark.parametrize(
    ("library", "source", "words"),
    [
        (["const a = 1;", "let b;\nconst a = 2;"], "", "_1.js, line 2, column 7: SyntaxError"),
        (["const a = ;"], "", "_0.js, line 1, column 11: SyntaxError"),
        (["function g() {"], "", "_0.js, line 1: SyntaxError: Unexpected end of input at the end"),
        (["}); hostile(); (function () {"], "", "_0.js, line 1, column 1: SyntaxError"),
        (["", "var a;"], "\n\nvar b = ;", "f.js, line 3, column 9: SyntaxError"),
        (
            ["throw new Error('no');"],
            "function f() {}",
            "f.js: Error: no, while the file was loaded",
        ),
        (["return 5;"], "function f() {}", "a return statement outside"),
    ],
)
def test_helpers_that_do_not_load(runtime, library, source, words):
    files = [SourceFile(f"_{i}.js", text) for i, text in enumerate(library)]
    with pytest.raises(CompileError) as caught:
        load_function("f", source, "f.js", runtime, library=files)
    assert words in caught.value.message


def test_a_long_line_is_cut_around_the_column(runtime):
    error = failure(runtime, f"function f(x) {{ {'x;' * 400} return x.y.z; {'x;' * 400} }}", [{}])
    place, line, caret = error.hint.split("\n")
    assert place == "at f.js line 1, column 829"
    assert len(line) <= 104
    assert line[len(caret) - 1] == "z"


# -- console ----------------------------------------------------------------------------------


def test_console_goes_to_the_log(runtime, caplog):
    source = """
    console.log('loading');
    function f(x) {
      console.debug('d'); console.log('\\u00e9\\ud83d\\ude00', x, 1n, Symbol('s'), f); console.info();
      console.warn(new TypeError('no'), undefined); console.error({ get a() { throw 1; } });
      console.assert(x, 'fine'); console.assert(!x, 'not', 'fine'); console.group('nothing');
      console.log = 5;
      return x;
    }"""
    with caplog.at_level(logging.DEBUG, "streamql.javascript"):
        assert call(runtime, source, [{"at": START}]).to_pylist() == [{"at": START}]
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("INFO", "f.js console.log: loading"),
        ("DEBUG", "udf.f console.debug: d"),
        ("INFO", 'udf.f console.log: é😀 {"at":"2024-03-05T08:00:00.000Z"} 1 Symbol(s) a function'),
        ("INFO", "udf.f console.log: "),
        ("WARNING", "udf.f console.warn: TypeError: no undefined"),
        ("ERROR", "udf.f console.error: an object that cannot be shown"),
        ("ERROR", "udf.f console.error: Assertion failed: not fine"),
    ]


def test_console_is_bounded(runtime, caplog):
    with caplog.at_level(logging.INFO, "streamql.javascript"):
        call(runtime, "function f(x) { console.log(x, 'a'.repeat(1e6)); }", list(range(70_025)))
    messages = [r.message for r in caplog.records]
    assert len(messages) == 21
    assert messages[19].startswith("udf.f console.log: 19 aaa")
    assert max(map(len, messages)) < 450
    assert messages[20] == "udf.f console: 70,005 more messages of this batch"


def test_console_of_a_call_that_does_not_end(caplog):
    runtime = JavaScriptRuntime(timeout=0.3)
    with caplog.at_level(logging.INFO, "streamql.javascript"):
        failure(runtime, "function f(x) { console.log('at', x); while (x); }", [0, 1])
    assert [r.message for r in caplog.records] == [
        "udf.f console.log: at 0",
        "udf.f console.log: at 1",
    ]
    runtime.close()


# -- limits -----------------------------------------------------------------------------------


def test_limits_of_one_function(folder):
    path = folder(
        slow="function slow(x) { while (x); return 1; }",
        quick="function quick(x) { return 2; }",
    )
    with Engine(functions={"SLOW": {"js_timeout": "200ms"}}, js_timeout=60) as engine:
        engine.functions_from(path)
        engine.register("input", [{"x": 1}])
        with pytest.raises(FunctionError, match=r"udf\.slow: no end after 0\.2 s"):
            engine.sql("SELECT udf.slow(x) AS y FROM input").fetchall()
        assert engine.sql("SELECT udf.quick(x) + udf.slow(0) AS y FROM input").fetchall() == [
            {"y": 3}
        ]


@pytest.mark.parametrize(
    ("name", "value", "words", "hint"),
    [
        ("js_timout", "1s", "f is a JavaScript function and has no setting", "js_timeout"),
        ("js_timeout", "soon", "f.js_timeout takes a duration", None),
        ("batch_rows", "5", "has no setting 'batch_rows'", "there is js_timeout"),
    ],
)
def test_settings_that_do_not_fit(name, value, words, hint):
    engine = Engine(functions={"f": {name: value}})
    with pytest.raises(UsageError) as caught:
        engine.javascript("f", "function f() {}")
    assert words in caught.value.message
    assert hint is None or hint in caught.value.hint


@pytest.mark.parametrize("value", ["aé" * 6, {"k": "abcdefgh"}, ["abcdefghijk"]])
def test_too_long_texts_are_refused(value):
    runtime = JavaScriptRuntime(max_text=14)
    echo = "function f(a, b) { return b; }"
    assert call(runtime, echo, [1] * 3, ["abcdefghijkl"] * 3).to_pylist() == ["abcdefghijkl"] * 3
    error = failure(runtime, echo, [1] * 3, ["a", value, "b"])
    assert "udf.f: argument 2 has 1" in error.message
    assert "more than the 14 that are handed to JavaScript" in error.message
    assert "js_max_text" in error.hint
    assert error.row == 1
    runtime.close()


@pytest.mark.parametrize(
    "body",
    [
        "/x/g[Symbol.match]('x'.repeat(2 ** 28))",
        "/x/[Symbol.split]('x'.repeat(2 ** 28))",
        "'x'.repeat(2 ** 28).replace(/x/g, (c) => c)",
        "JSON.parse('['.padEnd(2 ** 28, '1,') + '1]')",
    ],
)
def test_steps_that_would_end_the_process_are_refused(runtime, body):
    error = failure(runtime, f"function f(x) {{ return ({body}).length; }}", [0])
    assert error.message == "udf.f: RangeError: Invalid array length"


def test_regular_expressions_work_as_ever(runtime):
    source = """function f(x) { return [
      x.match(/b/g).length, x.match(/(b)/)[1], x.split(/b/), x.replace(/b/g, (c) => c + c),
      x.replace(/b/, '-'), [...x.matchAll(/b/g)].length, JSON.parse('[1]', (k, v) => v)]; }"""
    assert call(runtime, source, ["abcb"]).to_pylist() == [
        [2, "b", ["a", "c", ""], "abbcbb", "a-cb", 2, [1]]
    ]
