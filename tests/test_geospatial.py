"""Geospatial functions: records they make, comparisons, and errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from streamql.bind.calls import builtin
from streamql.column import Column, constant, from_values
from streamql.errors import BindError, DataError, Span
from streamql.expressions.nodes import Literal
from streamql.functions.builtins import BUILTINS
from streamql.types import Type


def P(lon, lat):
    return {"type": "Point", "coordinates": [lon, lat]}


def L(*places):
    return {"type": "LineString", "coordinates": [list(p) for p in places]}


def G(*ring):
    return {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}


def square(x, y, side):
    return G((x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y))


def call(name, *arguments):
    """Call a function; a list is a column, anything else one row of it."""
    columns = [from_values(a if isinstance(a, list) else [a]) for a in arguments]
    count = max(len(c) for c in columns)
    columns = [
        Column(c.type, c.take(np.zeros(count, np.int64)).values, None, True)
        if len(c) < count
        else c
        for c in columns
    ]
    result = BUILTINS[name.lower()].call(columns, count)
    assert len(result) == count
    return result.to_pylist()


MADE = [
    (
        "CreatePoint",
        ([3.0, -87.33, None], [-10, 20.2321, 5]),
        [P(-10.0, 3.0), P(20.2321, -87.33), None],
    ),
    ("CreatePoint", ([90, -90.0], [190.5, -15069]), [P(190.5, 90.0), P(-15069.0, -90.0)]),
    ("CreatePoint", ([1, 2.5, None], 7), [P(7.0, 1.0), P(7.0, 2.5), None]),
    ("CreatePoint", (1e-7, -1e-12), [P(-1e-12, 1e-7)]),
    (
        "CreateLineString",
        ([P(1, 2), None], P(3.5, 4), [P(5, 6), P(5, 6)]),
        [L((1.0, 2.0), (3.5, 4.0), (5.0, 6.0)), None],
    ),
    (
        "CreateLineString",
        (["POINT(1 2)", "POINT Z (3 4 5)"], "point(3 4)"),
        [L((1.0, 2.0), (3.0, 4.0)), L((3.0, 4.0), (3.0, 4.0))],
    ),
    (
        "CreatePolygon",
        (P(0, 0), [P(8, 0), None], P(8, 8), P(0, 0)),
        [G((0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 0.0)), None],
    ),
    # the points stay in their order, whichever way round they go
    (
        "CreatePolygon",
        (P(0, 0), P(0, 8), P(8, 8), P(0, 0)),
        [G((0.0, 0.0), (0.0, 8.0), (8.0, 8.0), (0.0, 0.0))],
    ),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), MADE)
def test_makes(name, arguments, expected):
    assert call(name, *arguments) == expected


def test_create_point_makes_floats():
    column = BUILTINS["createpoint"].call([from_values([1]), from_values([2])], 1)
    assert column.type is Type.RECORD
    assert column.values.to_pylist() == ['{"type":"Point","coordinates":[2.0,1.0]}']


YARD = square(0, 0, 10)
HOLED = "POLYGON((0 0, 10 0, 10 10, 0 10, 0 0), (4 4, 6 4, 6 6, 4 6, 4 4))"
COMPARED = [
    ("ST_INTERSECTS", L((-10, 0), (0, 0), (10, 0)), L((0, 10), (0, 0), (0, -10)), 1),
    ("ST_INTERSECTS", L((-10, 0), (10, 0)), L((-10, 10), (10, 10)), 0),
    ("ST_INTERSECTS", L((0, 0), (1, 0)), L((1, 0), (2, 0)), 1),
    ("ST_INTERSECTS", L((1, 1), (1, 1)), L((0, 0), (2, 2)), 1),  # a line that stays at its place
    ("ST_INTERSECTS", YARD, P(10, 5), 1),
    ("ST_INTERSECTS", YARD, L((-5, 5), (15, 5)), 1),
    ("ST_INTERSECTS", HOLED, P(5, 5), 0),
    ("ST_INTERSECTS", "MULTIPOINT(1 1, 50 50)", YARD, 1),
    ("ST_INTERSECTS", "POINT EMPTY", YARD, 0),
    ("ST_INTERSECTS", L((170, 0), (190, 0)), P(180.5, 0), 1),
    ("ST_OVERLAPS", YARD, square(5, 5, 10), 1),
    ("ST_OVERLAPS", YARD, square(20, 0, 5), 0),
    ("ST_OVERLAPS", YARD, square(10, 0, 5), 0),  # a border in common
    ("ST_OVERLAPS", YARD, square(2, 2, 3), 0),
    ("ST_OVERLAPS", YARD, YARD, 0),
    ("ST_OVERLAPS", L((0, 0), (2, 0)), L((1, 0), (3, 0)), 1),
    ("ST_OVERLAPS", YARD, L((-5, 5), (15, 5)), 0),
    (
        "ST_OVERLAPS",
        "GEOMETRYCOLLECTION(POLYGON((0 0, 4 0, 4 4, 0 0)), POINT(9 9))",
        square(2, 0, 5),
        1,
    ),
]
WITHIN = [
    (P(5, 5), YARD, 1),
    (P(76.6, 10.1), YARD, 0),
    (P(10, 5), YARD, 0),  # the border is not within
    (P(0, 0), YARD, 0),
    (square(2, 2, 2), YARD, 1),
    (square(0, 0, 2), YARD, 1),  # touches from inside
    (YARD, YARD, 1),
    (square(8, 8, 4), YARD, 0),
    (YARD, square(2, 2, 2), 0),
    (P(5, 5), HOLED, 0),
    (L((1, 1), (9, 1)), YARD, 1),
    (P(5, 5), G((0, 0), (0, 10), (10, 10), (10, 0), (0, 0)), 1),  # rings in both directions
    (P(185, 0), square(170, -5, 20), 1),
    (
        "MULTIPOINT(1 1, 2 2)",
        "MULTIPOLYGON(((0 0, 3 0, 3 3, 0 3, 0 0)), ((5 5, 6 5, 6 6, 5 5)))",
        1,
    ),
    (
        P(500000, 4649776),
        "POLYGON((499000 4649000, 501000 4649000, 501000 4650000, 499000 4649000))",
        0,
    ),
    (
        P(500500, 4649200),
        "POLYGON((499000 4649000, 501000 4649000, 501000 4650000, 499000 4649000))",
        1,
    ),
]


@pytest.mark.parametrize(("name", "a", "b", "expected"), COMPARED)
def test_compares_either_way(name, a, b, expected):
    assert call(name, a, b) == call(name, b, a) == [expected]
    # the same where each is asked for many rows, and where there is NULL
    assert (
        call(name, [a] * 9 + [None], b)
        == call(name, b, [a] * 9 + [None])
        == [expected] * 9 + [None]
    )


@pytest.mark.parametrize(("a", "b", "expected"), WITHIN)
def test_within(a, b, expected):
    assert call("ST_WITHIN", a, b) == [expected]
    assert call("ST_WITHIN", [None, *[a] * 9], b) == [None] + [expected] * 9
    assert call("ST_WITHIN", a, [None, *[b] * 9]) == [None] + [expected] * 9


CLOCKWISE = G((0, 0), (0, 10), (10, 10), (10, 0), (0, 0))


@pytest.mark.parametrize(
    ("level", "name", "a", "expected"),
    [
        ("1.2", "ST_WITHIN", P(5, 5), 1),
        ("1.1", "ST_WITHIN", P(5, 5), 0),
        ("1.0", "ST_WITHIN", P(50, 5), 1),
        ("1.1", "ST_INTERSECTS", L((1, 1), (9, 9)), 0),
        ("1.1", "ST_OVERLAPS", square(5, 5, 10), 1),
        ("1.1", "ST_OVERLAPS", square(15, 5, 10), 0),
    ],
)
def test_a_clockwise_ring_is_the_rest_of_the_globe_below_level_1_2(level, name, a, expected):
    at = Span(0, 1)
    arguments = tuple(Literal(Type.TEXT, at, "") for _ in range(2))
    function = builtin(name, arguments, at, level).function
    columns = [from_values([value] * 2) for value in (a, CLOCKWISE)]
    assert function.call(columns, 2).to_pylist() == [expected] * 2
    # rings that go the other way mean the same at every level
    columns[1] = from_values([YARD] * 2)
    assert function.call(columns, 2).to_pylist() == call(name, [a] * 2, YARD)


def test_records_and_texts_in_one_column():
    found = call("ST_WITHIN", [P(5, 5), "POINT(5 5)", None, "POINT(50 5)"], YARD)
    assert found == [1, 1, None, 0]


BOWTIE = G((0, 0), (4, 4), (4, 0), (0, 4), (0, 0))
REFUSED = [
    ("CreatePoint", ([0, None, 90.5], 0), 2, "latitude 90.5 is not from -90 to 90"),
    ("CreatePoint", ([0.0, 1.0], [1.0, 15070.0]), 1, "longitude 15070 is not"),
    ("CreatePoint", (0.0, float("nan")), 0, "longitude nan is not"),
    ("CreateLineString", ([P(0, 0), L((0, 0), (1, 1))], P(0, 0)), 1, "takes points"),
    ("CreateLineString", (["POINT(0 0)", "POINT EMPTY"], "POINT(1 1)"), 1, "takes points"),
    (
        "CreatePolygon",
        (P(0, 0), P(1, 0), P(1, 1), [P(0, 0), None, P(0, 1)]),
        2,
        "last point is not the first",
    ),
    ("CreatePolygon", (P(0, 0), P(1, 0), [P(2, 0), P(1, 0)], P(0, 0)), 1, "fewer than three"),
    ("ST_DISTANCE", ([P(0, 0), P(47, 122)], P(0, 0)), 1, "latitude is not from -90 to 90"),
    ("ST_DISTANCE", (P(0, 0), [None, L((0, 0), (99999, 0))]), 1, "longitude is not from -15069"),
    ("ST_DISTANCE", (P(0, 0), [P(0, 0), {"type": "Point"}]), 1, "no GeoJSON geometry"),
    (
        "ST_WITHIN",
        ([P(0, 0), P(0, 0), {"type": "point", "coordinates": [1, 2]}], YARD),
        2,
        "no GeoJSON",
    ),
    ("ST_WITHIN", (P(0, 0), G((0, 0), (1, 0), (1, 1))), 0, "no GeoJSON"),
    ("ST_WITHIN", (P(0, 0), [YARD, BOWTIE]), 1, "not valid: Self-intersection"),
    ("ST_WITHIN", (["POINT(1 1)", "MULTILINESTRING((1 1, 1 1))"], YARD), 1, "not valid: Too few"),
    ("ST_OVERLAPS", (["POINT(1 1)", "POINT(1)"], YARD), 1, "no WKT geometry"),
    ("ST_INTERSECTS", ("", YARD), 0, "no WKT geometry"),
    ("ST_INTERSECTS", (["POINT(1 1)", "CIRCULARSTRING(0 0, 1 1, 2 0)"], YARD), 1, "curves in WKT"),
    ("ST_INTERSECTS", (["POINT(1 1)", "LINESTRING(0 nan, 1 1)"], YARD), 1, "no finite number"),
    ("ST_INTERSECTS", ([None, P(0, 0), 5], YARD), 2, "invalid type 'bigint'"),
]


@pytest.mark.parametrize(("name", "arguments", "row", "message"), REFUSED)
def test_refuses_values(name, arguments, row, message):
    with pytest.raises(DataError, match=message.replace("(", r"\(")) as caught:
        call(name, *arguments)
    assert caught.value.row == row


R, T, B = Type.RECORD, Type.TEXT, Type.BIGINT


@pytest.mark.parametrize(
    ("name", "types", "message"),
    [
        ("CreatePoint", (T, B), "1st argument of CreatePoint has the invalid type"),
        ("CreatePoint", (B,), "takes 2 arguments, found 1"),
        ("CreateLineString", (R,), "takes 2 or more arguments, found 1"),
        (
            "CreateLineString",
            (R, B),
            "2nd argument of CreateLineString has the invalid type 'bigint'",
        ),
        ("CreatePolygon", (R, R, R), "takes 4 or more arguments, found 3"),
        ("ST_DISTANCE", (R, B), "2nd argument of ST_DISTANCE has the invalid type 'bigint'"),
        ("ST_WITHIN", (R, R, R), "takes 2 arguments, found 3"),
    ],
)
def test_refuses_types(name, types, message):
    at = Span(0, 1)
    with pytest.raises(BindError, match=message):
        BUILTINS[name.lower()].check(types, at, [at] * len(types))


def test_constants_stay_constant():
    columns = [constant("POINT(0 0)", 5), constant("POINT(1 0)", 5)]
    found = BUILTINS["st_distance"].call(columns, 5)
    assert found.constant
    assert found.to_pylist() == pytest.approx([111319.4907932736] * 5)


def test_libraries_are_loaded_when_needed():
    script = (
        "import sys\n"
        "from streamql.column import constant\n"
        "from streamql.functions.builtins import BUILTINS\n"
        "BUILTINS['createpoint'].call([constant(1.0, 1), constant(2.0, 1)], 1)\n"
        "assert not {'shapely', 'pyproj'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
