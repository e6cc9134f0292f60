"""Arrays of numbers come out of V8 as numbers, from the second batch on, and are what they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from javascript_calls import ECHO

from streamql.column import Column, from_values
from streamql.errors import FunctionError
from streamql.packed import PackedColumn
from streamql.types import Type
from streamql.udf.javascript import JavaScriptFunction, JavaScriptRuntime, load_function


def made(runtime: JavaScriptRuntime, source: str, first: list[object]) -> JavaScriptFunction:
    """Return the function of a text, behind its first batch."""
    function = load_function("f", source, "f.js", runtime)
    column = function.call([from_values(first)], len(first))
    assert not isinstance(column, PackedColumn)
    return function


def texts(column: Column) -> tuple[Type, list[str | None]]:
    return column.type, column.to_json().to_pylist()


NUMBER = st.one_of(
    st.integers(-9, 9),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
ARRAY = st.lists(NUMBER, min_size=2, max_size=2)
OTHER = st.sampled_from([None, [1], [1, 2, 3], [1, "x"], [1, None], [[1], 2], 7, "x", {"a": 1}, []])


@given(
    st.one_of(
        st.lists(ARRAY, min_size=1, max_size=9),
        st.lists(st.one_of(ARRAY, OTHER), min_size=1, max_size=9),
    )
)
def test_any_results_are_what_they_are_as_text(
    runtime: JavaScriptRuntime, rows: list[object]
) -> None:
    column = from_values(rows)
    fresh = load_function("f", ECHO, "f.js", runtime)
    expected = texts(fresh.call([column], len(rows)))
    found = made(runtime, ECHO, [[1.5, 2]]).call([column], len(rows))
    assert isinstance(found, PackedColumn) == all(
        isinstance(row, list) and len(row) == 2 and {type(v) for v in row} <= {int, float}
        for row in rows
    )
    assert texts(found) == expected


def test_batches_are_numbers_until_one_is_not(runtime: JavaScriptRuntime) -> None:
    function = made(runtime, "function f(x) { return x > 5 ? 'much' : [x, -x]; }", [1])
    batches = [[2, 3], [4], [9, 9], [1], [5, 9], [2], [3]]
    found = [function.call([from_values(b)], len(b)) for b in batches]
    assert [c.to_pylist() for c in found] == [
        [("much" if x > 5 else [x, -x]) for x in batch] for batch in batches
    ]
    kept = [isinstance(column, PackedColumn) for column in found]
    assert kept == [True, True, False, False, False, False, True]


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_what_is_no_number_is_an_error_of_its_row(runtime: JavaScriptRuntime, number: str) -> None:
    source = f"function f(x) {{ return [x, x === 3 ? {number} : 0]; }}"
    function = made(runtime, source, [1, 2])
    with pytest.raises(FunctionError, match=f"{number} inside of an array") as caught:
        function.call([from_values([1, 2, 3, 4])], 4)
    assert caught.value.row == 2


def test_an_array_may_change_after_it_was_returned(runtime: JavaScriptRuntime) -> None:
    source = "const kept = [0, 0]; function f(x) { kept[0] += x; kept[1] = x; return kept; }"
    function = made(runtime, source, [1])
    assert function.call([from_values([1, 2, 3])], 3).to_pylist() == [[2, 1], [4, 2], [7, 3]]


def test_more_rows_than_a_call_takes(runtime: JavaScriptRuntime) -> None:
    function = made(runtime, "function f(x) { return [x, x + 0.5]; }", [1])
    rows = list(range(140_000))
    found = function.call([from_values(rows)], len(rows))
    assert found.slice(139_999, 1).to_pylist() == [[139_999, 139_999.5]]
    assert len(found) == len(rows)


def test_arrays_of_chance_are_those_of_their_events() -> None:
    runtime = JavaScriptRuntime(deterministic=True)
    source = "function f(x) { return [x, Math.random(), Date.now()]; }"
    times = Column(Type.DATETIME, from_values([10**10, 2 * 10**10, 10**14]).values)
    given = [from_values([1, 2, 3]), times, from_values([7, 8, 9])]
    try:
        function = load_function("f", source, "f.js", runtime)
        assert function.by_event
        first, second = (function.call(given, 3) for _ in range(2))
    finally:
        runtime.close()
    assert isinstance(second, PackedColumn)
    assert texts(second) == texts(first)


def test_a_new_isolate_keeps_numbers_as_well() -> None:
    runtime = JavaScriptRuntime(timeout=0.2)
    try:
        source = "function f(x) { while (x === 9) ; return [x, x]; }"
        function = made(runtime, source, [1])
        with pytest.raises(FunctionError, match="no end"):
            function.call([from_values([9])], 1)
        again = function.call([from_values([2, 3])], 2)
    finally:
        runtime.close()
    assert isinstance(again, PackedColumn)
    assert again.to_pylist() == [[2, 2], [3, 3]]
