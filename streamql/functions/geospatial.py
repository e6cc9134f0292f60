"""Geospatial functions: points, lines and polygons on Earth.

Arguments are GeoJSON records or WKT texts (`geometry.py`). Distances follow the ellipsoid WGS84;
the comparisons ST_INTERSECTS, ST_OVERLAPS and ST_WITHIN are made in the plane of longitude and
latitude, where the direction of a ring says nothing, and numbers beyond 180 or 90 are as good as
others (projected coordinates). Below compatibility level 1.2 a clockwise ring stands for the rest
of the globe (language.md, Compatibility levels); lines are straight in that plane at every level.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import DataError
from ..types import Array, Type
from .geometry import (
    WIDEST,
    Geometries,
    Numbers,
    on_the_globe,
    parsed,
    position_texts,
    positions,
    record,
)
from .operators import first_row
from .registry import FunctionSet, Kernel

GEOSPATIAL = FunctionSet("geospatial")
GEOGRAPHY = FunctionSet("geospatial")
"""The comparisons below level 1.2, where they differ from those of the same name."""

_FORMS = (Type.RECORD, Type.TEXT)
_HINT = "geometries are GeoJSON records or WKT texts: CreatePoint(latitude, longitude) makes one"


def _of_points(name: str, least: int) -> Callable[[Kernel], Kernel]:
    """Declare a function of `least` points or more: all of them records, or all of them texts."""

    def add(kernel: Kernel) -> Kernel:
        for form in _FORMS:
            GEOSPATIAL.scalar(
                name, (form,) * least, Type.RECORD, variadic=True, can_fail=True, hint=_HINT
            )(kernel)
        return kernel

    return add


def _degrees(column: Column, limit: float, what: str) -> Numbers:
    """Return degrees, NaN for NULL. Raises DataError with the row beyond the limit."""
    values = np.asarray(column.values.fill_null(0.0).to_numpy(zero_copy_only=False), np.float64)
    row = first_row(~(np.abs(values) <= limit))
    if row is not None:
        raise DataError(
            f"CreatePoint: the {what} {values[row]:g} is not from -{limit:g} to {limit:g}",
            row=row,
            hint="the latitude comes first: CreatePoint(latitude, longitude)",
        )
    return np.where(column.valid(), values, np.nan)


@GEOSPATIAL.scalar(
    "CreatePoint",
    (Type.NUMBER, Type.NUMBER),
    Type.RECORD,
    can_fail=True,
    hint="CreatePoint(latitude, longitude) takes numbers, in degrees; CAST text to float",
)
def create_point(latitude: Column, longitude: Column) -> Column:
    """The GeoJSON Point of a latitude and a longitude in degrees; NULL if one of them is NULL.

    The record has the longitude first, both as floats. The latitude must be from -90 to 90, the
    longitude from -15069 to 15069 (as in T-SQL); it stays as it is written, 190 is not made -170.

    sql> CreatePoint(3.0, 10)
    {'type': 'Point', 'coordinates': [10.0, 3.0]}
    sql> CreatePoint(NULL, 10)
    NULL
    """
    lat = _degrees(latitude, 90.0, "latitude")
    lon = _degrees(longitude, WIDEST, "longitude")
    return record("Point", position_texts(lon, lat))


@_of_points("CreateLineString", 2)
def create_line_string(*points: Column) -> Column:
    """The GeoJSON LineString through two points or more, in their order; NULL if one is NULL.

    sql> CreateLineString(CreatePoint(3.0, 10), CreatePoint(0, 1))
    {'type': 'LineString', 'coordinates': [[10.0, 3.0], [1.0, 0.0]]}
    """
    return record("LineString", _listed([positions(p, "CreateLineString") for p in points]))


@_of_points("CreatePolygon", 4)
def create_polygon(*points: Column) -> Column:
    """The GeoJSON Polygon whose border goes through the points; NULL if one is NULL.

    The last point must be the first again, and three or more must differ. The inside lies to the
    left of the border (counter-clockwise); the points stay in the order in which they are given.

    sql> CreatePolygon(CreatePoint(0, 0), CreatePoint(0, 2), CreatePoint(2, 0), CreatePoint(0, 0))
    {'type': 'Polygon', 'coordinates': [[[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]]}
    """
    ring = [positions(p, "CreatePolygon") for p in points]
    places = np.array(ring)  # point, longitude or latitude, row
    known = ~np.isnan(places).any(axis=(0, 1))
    row = first_row((places[0] != places[-1]).any(axis=0) & known)
    if row is not None:
        raise DataError("CreatePolygon: the last point is not the first again", row=row)
    different = np.zeros(places.shape[2], np.int64)
    for number, point in enumerate(places[:-1]):
        different += ~(places[:number] == point).all(axis=1).any(axis=0)
    row = first_row((different < 3) & known)
    if row is not None:
        raise DataError("CreatePolygon: fewer than three different points", row=row)
    return record("Polygon", pc.binary_join_element_wise("[", _listed(ring), "]", ""))


def _listed(places: list[tuple[Numbers, Numbers]]) -> Array:
    """Return the JSON array of the positions in each row; NULL if one is NULL."""
    texts = pc.binary_join_element_wise(*[position_texts(*place) for place in places], ",")
    return pc.binary_join_element_wise("[", texts, "]", "")


def st_distance(a: Column, b: Column) -> Array:
    """The metres between two geometries on the ellipsoid WGS84, as a float; NULL for NULL or empty.

    It is the shortest way over ground, across the 180th meridian too: between points, or from
    the nearest place of a line. With a polygon, the distance is 0, wherever it lies. Latitudes must
    be from -90 to 90, longitudes from -15069 to 15069.

    sql> ST_DISTANCE('POINT(0 0)', 'POINT(1 0)')
    111319.49079327357
    sql> ST_DISTANCE('POINT(0 0)', NULL)
    NULL
    """
    from .geodesics import distances  # only a query that measures needs it

    first, second = parsed(a, "ST_DISTANCE"), parsed(b, "ST_DISTANCE")
    for side in (first, second):
        _on_earth(side)
    result = distances(first, second)
    return pa.array(result, mask=np.isnan(result))


for _forms in product(_FORMS, repeat=2):
    GEOSPATIAL.scalar("ST_DISTANCE", _forms, Type.FLOAT, can_fail=True, hint=_HINT)(st_distance)


def _on_earth(geometries: Geometries) -> None:
    import shapely

    outline = np.abs(shapely.bounds(geometries.unique)).reshape(-1, 2, 2).max(axis=1, initial=0)
    geometries.refuse(
        outline[:, 1] > 90.0,
        "ST_DISTANCE: a latitude is not from -90 to 90",
        "GeoJSON and WKT have the longitude first",
    )
    geometries.refuse(
        outline[:, 0] > WIDEST, f"ST_DISTANCE: a longitude is not from -{WIDEST:g} to {WIDEST:g}"
    )


def _comparison(name: str) -> Callable[[Kernel], Kernel]:
    """Declare a comparison of two geometries, with a variant for geometries on the globe."""

    def add(compare: Kernel) -> Kernel:
        def in_the_plane(a: Column, b: Column) -> Array:
            return compare(parsed(a, name), parsed(b, name))

        def on_globe(a: Column, b: Column) -> Array:
            return compare(on_the_globe(parsed(a, name)), on_the_globe(parsed(b, name)))

        in_the_plane.__doc__ = compare.__doc__
        for forms in product(_FORMS, repeat=2):
            for family, kernel in ((GEOSPATIAL, in_the_plane), (GEOGRAPHY, on_globe)):
                family.scalar(name, forms, Type.BIGINT, can_fail=True, hint=_HINT)(kernel)
        return compare

    return add


def _compared(test: Any, a: Geometries, b: Geometries) -> Array:
    """Return 1 where the test holds for both geometries, 0 where not, NULL for NULL."""
    import shapely

    rows = np.flatnonzero((a.codes >= 0) & (b.codes >= 0))
    if a.repeated():
        shapely.prepare(a.unique)
    answers: NDArray[np.int64] = np.zeros(len(a.codes), np.int64)
    answers[rows] = test(a.at(rows), b.at(rows))
    return pa.array(answers, mask=(a.codes < 0) | (b.codes < 0))


def _compared_either_way(test: Any, a: Geometries, b: Geometries) -> Array:
    """Do the same for a symmetric test, which is faster with the rarer geometries first."""
    return _compared(test, a, b) if len(a.unique) <= len(b.unique) else _compared(test, b, a)


@_comparison("ST_INTERSECTS")
def st_intersects(a: Geometries, b: Geometries) -> Array:
    """1 if two geometries have a place in common (a border counts), else 0; NULL for NULL.

    Lines, and any other geometries, as they lie in the plane of longitude and latitude. A polygon
    that crosses the 180th meridian is written with longitudes beyond 180.

    sql> ST_INTERSECTS('LINESTRING(-1 0, 1 0)', 'LINESTRING(0 1, 0 -1)')
    1
    sql> ST_INTERSECTS('LINESTRING(-1 0, 1 0)', 'LINESTRING(-1 2, 1 2)')
    0
    """
    import shapely

    return _compared_either_way(shapely.intersects, a, b)


@_comparison("ST_OVERLAPS")
def st_overlaps(a: Geometries, b: Geometries) -> Array:
    """1 if two geometries of one dimension cover each other in part, else 0; NULL for NULL.

    0 if they are apart, if they share no more than a border, and if one lies within the other or
    is equal to it. Measured in the plane of longitude and latitude.

    sql> ST_OVERLAPS('POLYGON((0 0, 4 0, 4 4, 0 0))', 'POLYGON((2 0, 6 0, 6 4, 2 0))')
    1
    sql> ST_OVERLAPS('POLYGON((0 0, 4 0, 4 4, 0 0))', 'POLYGON((2 1, 3 1, 3 2, 2 1))')
    0
    """
    import shapely

    return _compared_either_way(shapely.overlaps, a, b)


@_comparison("ST_WITHIN")
def st_within(a: Geometries, b: Geometries) -> Array:
    """1 if the first geometry lies within the second (a polygon, as a rule), else 0; NULL for NULL.

    A point on the border is not within; a polygon is within itself and may touch the border from
    inside. Measured in the plane of longitude and latitude.

    sql> ST_WITHIN('POINT(2 1)', 'POLYGON((0 0, 4 0, 4 4, 0 0))')
    1
    sql> ST_WITHIN('POINT(0 0)', 'POLYGON((0 0, 4 0, 4 4, 0 0))')
    0
    """
    import shapely

    return _compared(shapely.contains, b, a)
