"""JavaScript functions: values in and out, messages, limits, and files that mean harm."""

import threading
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from streamql.column import Column, constant, from_values, nulls
from streamql.errors import BindError, CompileError, FunctionError, Span
from streamql.functions.registry import Volatility
from streamql.types import DATETIME_MARK, Type
from streamql.udf.javascript import JavaScriptRuntime, load_function

OLD = datetime(1931, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
NEW = datetime(2024, 3, 5, 8, 15, tzinfo=UTC)
HERE = Span(0, 1)


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


def call(runtime, source, *arguments, **options):
    """Call the function `f` of a file with lists of values; return the result's column."""
    function = load_function("f", source, "f.js", runtime, **options)
    columns = [from_values(a) if isinstance(a, list) else a for a in arguments]
    return function.call(columns, len(columns[0]) if columns else 1)


def failure(runtime, source, *arguments):
    with pytest.raises(FunctionError) as caught:
        call(runtime, source, *arguments)
    return caught.value


ECHO = "function f(x) { return x; }"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, -5, 0, 2**53], Type.BIGINT),
        ([1.5, -2.25, 1e300, 5e-324], Type.FLOAT),
        ([1, 2.5], Type.NUMBER),
        (["a", "", "ä", "☃", "😀", "a\0b", "\ufeffx", "longer than thirteen characters"], Type.TEXT),
        (["plain", "ascii only", ""], Type.TEXT),
        ([True, False], Type.BIT),
        ([OLD, NEW], Type.DATETIME),
        ([{"z": 1, "a": {"b": [1, 2.5, None, "x", True]}}, {}], Type.RECORD),
        ([{"at": OLD, "list": [NEW]}], Type.RECORD),
        ([[1, "x", None], []], Type.ARRAY),
        ([1, "a", [1], {"b": 2}, True, 2.5, NEW, "2024-03-05T08:15:00Z"], Type.ANY),
        ([{"a": 'quote " and \\ and \n'}, {"é😀": "\u2028"}], Type.RECORD),
    ],
)
def test_a_value_comes_back_as_it_went_in(runtime, values, kind):
    for places in (values, [None, *values], [*values, None], [None, *values, None, *values]):
        result = call(runtime, ECHO, places)
        assert result.type is kind
        assert result.to_pylist() == places
        assert [type(v) for v in result.to_pylist()] == [type(v) for v in places]


@pytest.mark.parametrize(
    ("expression", "value", "kind"),
    [
        ("5", 5, Type.BIGINT),
        ("-0", 0, Type.BIGINT),
        ("2 ** 62", 2**62, Type.BIGINT),
        ("-(2 ** 63)", -(2**63), Type.BIGINT),
        ("2 ** 63", 2.0**63, Type.FLOAT),
        ("1e300", 1e300, Type.FLOAT),
        ("0.1 + 0.2", 0.1 + 0.2, Type.FLOAT),
        ("9007199254740993n", 2**53 + 1, Type.BIGINT),
        ("-1n", -1, Type.BIGINT),
        ("new Date(-1)", datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), Type.DATETIME),
        ("undefined", None, Type.NULL),
        ("null", None, Type.NULL),
        ("!0", True, Type.BIT),
        ("{ a: undefined, b: null, c: 1 }", {"b": None, "c": 1}, Type.RECORD),
        ("[undefined, , 1]", [None, None, 1], Type.ARRAY),
        ("{ big: 2 ** 63, list: [-1e20] }", {"big": 2.0**63, "list": [-1e20]}, Type.RECORD),
        ("{ at: new Date(0) }", {"at": datetime(1970, 1, 1, tzinfo=UTC)}, Type.RECORD),
        ("JSON.stringify({ at: new Date(0) })", '{"at":"1970-01-01T00:00:00.000Z"}', Type.TEXT),
        ("Object.create(null)", {}, Type.RECORD),
        ("new (class P { constructor() { this.x = 1; } })()", {"x": 1}, Type.RECORD),
        ("({ toJSON() { return 'as text'; } })", "as text", Type.TEXT),
        ("new Proxy({ a: 1 }, {})", {"a": 1}, Type.RECORD),
        ("new Proxy([1, 2], {})", [1, 2], Type.ARRAY),
        (r"'\ud83d'", "\ufffd", Type.TEXT),
        (r"'a\udc00b😀'", "a\ufffdb😀", Type.TEXT),
        (r"['\ud83d', '\\ud83d']", ["\ufffd", "\\ud83d"], Type.ARRAY),
        ("(x => x * 2)(4)", 8, Type.BIGINT),
    ],
)
def test_results(runtime, expression, value, kind):
    result = call(runtime, f"function f() {{ return ({expression}); }}")
    assert result.to_pylist() == [value]
    assert result.type is kind
    assert type(result.to_pylist()[0]) is type(value)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("NaN", "NaN"),
        ("1 / 0", "Infinity"),
        ("-1 / 0", "-Infinity"),
        ("[1, NaN]", "NaN inside of an array"),
        ("({ a: { b: Infinity } })", "Infinity in field b"),
        ("function g() {}", "a function"),
        ("({ go: () => 1 })", "a function in field go"),
        ("Symbol('s')", "a symbol"),
        ("new TypeError('no')", "an Error object (TypeError: no)"),
        ("({ e: new Error('no') })", "an Error object"),
        ("2n ** 70n", "a BigInt beyond 64 bits"),
        ("[1n]", "a BigInt inside"),
        ("new Date(NaN)", "an invalid Date"),
        ("({ at: new Date(NaN) })", "an invalid Date"),
        ("new Date(9e14)", "outside of the years 1 to 9999"),
        ("new Map()", "a Map object"),
        ("/x/", "a RegExp object"),
        ("Promise.resolve(1)", "a Promise"),
        ("(() => { var a = {}; a.self = { a }; return a; })()", "an object that contains itself"),
        ("(() => { var a = []; a.push(a); return a; })()", "an object that contains itself"),
    ],
)
def test_results_without_an_sql_type(runtime, expression, found):
    error = failure(runtime, f"function f(x) {{ return x ? ({expression}) : 0; }}", [0, 0, 1, 0])
    assert error.row == 2
    assert found in error.message
    assert "has no SQL type" in error.message
    assert "udf.f" in error.message


