"""Shortest ways on the ellipsoid WGS84, in metres, between points, lines and sets of them.

Between points it is the solution of the inverse geodesic problem (Karney 2013, in PROJ), good to
nanometres. Between lines it is found in three steps, for all rows at once: cut lines into pieces of
at most a degree, keep the pairs of pieces that can hold the shortest way, and find the nearest
positions of each by following the slope of the distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Geometry, Numbers

Rows = NDArray[np.int64]

_LONGEST_PIECE = 1.0
_PAIRS_AT_ONCE = 1 << 20
_CLOSE_ENOUGH = 1e-5  # metres along a piece; across it, the distance is off by far less
_ROUNDS = 60
_ROUNDEST, _FLATTEST = 6_335_400.0, 6_399_600.0  # radii of curvature of WGS84, in metres


@cache
def _ellipsoid() -> Any:
    from pyproj import Geod  # 40 ms, and only ST_DISTANCE needs it

    return Geod(ellps="WGS84")


def between(lon1: Numbers, lat1: Numbers, lon2: Numbers, lat2: Numbers) -> tuple[Numbers, Numbers]:
    """Return the azimuth at the first points (radians from north) and the distances in metres."""
    azimuth, _, metres = _ellipsoid().inv(lon1, lat1, lon2, lat2)
    return np.radians(azimuth), np.asarray(metres)


def distances(first: Geometry, second: Geometry) -> Numbers:
    """Return the distance of each pair of geometries in metres, NaN where one is empty.

    With an area in it, the distance is 0, wherever it lies: so says the function's page.
    """
    import shapely

    result = np.full(len(first), np.nan)
    empty = shapely.is_empty(first) | shapely.is_empty(second)
    areas = (shapely.get_dimensions(first) == 2) | (shapely.get_dimensions(second) == 2)
    points = (shapely.get_type_id(first) == 0) & (shapely.get_type_id(second) == 0)
    result[areas & ~empty] = 0.0
    rows = np.flatnonzero(points & ~empty)
    ends = [get(side[rows]) for side in (first, second) for get in (shapely.get_x, shapely.get_y)]
    result[rows] = between(*ends)[1]
    rows = np.flatnonzero(~points & ~areas & ~empty)
    if len(rows):
        result[rows] = _line_distances(first[rows], second[rows])
    return result


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Straight pieces of lines (a point is one without length): where each begins and leads to."""

    lon: Numbers
    lat: Numbers
    east: Numbers
    north: Numbers

    def __getitem__(self, chosen: NDArray[Any]) -> _Pieces:
        return _Pieces(self.lon[chosen], self.lat[chosen], self.east[chosen], self.north[chosen])

    def at(self, part: Numbers) -> tuple[Numbers, Numbers]:
        """Return the positions at these parts (0 to 1) of the pieces."""
        return self.lon + part * self.east, self.lat + part * self.north

    def reach(self) -> Numbers:
        """Return how far a piece goes from its middle, in metres."""
        middle = self.at(np.full(len(self.lon), 0.5))
        begin = between(*middle, *self.at(np.array(0.0)))[1]
        end = between(*middle, *self.at(np.array(1.0)))[1]
        return np.maximum(begin, end) * 1.001

    def slope(self, part: Numbers, lon: Numbers, lat: Numbers) -> tuple[Numbers, Numbers]:
        """Return the slope of half the squared distance to positions, and the distance.

        On a plane this slope is linear in the part: a secant finds where it vanishes at once.
        """
        here = self.at(part)
        azimuth, metres = between(*here, lon, lat)
        east, north = self.metres(here[1])
        return -metres * (np.sin(azimuth) * east + np.cos(azimuth) * north), metres

    def metres(self, lat: Numbers) -> tuple[Numbers, Numbers]:
        """Return how many metres east and north a whole piece goes, measured at a latitude."""
        angle = np.radians(lat)
        shrunk = 1 - _ellipsoid().es * np.sin(angle) ** 2
        across = _ellipsoid().a / np.sqrt(shrunk)
        along = across * (1 - _ellipsoid().es) / shrunk
        return across * np.cos(angle) * np.radians(self.east), along * np.radians(self.north)

    def nearest(self, lon: Numbers, lat: Numbers) -> Numbers:
        """Return the part of each piece that is nearest to a position."""

        def slope(rows: Rows, part: Numbers) -> tuple[Numbers, Numbers]:
            return self[rows].slope(part, lon[rows], lat[rows])

        return _lowest(slope, self)

    def distances(self, other: _Pieces) -> Numbers:
        """Return the shortest way between each piece and the other one of its row, in metres.

        Seen from the other piece, the distance to a piece falls and then rises: so its lowest
        place is found like that of the distance to a position.
        """

        def slope(rows: Rows, part: Numbers) -> tuple[Numbers, Numbers]:
            mine, there = self[rows], other[rows]
            near = there.at(there.nearest(*mine.at(part)))
            return mine.slope(part, *near)

        here = self.at(_lowest(slope, self))
        return between(*here, *other.at(other.nearest(*here)))[1]


