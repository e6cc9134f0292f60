"""JavaScript files: which function is called, with how many arguments, and what is refused."""

import pytest
from javascript_calls import ECHO

from streamql.column import from_values
from streamql.errors import BindError, CompileError, FunctionError, Span
from streamql.functions.registry import Volatility
from streamql.types import Type
from streamql.udf.javascript import load_function

HERE = Span(0, 1)


@pytest.mark.parametrize(
    ("alias", "source"),
    [
        ("f", "function main(x) { return g(x); } function f() {} function g(x) { return x + 1; }"),
        ("f", "function f(x) { return g(x); } function g(x) { return x + 1; }"),
        ("ADD", "function other() {} function add(x) { return x + 1; }"),
        ("f", "function whatever(x) { return x + 1; }"),
        ("f", "const inc = (x) => x + 1;"),
        ("f", "var inc = x => x + 1;"),
        ("f", "let one = 1, inc = function (x) { return x + one; };"),
        ("f", "'use strict'; var one = 1; function f(x) { return x + one; } // the end"),
        ("f", "one = 1; function f(x) { return x + one; }"),
        ("f", "globalThis.one = 1; JSON = null; function f(x) { return x + one; }"),
        ("f", "function JSON(x) { return x + 1; }"),
    ],
)
def test_entry(runtime, alias, source):
    function = load_function(alias, source, "file.js", runtime)
    assert function.call([from_values([1])], 1).to_pylist() == [2]
    assert function.call([from_values([2, 3])], 2).to_pylist() == [3, 4]


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("function f(x) {\n  return x +;\n}", CompileError, "f.js, line 2, column 13: SyntaxError"),
        ("function f(x) {", CompileError, "at the end of the file"),
        ("function f(x) {\n}\n}", CompileError, "f.js, line 3, column 1: SyntaxError"),
        ("/* never closed", CompileError, "f.js, line 1"),
        ("}); hostile(); (function () {", CompileError, "SyntaxError"),
        ("var a = 1;\nthrow new Error('no');", CompileError, "f.js: Error: no"),
        ("return 5;", CompileError, "return statement outside"),
        ("var a = 1;", BindError, "f.js defines no function"),
        ("", BindError, "f.js defines no function"),
        ("function a() {} function b() {}", BindError, "f.js defines a, b, none of them main or f"),
        ("class f {}", BindError, "f is a class"),
        ("async function f() {}", BindError, "f is an async function"),
        ("function* f() {}", BindError, "f is a generator"),
    ],
)
def test_files_that_do_not_load(runtime, source, error, words):
    with pytest.raises(error) as caught:
        load_function("f", source, "f.js", runtime)
    assert words in caught.value.message
    assert "streamql-udf" not in f"{caught.value.message}{caught.value.hint}"


def test_a_syntax_error_shows_the_line(runtime):
    with pytest.raises(CompileError) as caught:
        load_function("f", "function f(x) {\n  return x +;\n}", "dir/f.js", runtime)
    assert caught.value.message.startswith("dir/f.js, line 2")
    assert caught.value.hint == "the line is:\n  |   return x +;\n  |             ^"


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        ("function f(a, b) {}", [2], [0, 1, 3]),
        ("function f() {}", [0], [1]),
        ("f = x => x", [1], [0, 2]),
        ("function f(a, b = 'x, (', /* c, */ d) {}", [1, 2, 3], [0, 4]),
        ("function f(a, ...rest) {}", [1, 2, 9], [0]),
        ("function f({ a, b }, [c]) {}", [2], [1, 4]),
        ("function f(a) { return arguments.length; }", [0, 1, 5], []),
        ("function f(a) { return a.arguments; }", [1], [0, 2]),
    ],
)
def test_argument_counts(runtime, source, good, bad):
    function = load_function("f", source, "f.js", runtime)
    for count in good:
        assert function.check([Type.ANY] * count, HERE, [HERE] * count) is Type.ANY
    for count in bad:
        with pytest.raises(BindError, match=rf"udf\.f takes .* argument.*, found {count}"):
            function.check([Type.ANY] * count, HERE, [HERE] * count)


def test_wrong_count_names_the_parameters(runtime):
    function = load_function("f", "function f(card, zone) {}", "f.js", runtime)
    with pytest.raises(BindError, match=r"udf\.f takes 2 arguments \(card, zone\), found 1"):
        function.check([Type.ANY], HERE, [HERE])


@pytest.mark.parametrize(
    ("body", "volatility"),
    [
        ("return Math.random();", Volatility.VOLATILE),
        ("return Date.now();", Volatility.VOLATILE),
        ("return new Date();", Volatility.VOLATILE),
        ("return +new Date;", Volatility.VOLATILE),
        ("return Date();", Volatility.VOLATILE),
        ("return new Date(x);", Volatility.IMMUTABLE),
        ("return Math.max(x, 1);", Volatility.IMMUTABLE),
    ],
)
def test_volatility(runtime, body, volatility):
    source = f"function f(x) {{ {body} }}"
    assert load_function("f", source, "f.js", runtime).volatility is volatility


def test_declared_output_type(runtime):
    function = load_function("f", ECHO, "f.js", runtime, returns=Type.FLOAT)
    assert function.check([Type.ANY], HERE, [HERE]) is Type.FLOAT
    assert function.call([from_values([1, 2.5, None])], 3).type is Type.FLOAT
    with pytest.raises(
        FunctionError, match=r"returned 'nvarchar\(max\)', declared is 'float'"
    ) as e:
        function.call([from_values([1, "x"])], 2)
    assert e.value.row == 1
