"""JavaScript functions: values in and out, entries and arguments."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from javascript_calls import ECHO, call, failure

from streamql.column import Column, constant, from_values, nulls
from streamql.errors import Span
from streamql.types import DATETIME_MARK, Type
from streamql.udf.javascript import JavaScriptRuntime, load_function

OLD = datetime(1931, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
NEW = datetime(2024, 3, 5, 8, 15, tzinfo=UTC)
HERE = Span(0, 1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, -5, 0, 2**53], Type.BIGINT),
        ([1.5, -2.25, 1e300, 5e-324], Type.FLOAT),
        ([1, 2.5], Type.NUMBER),
        (
            ["a", "", "ä", "☃", "😀", "a\0b", "\ufeffx", "longer than thirteen characters"],
            Type.TEXT,
        ),
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
    assert call(runtime, source, [{"at": NEW, "list": [OLD]}]).to_pylist() == [-1_227_902_093_211]
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