def test_result_types_may_differ_from_row_to_row(runtime):
    source = "function f(x) { return [1, 'two', null, 2.5, true, [x], { x }, new Date(0)][x]; }"
    result = call(runtime, source, [0, 1, 2, 3, 4, 5, 6, 7, 1])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert result.to_pylist() == [1, "two", None, 2.5, True, [5], {"x": 6}, epoch, "two"]
    assert result.type is Type.ANY


def test_bits_are_numbers_below_level_1_2():
    runtime = JavaScriptRuntime(bits_as_numbers=True)
    assert call(runtime, "function f(x) { return typeof x; }", [True]).to_pylist() == ["number"]
    mixed = from_values([True, "a"])
    assert call(runtime, "function f(x) { return typeof x; }", mixed).to_pylist()[0] == "number"
    result = call(runtime, "function f(x) { return x > 0; }", [True, False, None])
    assert (result.type, result.to_pylist()) == (Type.BIGINT, [1, 0, 0])
    runtime.close()


def test_big_integers_arrive_as_the_nearest_number(runtime):
    assert call(runtime, ECHO, [2**53 + 1, None]).to_pylist() == [2**53, None]


def test_a_datetime_between_milliseconds_goes_down(runtime):
    ticks = Column(Type.DATETIME, pa.array([-1, 10_001]))
    assert call(runtime, "function f(t) { return +t; }", ticks).to_pylist() == [-1, 1]


def test_marks_are_hidden_from_user_code(runtime):
    source = "function f(r) { return r.at instanceof Date && r.list[0].getTime(); }"
    assert call(runtime, source, [{"at": NEW, "list": [OLD]}]).to_pylist() == [-1228161293211]
    source = "function f(r) { return r.text; }"
    assert DATETIME_MARK not in str(call(runtime, source, [{"text": "x"}]).to_pylist())


def test_halves_of_a_pair_in_neighbouring_rows_stay_apart(runtime):
    source = "function f(x) { return '😀é'.substring(x, x + 1); }"
    assert call(runtime, source, [0, 1, 2]).to_pylist() == ["\ufffd", "\ufffd", "é"]


def test_many_kinds_of_arguments_at_once(runtime):
    source = "function f(a, b, c, d, e, g, h) { return [a, b, c, d, e, g, h]; }"
    arguments = [[1, None], ["é", "b"], [None, True], [NEW, None], [{"k": 1}, None], [2.5, 3]]
    result = call(runtime, source, *arguments, nulls(2))
    assert result.to_pylist() == [
        [1, "é", None, NEW, {"k": 1}, 2.5, None],
        [None, "b", True, None, None, 3, None],
    ]


def test_constant_columns(runtime):
    source = "function f(x, a, b, c) { return [x, a, b, c]; }"
    result = call(runtime, source, [1, 2], constant("é", 2), constant(2.5, 2), constant(True, 2))
    assert result.to_pylist() == [[1, "é", 2.5, True], [2, "é", 2.5, True]]
    once = call(runtime, ECHO, constant("a", 3))
    assert once.constant
    assert once.to_pylist() == ["a"] * 3


def test_sliced_columns(runtime):
    column = from_values(["ä", "b", None, "d", "e"]).slice(1, 3)
    assert call(runtime, ECHO, column).to_pylist() == ["b", None, "d"]
    column = from_values([1, 2, None, 4]).slice(1, 2)
    assert call(runtime, ECHO, column).to_pylist() == [2, None]


