"""ST_DISTANCE: published values, GeographicLib's own solution, and lines by samples of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from test_geospatial import L, P, call, square


def metres(a, b):
    (forth,), (back,) = call("ST_DISTANCE", a, b), call("ST_DISTANCE", b, a)
    assert forth == pytest.approx(back, abs=1e-6)
    return forth


def inverse(lon1, lat1, lon2, lat2):
    return Geodesic.WGS84.Inverse(lat1, lon1, lat2, lon2)["s12"]


# longitude and latitude of both points, and what is published: the function's page, Karney (2013)
# and the examples of GeographicLib
PUBLISHED = [
    (-5, -5, 0, 0, 784028.74077501823, 1e-2),
    (174.81, -41.32, -5.50, 40.96, 19959679.267, 1e-3),
    (-73.8, 40.6, -0.5, 51.6, 5551759.400, 1e-3),
    (0, 0, 1, 0, 111319.4907932736, 1e-6),
    (0, 0, 180, 0, 20003931.4586, 1e-4),
    (0, 0, 0, 90, 10001965.7293, 1e-4),
]


@pytest.mark.parametrize(("lon1", "lat1", "lon2", "lat2", "expected", "within"), PUBLISHED)
def test_published_distances(lon1, lat1, lon2, lat2, expected, within):
    assert metres(P(lon1, lat1), P(lon2, lat2)) == pytest.approx(expected, abs=within)


NEAR_AND_FAR = [
    (179.9, 10, -179.9, 10.1),  # across the antimeridian
    (190, 5, -170, 5.5),  # longitudes go round
    (0, 90, 77, 90),  # a pole has every longitude
    (12, 89.999, -168, 89.999),
    (0, -90, 0, 90),
    (4.25, -33.5, 4.25, -33.5),
    (4.25, -33.5, 4.2500001, -33.5),
    (0, 0, 179.5, 0.5),  # nearly antipodal
    (0, -30, 179.8, 29.9),
    (10, 30.00000001, -170, -30),
]


@pytest.mark.parametrize("places", NEAR_AND_FAR)
def test_distances_of_points(places):
    assert metres(P(*places[:2]), P(*places[2:])) == pytest.approx(inverse(*places), abs=1e-6)


def test_distances_of_many_points():
    random = np.random.default_rng(1)
    places = np.stack([random.uniform(low, -low, 500) for low in (-180, -90, -180, -90)], axis=1)
    found = call(
        "ST_DISTANCE",
        [P(*p[:2]) for p in places.tolist()],
        [f"POINT({p[2]!r} {p[3]!r})" for p in places.tolist()],
    )
    assert found == pytest.approx([inverse(*p) for p in places], abs=1e-6)


LINES = [
    # a line and a point, and the place of the line that is nearest
    (L((0, 0), (10, 0)), (3.5, 1), (3.5, 0)),
    (L((0, 0), (10, 0)), (12, 0), (10, 0)),
    (L((5, -40), (5, 40)), (5, 41), (5, 40)),
    (L((179, -1), (179, 1)), (-179.5, 0), (179, 0)),  # across the antimeridian
    (L((179, 0), (181, 0)), (-179.25, 2), (-179.25, 0)),  # and along it
    (L((3, 4), (3, 4)), (3, 5), (3, 4)),
    ("MULTIPOINT((0 0), (20 0), (40 1))", (39, 1), (40, 1)),
    (
        "GEOMETRYCOLLECTION(POINT(50 0), LINESTRING(0 0, 10 0), MULTILINESTRING((0 9, 9 9)))",
        (3, 1),
        (3, 0),
    ),
]


@pytest.mark.parametrize(("line", "place", "nearest"), LINES)
def test_distances_of_lines(line, place, nearest):
    assert metres(line, P(*place)) == pytest.approx(inverse(*place, *nearest), abs=1e-4)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (((0, 0), (30, 40)), (5, 30)),
        (((10, 60), (60, 60)), (40, 70)),  # a circle of latitude, bent on the ellipsoid
        (((-20, 80), (20, 85)), (100, 88)),
        (((0, 10), (0.01, 10.02)), (0.02, 10)),
        (((170, 0), (190, 5)), (-10, -3)),  # on the other side of the Earth
    ],
)
def test_a_line_is_straight_in_its_coordinates(line, place):
    count = 5001
    samples = np.linspace(line[0], line[1], count).tolist()
    ways = [inverse(*s, *place) for s in samples]
    step = max(inverse(*a, *b) for a, b in pairwise(samples))
    found = metres(L(*line), P(*place))
    # between two samples the way can be shorter by what a chord of one step lacks, not by more
    assert min(ways) - step**2 / min(ways) <= found <= min(ways) + 1e-6


def test_distances_of_two_lines():
    assert metres(L((0, 0), (10, 0)), L((4, 1), (4, 9))) == pytest.approx(
        inverse(4, 0, 4, 1), abs=1e-4
    )
    assert metres(L((0, 0), (10, 0)), L((4, -1), (4, 9))) == 0.0
    # side by side: the nearest places lie within both
    low, high = L((0, 60), (10, 60)), L((0, 62), (5, 60.5), (10, 62))
    assert metres(low, high) == pytest.approx(inverse(5, 60, 5, 60.5), abs=1)
    assert metres(low, high) < inverse(5, 60, 5, 60.5) + 1e-6


def test_a_line_has_the_distance_of_its_nearest_part_in_every_row():
    road = L(*[(x / 4, np.sin(x)) for x in range(16)])
    cars = [P(x / 7, 1.5 - x / 10) for x in range(30)]
    found = call("ST_DISTANCE", cars, road)
    parts = [L(*pair) for pair in pairwise(road["coordinates"])]
    each = [call("ST_DISTANCE", part, cars) for part in parts]
    assert found == pytest.approx(np.min(each, axis=0), abs=1e-6)
    assert call("ST_DISTANCE", road, [*cars, None])[-1] is None


@pytest.mark.parametrize(
    "other", [P(50, 50), L((0, 0), (1, 1)), square(-80, 10, 2), square(5, 5, 1)]
)
def test_distance_with_a_polygon_is_nothing(other):
    assert metres(square(0, 0, 10), other) == 0.0


def test_distance_of_nothing():
    assert call("ST_DISTANCE", ["POINT EMPTY", "POINT(1 2)", None], P(1, 2)) == [None, 0.0, None]
    assert call("ST_DISTANCE", "GEOMETRYCOLLECTION EMPTY", square(0, 0, 1)) == [None]
