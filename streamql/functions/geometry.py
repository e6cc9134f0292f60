"""Geometries of a column: GeoJSON records and WKT texts, each different one parsed once.

A position is (longitude, latitude) in degrees. Between two positions runs the line that is straight
in these coordinates, as RFC 7946 has it: from 179 to -179 the long way round. All GeoJSON
geometries and all WKT types without curves are read; a third coordinate counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import DataError
from ..text import float_texts, mask_of
from ..types import Array, Type

Geometry = NDArray[Any]
"""An array of shapely geometries; shapely has no types."""

Numbers = NDArray[np.float64]

WIDEST = 15069.0
"""The largest longitude of T-SQL's geography, in degrees; beyond 180 they go round again."""

_POINT = 0
_LINES = (1, 2)  # shapely's type numbers: LineString and LinearRing
_CURVES = "(?i)(circularstring|compoundcurve|curvepolygon|multicurve|multisurface)"


@dataclass(frozen=True, slots=True)
class Geometries:
    """The geometries of a column.

    Attributes:
        unique: every different geometry, as shapely has it.
        codes: which of them each row has; -1 for NULL.
    """

    unique: Geometry
    codes: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64]) -> Geometry:
        """Return the geometries of these rows, none of which may be NULL."""
        found: Geometry = self.unique[self.codes[rows]]
        return found

    def repeated(self) -> bool:
        """Tell whether preparing each geometry for many comparisons is worth it."""
        return 4 * len(self.unique) <= len(self.codes)

    def refuse(self, wrong: NDArray[np.bool_], message: str, hint: str | None = None) -> None:
        """Raise DataError for the first row that has one of the geometries marked as wrong."""
        if wrong.any():
            rows = wrong[self.codes] & (self.codes >= 0)
            raise DataError(message, row=int(np.argmax(rows)), hint=hint)


def parsed(column: Column, name: str) -> Geometries:
    """Return the geometries of a record column (GeoJSON) or a text column (WKT).

    A line that stays at one place is that point. Raises DataError with the row for what is no
    geometry, for numbers that are not finite, and for geometries that are not valid (a ring that
    crosses itself). `name` is the calling function.
    """
    import shapely

    found = _read(column, name)
    still = np.isin(shapely.get_type_id(found.unique), _LINES) & ~shapely.is_empty(found.unique)
    still &= shapely.length(found.unique) == 0
    if still.any():  # neither a line nor a point for shapely, which compares it now so, now so
        starts = shapely.get_coordinates(shapely.get_point(found.unique[still], 0))
        found.unique[still] = shapely.points(starts)
    return found


def _read(column: Column, name: str) -> Geometries:
    import shapely  # 8 ms, and only queries with such a function need it

    values = column.values
    if column.constant and len(column):
        unique = values.slice(0, 1).drop_null()
        codes = np.full(len(column), len(unique) - 1, np.int64)
    else:
        encoded = values.dictionary_encode()
        unique = encoded.dictionary
        codes = np.asarray(encoded.indices.fill_null(-1), np.int64)
    read = _from_geojson if column.type is Type.RECORD else _from_wkt
    found = Geometries(read(unique, codes, name), codes)
    places, owner = shapely.get_coordinates(found.unique, return_index=True)
    odd = np.bincount(owner[~np.isfinite(places).all(axis=1)], minlength=len(found.unique)) > 0
    found.refuse(odd, f"{name}: a coordinate is no finite number")
    flawed = ~shapely.is_valid(found.unique)
    flawed &= ~np.isin(shapely.get_type_id(found.unique), _LINES)
    if flawed.any():
        reason = shapely.is_valid_reason(found.unique[np.argmax(flawed)])
        found.refuse(
            flawed,
            f"{name}: the geometry is not valid: {reason}",
            "a ring must not cross or touch itself, and a hole lies inside of its ring",
        )
    return found


def on_the_globe(geometries: Geometries) -> Geometries:
    """Return the same geometries, but polygons with a clockwise ring as the rest of the globe."""
    import shapely

    rings = shapely.get_exterior_ring(geometries.unique)  # None where it is no polygon
    turned = ~shapely.is_missing(rings) & ~shapely.is_empty(rings) & ~shapely.is_ccw(rings)
    unique = geometries.unique.copy()
    unique[turned] = shapely.difference(shapely.box(-180, -90, 180, 90), unique[turned])
    return Geometries(unique, geometries.codes)


def _from_geojson(texts: pa.StringArray, codes: NDArray[np.int64], name: str) -> Geometry:
    import shapely

    with np.errstate(all="ignore"):  # 1e400 is refused, not warned of
        found = shapely.from_geojson(texts.to_numpy(zero_copy_only=False), on_invalid="ignore")
    Geometries(found, codes).refuse(
        shapely.is_missing(found),
        f"{name}: the record is no GeoJSON geometry",
        'write {"type": "Point", "coordinates": [longitude, latitude]}; rings end where they start',
    )
    return np.asarray(found, object)


def _from_wkt(texts: pa.StringArray, codes: NDArray[np.int64], name: str) -> Geometry:
    import shapely

    curved = mask_of(pc.match_substring_regex(texts, _CURVES))
    Geometries(np.empty(len(texts), object), codes).refuse(
        curved, f"{name}: curves in WKT are not supported", "give the line that follows the curve"
    )
    with np.errstate(all="ignore"):  # nan is refused, not warned of
        found = shapely.from_wkt(texts.to_numpy(zero_copy_only=False), on_invalid="ignore")
    Geometries(found, codes).refuse(
        shapely.is_missing(found),
        f"{name}: the text is no WKT geometry",
        "write 'POINT(longitude latitude)'; rings end where they start",
    )
    return np.asarray(found, object)


def positions(column: Column, name: str) -> tuple[Numbers, Numbers]:
    """Return the longitudes and latitudes of a column of points, NaN for NULL.

    Raises DataError with the row for what is no point.
    """
    import shapely

    points = _read(column, name)
    kinds = shapely.get_type_id(points.unique)
    wrong = (kinds != _POINT) | shapely.is_empty(points.unique)
    points.refuse(wrong, f"{name} takes points", "CreatePoint(latitude, longitude) makes one")
    # NULL is the row -1: one NaN at the end
    lon = np.append(shapely.get_x(points.unique), np.nan)
    lat = np.append(shapely.get_y(points.unique), np.nan)
    return lon[points.codes], lat[points.codes]


def position_texts(lon: Numbers, lat: Numbers) -> Array:
    """Return the JSON text [longitude, latitude] of each position, NULL for NaN."""
    texts = [float_texts(pa.array(values, mask=np.isnan(values))) for values in (lon, lat)]
    inside = pc.binary_join_element_wise(*texts, ",")
    return pc.binary_join_element_wise("[", inside, "]", "")


def record(kind: str, coordinates: Array) -> Column:
    """Return GeoJSON records of one kind from the texts of their coordinates; NULL stays."""
    start = f'{{"type":"{kind}","coordinates":'
    return Column(Type.RECORD, pc.binary_join_element_wise(start, coordinates, "}", ""))