def _lowest(slope: Callable[[Rows, Numbers], tuple[Numbers, Numbers]], pieces: _Pieces) -> Numbers:
    """Return the part of each piece where a distance is lowest.

    `slope(rows, parts)` gives the slope of half the squared distance, and the distance.
    """
    rows = np.arange(len(pieces.lon))
    low, high = np.zeros(len(rows)), np.ones(len(rows))
    below, near = slope(rows, low)
    left = np.flatnonzero((below < 0) & ((pieces.east != 0) | (pieces.north != 0)))
    if len(left) == 0:
        return low
    above, far = np.zeros(len(rows)), np.full(len(rows), np.inf)
    above[left], far[left] = slope(left, high[left])
    part = np.where(near <= far, low, high)
    length = np.hypot(*pieces.metres(pieces.lat + pieces.north / 2))
    left = left[above[left] > 0]
    kept = np.zeros(len(rows))  # the end that stayed last: -1 the low one, 1 the high one
    for _ in range(_ROUNDS):  # the Illinois variant of false position
        if len(left) == 0:
            break
        a, b, f, g = low[left], high[left], below[left], above[left]
        middle = np.clip((a * g - b * f) / (g - f), a, b)
        found = slope(left, middle)[0]
        rises = found > 0
        stays = np.where(rises, -1, 1)
        share = np.where(kept[left] == stays, 0.5, 1.0)  # an end that stays again counts half
        low[left] = np.where(rises, a, middle)
        high[left] = np.where(rises, middle, b)
        below[left] = np.where(rises, f * share, found)
        above[left] = np.where(rises, found, g * share)
        kept[left] = stays
        moved = np.abs(middle - part[left]) * length[left]
        part[left] = middle
        left = left[(moved > _CLOSE_ENOUGH) & (found != 0)]
    return part


def _pieces(geometries: Geometry) -> tuple[_Pieces, NDArray[np.int64]]:
    """Return the pieces of geometries without areas, and which geometry each belongs to."""
    import shapely

    parts = shapely.segmentize(geometries, _LONGEST_PIECE)
    owners = np.arange(len(parts))
    while (shapely.get_type_id(parts) > 3).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owners = owners[index]
    places, part = shapely.get_coordinates(parts, return_index=True)
    follows = np.append(part[1:] == part[:-1], False)
    alone = ~follows & (np.bincount(part, minlength=len(parts))[part] == 1)
    begins = np.flatnonzero(follows | alone)
    ends = np.where(follows[begins], begins + 1, begins)
    steps = places[ends] - places[begins]
    pieces = _Pieces(places[begins, 0], places[begins, 1], steps[:, 0], steps[:, 1])
    return pieces, owners[part[begins]]


def _line_distances(first: Geometry, second: Geometry) -> Numbers:
    """Return the distances of pairs of points and lines in metres; 0 where lines cross."""
    import shapely

    swap = shapely.get_dimensions(second) == 0  # points first: their middle is all of them
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    result = np.full(len(first), np.inf)
    result[shapely.intersects(first, second)] = 0.0
    apart = np.flatnonzero(result > 0)
    if len(apart) == 0:
        return result
    one, one_row = _pieces(first[apart])
    other, other_row = _pieces(second[apart])
    left, right = _candidates(one, one_row, other, other_row)
    np.minimum.at(result, apart[one_row[left]], one[left].distances(other[right]))
    return result


def _candidates(one: _Pieces, one_row: Rows, other: _Pieces, other_row: Rows) -> tuple[Rows, Rows]:
    """Return the pairs of pieces of one row that can hold the shortest way of that row.

    Bounds are found in space: from the middle of one piece to the chord of the other one.
    """
    counts = np.bincount(other_row, minlength=int(one_row[-1]) + 1)
    starts = np.cumsum(counts) - counts
    partners = counts[one_row]
    done = np.cumsum(partners)
    reach = one.reach()
    middle = _in_space(*one.at(np.array(0.5)))
    begin = _in_space(*other.at(np.array(0.0)))
    chord = _in_space(*other.at(np.array(1.0))) - begin
    squared = np.maximum((chord**2).sum(axis=1), 1e-9)
    bend = 1.1 * _long(_in_space(*other.at(np.array(0.5))) - begin - chord / 2) + 1e-3
    best = np.full(len(counts), np.inf)
    kept: list[tuple[Rows, Rows, Numbers]] = []
    at = 0
    while at < len(one_row):
        before = done[at] - partners[at]
        stop = max(int(np.searchsorted(done, before + _PAIRS_AT_ONCE, "right")), at + 1)
        left = np.repeat(np.arange(at, stop), partners[at:stop])
        skipped = np.repeat(done[at:stop] - partners[at:stop] - before, partners[at:stop])
        right = starts[one_row[left]] + np.arange(len(left)) - skipped
        way = middle[left] - begin[right]
        part = np.clip(np.einsum("ij,ij->i", way, chord[right]) / squared[right], 0.0, 1.0)
        straight = _long(way - part[:, None] * chord[right])
        least = _over_ground(straight - bend[right], _FLATTEST) - reach[left]
        most = _over_ground(straight + bend[right], _ROUNDEST) * 1.01 + 1.0
        np.minimum.at(best, one_row[left], most)
        near = least <= best[one_row[left]]
        kept.append((left[near], right[near], least[near]))
        at = stop
    left, right = (np.concatenate([k[side] for k in kept]) for side in (0, 1))
    near = np.concatenate([k[2] for k in kept]) <= best[one_row[left]]
    return left[near], right[near]


def _in_space(lon: Numbers, lat: Numbers) -> Numbers:
    """Return positions on the ellipsoid as x, y, z from the middle of the Earth, in metres."""
    lam, phi = np.radians(lon), np.radians(lat)
    across = _ellipsoid().a / np.sqrt(1 - _ellipsoid().es * np.sin(phi) ** 2)
    around = across * np.cos(phi)
    up = across * (1 - _ellipsoid().es) * np.sin(phi)
    return np.stack([around * np.cos(lam), around * np.sin(lam), up], axis=1)


def _long(vectors: Numbers) -> Numbers:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors))


def _over_ground(straight: Numbers, radius: float) -> Numbers:
    """Return the length of an arc of this radius over a straight line of this length."""
    return 2 * radius * np.arcsin(np.clip(straight / (2 * radius), 0.0, 1.0))
