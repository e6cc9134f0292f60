"""Functions that only pack their arguments: what is taken for one, and that V8 gives the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamql import Engine
from streamql.column import Column, constant, from_values
from streamql.errors import FunctionError
from streamql.packed import PackedColumn
from streamql.types import Type
from streamql.udf.javascript import JavaScriptRuntime, SourceFile, load_function
from streamql.udf.javascript.number_texts import number_texts
from streamql.udf.javascript.packing import packing_of

BESIDE = "\nvar beside;"
"""Makes a file one that holds more than a function, so that V8 runs it."""

PACKING = [
    "function f(a, b) { return [a, b]; }",
    "'use strict';\nfunction f(a, b) {\n  return [b, a, b,]\n}\n",
    "function f(a, b) { 'use strict'; var array = [a, b]; return array; }",
    "function f(a, b) { let x = {a, b}\n return x }",
    "// a comment\nfunction f(/* one */ a, b, c) { /* return\n [] */ return [ // all\n a, b ]; }",
    "const f = (a, b) => [a, b];",
    "let f = (a, b) => ({ a: b, 'the b': a });",
    'var f = function (a, b) { "use strict"; return { b, a }; };',
    "const f = function packs(a, b) { return [a, b] }",
    "const f = a => [a]",
    "const f = (a, b) => { const made = [a]; return made; };",
    "function array(array, b) { return [array, b]; }",
]
OTHER = [
    "function f(a, b) { return\n[a, b]; }",
    "function f(a, b) { return /*\n*/ [a, b]; }",
    "function f(a, b) { return [a, 1]; }",
    "function f(a, b) { return [a, , b]; }",
    "function f(a, b) { return [a, ...[b]]; }",
    "function f(a, b) { return []; }",
    "function f(a, b) { return [[a], b]; }",
    "function f(a, b) { return [a + b]; }",
    "function f(a, b) { return [a, b].map(x => x); }",
    "function f(a, b) { return {2: a, 1: b}; }",
    "function f(a, b) { return {x: a, '2': b}; }",
    "function f(a, b) { return {x: a, x: b}; }",
    "function f(a, b) { return {__proto__: a, x: b}; }",
    "function f(a, b) { var a = [a, b]; return a; }",
    "function f(a, b = 2) { return [a, b]; }",
    "function f(a, ...b) { return [a, b]; }",
    "function f([a], b) { return [a, b]; }",
    "function f(a, b) { a = 1; return [a, b]; }",
    "function f(a, b) { var x = [a, b]; x = 1; return x; }",
    "function f(a, b) { var x = [a]; return b; }",
    "function f(a, b) { 'use/*'; a = 7; '*/strict'; return [a, b]; }",
    "function f(a, b) { return [a, g]; } var g = 3;",
    "Array.prototype.toJSON = () => 7; function f(a, b) { return [a, b]; }",
    "function f(a, b) { return [Date, b]; }",
    "function f(a, b) { return [a, b] } f = () => 1;",
    "function f(a, a) { return [a]; }",
]


@pytest.fixture(scope="module")
def bits() -> Iterator[JavaScriptRuntime]:
    made = JavaScriptRuntime(bits_as_numbers=True)
    yield made
    made.close()


def texts(column: Column) -> tuple[Type, list[str | None]]:
    return column.type, column.to_json().to_pylist()


@pytest.mark.parametrize("source", PACKING)
def test_a_packing_function_gives_what_v8_gives(runtime: JavaScriptRuntime, source: str) -> None:
    assert packing_of(source) is not None
    assert packing_of(source + BESIDE) is None
    own = load_function("f", source, "f.js", runtime)
    v8 = load_function("f", source + BESIDE, "f.js", runtime)
    given = [from_values([1, 2.5, None, 4]), from_values(["é", "b", "c", 'd"']), constant(1, 4)]
    given = given[: 1 if source.endswith("a => [a]") else 3 if "c)" in source else 2]
    found = own.call(given, 4)
    assert isinstance(found, PackedColumn)
    assert texts(found) == texts(v8.call(given, 4))


@pytest.mark.parametrize("source", OTHER)
def test_all_others_are_left_to_v8(source: str) -> None:
    assert packing_of(source) is None


def test_helpers_may_change_what_a_literal_becomes() -> None:
    helper = """
      Array.prototype.toJSON = function () { return typeof this[0] === 'number' ? 'two' : this; }
    """
    runtime = JavaScriptRuntime()
    try:
        library = [SourceFile("_lib.js", helper)]
        function = load_function("f", PACKING[0], "f.js", runtime, library=library)
        found = function.call([from_values([1, 2]), from_values([3, 4])], 2)
    finally:
        runtime.close()
    assert found.to_pylist() == ["two", "two"]


WHOLE = st.one_of(st.integers(-9, 9), st.integers(2**53, 2**60), st.integers(-(2**63), 2**63 - 1))
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.one_of(WHOLE, FLOAT, st.floats(-1000, 1000).map(lambda x: round(x, 2)))
WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
DATE = st.integers(-(10**9), 10**9).map(lambda n: datetime.fromtimestamp(n / 7, UTC))
ANY = st.one_of(NUMBER, st.booleans(), WORD, st.none(), st.just([1, 2.0]), st.just({"a": 1}))
CELLS = st.sampled_from([WHOLE, FLOAT, NUMBER, st.booleans(), WORD, DATE, st.none(), ANY])
LITERALS = ["[a, b, c]", "[c, a]", "{a, b, c}", "{x: c, 'y z': b, w: b}"]


@st.composite
def arguments(draw: st.DrawFn) -> list[Column]:
    count = draw(st.integers(1, 6))
    columns = []
    for _ in range(3):
        cells = draw(CELLS)
        if draw(st.integers(0, 4)) == 0:
            columns.append(constant(draw(st.one_of(FLOAT, WORD, st.none())), count))
        else:
            values = draw(st.lists(st.one_of(cells, cells, st.none()), min_size=count + 1))
            columns.append(from_values(values).slice(1, count))
    return columns


@given(arguments(), st.sampled_from(LITERALS), st.booleans(), st.booleans())
def test_any_values_are_packed_as_v8_packs_them(
    runtime: JavaScriptRuntime,
    bits: JavaScriptRuntime,
    given: list[Column],
    literal: str,
    as_numbers: bool,
    declared: bool,
) -> None:
    used = bits if as_numbers else runtime
    source = f"function f(a, b, c) {{ return {literal}; }}"
    kind = Type.ARRAY if literal[0] == "[" else Type.RECORD
    returns = kind if declared else None
    own = load_function("f", source, "f.js", used, returns=returns)
    v8 = load_function("f", source + BESIDE, "f.js", used, returns=returns)
    count = len(given[0])
    found, expected = own.call(given, count), v8.call(given, count)
    assert not isinstance(expected, PackedColumn)
    assert texts(found) == texts(expected)
    rows = np.array([count - 1, 0])
    keep = np.arange(count) % 2 == 0
    for some, others in (
        (found.take(rows), expected.take(rows)),
        (found.filter(keep), expected.filter(keep)),
        (found.slice(1, count - 1), expected.slice(1, count - 1)),
        (found.slice(0, count), expected),
    ):
        assert texts(some) == texts(others)
        assert some.valid().tolist() == others.valid().tolist()


@given(st.lists(st.one_of(FLOAT, st.floats(width=16), WHOLE.map(float)), min_size=1))
def test_numbers_are_written_as_v8_writes_them(
    runtime: JavaScriptRuntime, values: list[float]
) -> None:
    values = [value for value in values if abs(value) < float("inf")]
    v8 = load_function("f", "function f(x) { return [x, 1 + 1]; }", "f.js", runtime)
    expected = v8.call(
        [Column(Type.FLOAT, from_values(values).values.cast("float64"))], len(values)
    )
    found = number_texts(np.array(values))
    assert [f"[{text},2]" for text in found.to_pylist()] == expected.to_json().to_pylist()


def test_what_it_does_not_return_is_an_error(runtime: JavaScriptRuntime) -> None:
    function = load_function("f", PACKING[0], "f.js", runtime, returns=Type.FLOAT)
    with pytest.raises(FunctionError, match="returned 'array', declared is 'float'"):
        function.call([from_values([1, 2]), from_values([3, 4])], 2)


def test_a_text_may_be_too_long_for_it() -> None:
    runtime = JavaScriptRuntime(max_text=10)
    try:
        function = load_function("f", PACKING[0], "f.js", runtime)
        with pytest.raises(FunctionError, match="argument 2 has 11 bytes"):
            function.call([from_values([1, 2]), from_values(["a", "b" * 11])], 2)
    finally:
        runtime.close()


def test_packed_values_are_values_like_others() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}, {"a": 0, "b": "z"}]
    query = """
        WITH packed AS (SELECT a, udf.pack(a, b) AS list, udf.name(a, b) AS named FROM input)
        SELECT list, named.b AS b, GetArrayElement(list, 0) AS first, GetType(list) AS kind,
            CASE WHEN a > 1 THEN list ELSE named END AS either
        FROM packed WHERE a > 0
    """
    with Engine() as engine:
        engine.register("input", rows)
        engine.javascript("pack", "function pack(a, b) { return [a, b]; }")
        engine.javascript("name", "function name(a, b) { return {a, b}; }")
        found = engine.sql(query).fetchall()
    assert json.loads(json.dumps(found)) == [
        {"list": [1, "x"], "b": "x", "first": 1, "kind": "array", "either": {"a": 1, "b": "x"}},
        {"list": [2.5, None], "b": None, "first": 2.5, "kind": "array", "either": [2.5, None]},
    ]
