"""Codes of key values and of numbers: equal values, equal codes, in the order of the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamql.column import from_values
from streamql.grouping.keys import KeyTable
from streamql.grouping.numbers import NumberTable
from streamql.runtime.state import from_bytes, to_bytes

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(2**62, 2**62 + 1),
    st.sampled_from([0.0, 1.0, -1.5, 1e300]),
    st.sampled_from(["", "a", "A", "1", "true"]),
    st.sampled_from([{"a": 1, "b": [1]}, {"b": [1.0], "a": 1}, {"a": True}, [1, 2], [2, 1]]),
)


def key(value):
    """Return something hashable that is equal where keys are."""
    match value:
        case bool():
            return ("bit", value)
        case dict():
            return frozenset((k, key(v)) for k, v in value.items())
        case list():
            return tuple(key(v) for v in value)
        case _:
            return value


@given(st.lists(st.lists(st.tuples(SCALARS, SCALARS), min_size=1, max_size=8), max_size=4))
def test_equal_keys_have_equal_codes_in_the_order_of_rows(batches):
    for width in (1, 2):
        table, known = KeyTable(width), {}
        for batch in batches:
            columns = [from_values([row[i] for row in batch]) for i in range(width)]
            expected = [known.setdefault(tuple(map(key, row[:width])), len(known)) for row in batch]
            assert table.find(columns, len(batch)).tolist() == [
                -1 if None in row[:width] or code >= table.count else code
                for row, code in zip(batch, expected, strict=True)
            ]
            assert table.codes(columns, len(batch)).tolist() == expected
            back = zip(*(c.to_pylist() for c in table.values(np.array(expected))), strict=True)
            for row, values in zip(batch, back, strict=True):
                assert [key(v) for v in row[:width]] == [key(v) for v in values]
            table = restored(table, width)


def restored(table, width):
    """Return a table with the state of another, by way of bytes."""
    made = KeyTable(width)
    made.restore(from_bytes(to_bytes(table.snapshot())))
    assert made.count == table.count
    return made


def test_a_null_has_no_code_in_a_join():
    table = KeyTable(2)
    columns = [from_values([1, None, 1]), from_values(["a", "a", None])]
    assert table.codes(columns, 3, nulls=False).tolist() == [0, -1, -1]


def test_forgotten_keys_make_place():
    table = KeyTable(1)
    table.codes([from_values(["a", "b", "c", "d"])], 4)
    assert table.keep(np.array([1, 3])).tolist() == [-1, 0, -1, 1]
    assert table.codes([from_values(["d", "a", "b"])], 3).tolist() == [1, 2, 0]


@pytest.mark.parametrize("kind", [str, int])
def test_many_keys(kind):
    """From some hundred distinct values a batch on, Arrow looks them up."""
    rng = np.random.default_rng(5)
    table, known = KeyTable(1), {}
    for size in (4_000, 10, 4_000, 20_000):
        values = [kind(n) for n in rng.integers(0, 9_000, size).tolist()]
        expected = [known.setdefault(v, len(known)) for v in values]
        assert table.codes([from_values(values)], size).tolist() == expected


@given(st.lists(st.lists(st.one_of(st.integers(-5, 5), st.integers(-(2**63), 2**63 - 1)))))
def test_numbers(batches):
    table, known = NumberTable(), {}
    for batch in batches:
        numbers = np.array(batch, np.int64)
        expected = [known.setdefault(n, len(known)) for n in batch]
        assert table.codes(numbers).tolist() == expected
        assert table.codes(numbers, add=False).tolist() == expected
    assert table.count == len(known)


def test_numbers_that_fall_together():
    numbers = np.arange(0, 2**40, 2**25, dtype=np.int64)
    table = NumberTable()
    assert table.codes(numbers).tolist() == list(range(len(numbers)))
    assert table.codes(np.array([2**25 + 1, 2**25]), add=False).tolist() == [-1, 1]