def test_no_rows_and_many_rows(runtime):
    function = load_function("f", "function f(n, s) { return s + n; }", "f.js", runtime)
    assert len(function.call([nulls(0), nulls(0)], 0)) == 0
    count = 200_000
    numbers = Column(Type.BIGINT, pa.array(np.arange(count)))
    texts = Column(Type.TEXT, numbers.values.cast(pa.string()))
    result = function.call([numbers, texts], count)
    assert result.values[-1].as_py() == "199999199999"
    error = None
    source = "function f(x) { if (x === 150000) throw new Error('here'); return x; }"
    error = failure(runtime, source, numbers)
    assert error.row == 150_000


def test_calls_nest(runtime):
    box = load_function("box", "function box(x) { return { x }; }", "box.js", runtime)
    grow = load_function("grow", "function main(r) { return [r, r.x + 1]; }", "grow.js", runtime)
    size = load_function("size", "function size(a) { return a[1]; }", "size.js", runtime)
    column = from_values([1, 2, 3])
    for function in (box, grow, size):
        column = function.call([column], 3)
    assert column.to_pylist() == [2, 3, 4]


# -- loading --------------------------------------------------------------------------------------


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
        ("f", "globalThis.JSON = { one: 1 }; function f(x) { return x + JSON.one; }"),
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
    assert caught.value.hint == "the line is: return x +;"


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
    with pytest.raises(FunctionError, match=r"returned 'nvarchar\(max\)', declared is 'float'") as e:
        function.call([from_values([1, "x"])], 2)
    assert e.value.row == 1


# -- errors at run time ---------------------------------------------------------------------------


def test_an_exception_names_function_row_and_line(runtime):
    source = "function inner(s) {\n  return s.length;\n}\nfunction f(s) { return inner(s); }"
    error = failure(runtime, source, ["a", "b", None, "c"])
    assert error.message == "udf.f: TypeError: Cannot read properties of null (reading 'length')"
    assert error.row == 2
    assert error.hint == "at f.js line 2, column 12"


@pytest.mark.parametrize(
    ("thrown", "words"),
    [
        ("null", "threw null"),
        ("undefined", "threw undefined"),
        ("'text'", 'threw the text "text"'),
        ("42", "threw 42"),
        ("({ code: 7 })", 'threw {"code":7}'),
        ("Symbol('s')", "threw Symbol(s)"),
        ("() => 1", "threw a function"),
        ("({ toJSON() { throw 1; } })", "cannot be shown"),
        ("new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 1; } })", "cannot be shown"),
        ("Object.assign(new Error('x'), { stack: { a: 1 } })", "Error: x"),
        (r"new Error('\ud83d half')", "Error: \ufffd half"),
        ("new Error('long '.repeat(1e6))", "Error: long long"),
    ],
)
def test_whatever_is_thrown(runtime, thrown, words):
    error = failure(runtime, f"function f() {{ throw {thrown}; }}")
    assert words in error.message
    assert len(error.message) < 400
    assert error.row == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return f(x);", "RangeError: Maximum call stack size exceeded"),
        ("return { get a() { throw new Error('getter'); } };", "Error: getter"),
        ("return { toJSON() { throw new Error('toJSON'); } };", "Error: toJSON"),
        ("return new Proxy({}, { ownKeys() { throw new Error('trap'); } });", "Error: trap"),
        ("var s = 'x'; while (true) s += s;", "RangeError: Invalid string length"),
        ("return new Array(2 ** 27).fill(0).length;", "RangeError: Invalid array length"),
        ("return Array.from({ length: 1e9 }).length;", "RangeError: Invalid array length"),
        ("return 'x'.repeat(5e8).split('').length;", "RangeError: Invalid array length"),
        ("return setTimeout(f, 0);", "ReferenceError: setTimeout is not defined"),
        ("return require('fs');", "ReferenceError: require is not defined"),
    ],
)
def test_ordinary_errors(runtime, body, words):
    error = failure(runtime, f"function f(x) {{ if (!x) return 0; {body} }}", [0, 1])
    assert words in error.message
    assert error.row == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("while (true) {}", "no end after 0.4 s, at row 2 of the 3"),
        ("/(a+)+b/.test('a'.repeat(50));", "no end after 0.4 s, at row 2 of the 3"),
        ("return { get a() { while (true) {} } };", "no end after 0.4 s, at row 2 of the 3"),
        ("throw { toJSON() { while (true) {} } };", "no end after 0.4 s, at row 2 of the 3"),
    ],
)
def test_time_limit(strict, body, words):
    source = f"function f(x) {{ if (!x) return 0; {body} }}"
    function = load_function("f", source, "f.js", strict)
    other = load_function("g", "function g(x) { return x + 1; }", "g.js", strict)
    with pytest.raises(FunctionError) as caught:
        function.call([from_values([0, 1, 0])], 3)
    assert words in caught.value.message
    assert caught.value.row == 1
    assert "js_timeout" in caught.value.hint
    # the engine lives on, and so do both functions
    assert other.call([from_values([1])], 1).to_pylist() == [2]
    assert function.call([from_values([0, 0])], 2).to_pylist() == [0, 0]


