"""The comparer tells equal from different as the corpus wants it."""

import json

import pytest

from streamql.testing.compare import Comparer

EQUAL = [
    ("3", "3.0"),
    ("9007199254740993", "9007199254740993"),
    ("0.30000000000000004", "0.3"),
    ('{"a":null}', "{}"),
    ('{"r":{"a":1,"b":null}}', '{"r":{"a":1}}'),
    ('{"b":2,"a":1}', '{"a":1,"b":2}'),
    ('"2024-03-05T08:00:00Z"', '"2024-03-05T08:00:00.0000000Z"'),
    ('"2024-03-05T08:00"', '"2024-03-05T10:00:00+02:00"'),
    ('"2024-03-05T08:00:00.1"', '"2024-03-05T08:00:00.1000000Z"'),
    ("[1,null]", "[1.0,null]"),
]
DIFFERENT = [
    ("9007199254740993", "9007199254740992"),
    ("true", "1"),
    ("null", "0"),
    ("false", "null"),
    ('"1"', "1"),
    ('"a"', '"A"'),
    ("1.0001", "1"),
    ("1" + "0" * 400, "1.5"),
    ('"2024-03-05T08:00:00.0000001Z"', '"2024-03-05T08:00:00Z"'),
    ('"2024-03-05"', '"2024-03-05T00:00:00Z"'),
    ('"2024-13-05T08:00:00Z"', '"2024-13-05T08:00:00.0Z"'),
    ("[1,null]", "[1]"),
    ("[1,2]", "[2,1]"),
    ('{"A":1}', '{"a":1}'),
    ("{}", "[]"),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_equal_values(left, right):
    assert Comparer().equal(json.loads(left), json.loads(right))
    assert Comparer().equal(json.loads(right), json.loads(left))


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_values(left, right):
    assert not Comparer().equal(json.loads(left), json.loads(right))
    assert not Comparer().equal(json.loads(right), json.loads(left))


def test_rows_are_a_multiset_unless_ordered():
    one, two = {"a": 1}, {"a": 2}
    assert Comparer().difference([one, two, one], [two, one, one]) is None
    assert Comparer().difference([one, two], [one, two, two])
    assert Comparer().difference([one, two, two], [one, two])
    assert Comparer(ordered=True).difference([two, one], [one, two])
    assert Comparer(ordered=True).difference([one], [one, two])
    assert Comparer(ordered=True).difference([one, two], [one, two]) is None


def test_options_of_a_case():
    early, same = {"at": "2024-03-05T08:00:00Z"}, {"at": "2024-03-05T08:00:00.0Z"}
    assert Comparer().rows_equal(early, same)
    assert not Comparer(exact_strings=["at"]).rows_equal(early, same)
    assert Comparer(unordered_arrays=["v"]).rows_equal({"v": [1, 2, 2]}, {"v": [2, 1, 2]})
    assert not Comparer(unordered_arrays=["v"]).rows_equal({"v": [1, 2]}, {"v": [2, 2]})
    assert Comparer(ignore_columns=["x"]).rows_equal({"a": 1, "x": 2}, {"a": 1})
    assert Comparer(float_abs_tol=0.1).rows_equal({"a": 1.05}, {"a": 1})


def test_a_difference_names_columns_and_rows():
    expected = [{"id": 1, "a": 1, "b": 2}, {"id": 2, "a": 1, "b": 2}, {"id": 3, "x": 0}]
    got = [{"id": 9, "y": 0}, {"id": 2, "a": 1, "b": 7}, {"id": 1, "a": 1, "b": 2}]
    found = Comparer().difference(got, expected)
    assert [(m.expected["id"], m.found["id"], m.columns) for m in found.misfits] == [(2, 2, ("b",))]
    assert found.missing == ({"id": 3, "x": 0},)
    assert found.unexpected == ({"id": 9, "y": 0},)
    assert found.counts == (3, 3)


def test_the_likest_rows_are_put_together():
    expected = [{"id": 1, "a": 1, "b": 1, "c": 1}, {"id": 2, "a": 1, "b": 1, "c": 1}]
    got = [{"id": 2, "a": 1, "b": 1, "c": 5}, {"id": 1, "a": 1, "b": 1, "c": 6}]
    found = Comparer().difference(got, expected)
    assert [(m.expected["id"], m.found["id"]) for m in found.misfits] == [(1, 1), (2, 2)]


def test_order_is_told_apart_from_content():
    one, two = {"a": 1}, {"a": 2}
    found = Comparer(ordered=True).difference([one, one, two], [one, two, one])
    assert (found.misplaced, found.misfits, found.missing) == (2, (), ())