@pytest.mark.parametrize(
    "body",
    [
        "var a = []; while (true) a.push({ x: a.length });",
        "var a = ['x']; while (true) { a = a.concat(a).map(String); }",
        "var l = []; while (true) l.push(new Uint8Array(1 << 20).fill(1));",
        "var l = []; while (true) l.push('x'.repeat(1 << 16).split('').join('y'));",
    ],
)
def test_memory_limit(body):
    runtime = JavaScriptRuntime(timeout=20, max_heap=32 << 20)
    source = f"function f(x) {{ if (!x) return 0; {body} }}"
    function = load_function("f", source, "f.js", runtime)
    with pytest.raises(FunctionError) as caught:
        function.call([from_values([0, 1, 0])], 3)
    assert "udf.f: used more than 32 MB of memory, at row 2 of the 3" in caught.value.message
    assert caught.value.row == 1
    assert function.call([from_values([0])], 1).to_pylist() == [0]
    runtime.close()


def test_an_endless_file_is_refused(strict):
    with pytest.raises(CompileError, match=r"f\.js: no end after 0\.4 s while the file was loaded"):
        load_function("f", "while (true) {}", "f.js", strict)
    assert call(strict, ECHO, [1]).to_pylist() == [1]


# -- files do not touch each other ----------------------------------------------------------------


def test_globals_do_not_leak(runtime):
    load_function("f", "var secret = 1; leaked = 2; function f() { return 0; }", "a.js", runtime)
    setter = load_function("f", "function f(x) { stray = x; Math = null; }", "b.js", runtime)
    setter.call([from_values([5])], 1)
    source = "function f() { return [typeof secret, typeof leaked, typeof stray, typeof Math]; }"
    assert call(runtime, source).to_pylist() == [["undefined", "undefined", "undefined", "object"]]


HOSTILE = """
JSON.parse = JSON.stringify = () => 'broken';
globalThis.JSON = null;
Array.isArray = () => true;
Object.keys = Object.getPrototypeOf = () => { throw new Error('keys'); };
Reflect.apply = null;
String.prototype.substring = () => 'broken';
String.prototype.isWellFormed = () => { throw new Error('formed'); };
Function.prototype.call = Function.prototype.bind = Function.prototype.apply = null;
RegExp.prototype.exec = () => null;
Date.prototype.getTime = Date.prototype.toISOString = () => NaN;
globalThis.Float64Array = globalThis.Date = null;
Error.prepareStackTrace = () => 7;
function f(x) { return x; }
"""


def test_a_file_that_redefines_everything_breaks_only_itself():
    runtime = JavaScriptRuntime()
    values = [[1, "a"], ["é😀", "b"], [{"at": NEW, "n": None}, None], [[1], "x"], [NEW, OLD]]
    for source in (HOSTILE, ECHO):
        function = load_function("f", source, "f.js", runtime)
        for some in values:
            assert function.call([from_values(some)], 2).to_pylist() == some
    runtime.close()


def test_the_transport_is_out_of_reach(runtime):
    source = """
    function f() {
      var found = [];
      Error.prepareStackTrace = function (e, sites) {
        for (var s of sites) { found.push(typeof s.getFunction(), typeof s.getThis()); }
        return '';
      };
      new Error().stack;
      delete Error.prepareStackTrace;
      return [found.slice(2), typeof f.caller, typeof memory, typeof buffer, typeof I];
    }"""
    (result,) = call(runtime, source).to_pylist()
    assert set(result[0]) <= {"undefined"}
    assert result[2:] == ["undefined"] * 3


def test_inside_of_a_running_event_loop_and_in_threads():
    import asyncio

    async def job():
        return call(JavaScriptRuntime(), ECHO, [1, 2]).to_pylist()

    assert asyncio.run(job()) == [1, 2]
    results = []
    runtime = JavaScriptRuntime()
    function = load_function("f", ECHO, "f.js", runtime)

    def work(number):
        results.append(function.call([from_values([number] * 50)], 50).to_pylist() == [number] * 50)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8
    runtime.close()
    runtime.close()


def test_too_much_text_for_one_call_is_cut_in_halves(runtime, monkeypatch):
    from streamql.udf.javascript import function as module

    monkeypatch.setattr(module, "_MOST_BYTES", 30)
    assert call(runtime, ECHO, ["abcdefghij"] * 9).to_pylist() == ["abcdefghij"] * 9
