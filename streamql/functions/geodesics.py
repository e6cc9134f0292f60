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

from .geometry import Geometries, Geometry, Numbers

Rows = NDArray[np.int64]

_LONGEST_PIECE = 1.0
_PAIRS_AT_ONCE = 1 << 20
_CLOSE_ENOUGH = 1e-5  # metres along a piece; across it, the distance is off by far less
_ROUNDS = 60
_ROUNDEST, _FLATTEST = 6_335_400.0, 6_399_600.0  # radii of curvature of WGS84, in metres
_ALMOST_THROUGH = 12_500_000.0  # metres: an arc of the roundest kind spans little more


@cache
def _ellipsoid() -> Any:
    from pyproj import Geod  # 40 ms, and only ST_DISTANCE needs it

    return Geod(ellps="WGS84")


def between(lon1: Numbers, lat1: Numbers, lon2: Numbers, lat2: Numbers) -> tuple[Numbers, Numbers]:
    """Return the azimuth at the first points (radians from north) and the distances in metres."""
    azimuth, _, metres = _ellipsoid().inv(lon1, lat1, lon2, lat2)
    return np.radians(azimuth), np.asarray(metres)


def distances(first: Geometries, second: Geometries) -> Numbers:
    """Return the distance of the geometries of each row in metres, NaN for NULL and for empty.

    With an area in it, the distance is 0, wherever it lies: so says the function's page.
    """
    import shapely

    every = np.concatenate([first.unique, second.unique])
    one = first.codes
    other = np.where(second.codes < 0, -1, second.codes + len(first.unique))
    # what holds for each geometry, and at the end for NULL, which is the code -1
    empty = np.append(shapely.is_empty(every), True)
    area = np.append(shapely.get_dimensions(every) == 2, False)
    point = np.append(shapely.get_type_id(every) == 0, False)
    result = np.full(len(one), np.nan)
    known = ~(empty[one] | empty[other])
    areas = area[one] | area[other]
    points = point[one] & point[other]
    result[known & areas] = 0.0
    rows = np.flatnonzero(known & points)
    if len(rows):
        places = np.full((len(every), 2), np.nan)
        places[(point & ~empty)[:-1]] = shapely.get_coordinates(every[(point & ~empty)[:-1]])
        result[rows] = between(*places[one[rows]].T, *places[other[rows]].T)[1]
    rows = np.flatnonzero(known & ~points & ~areas)
    if len(rows):
        result[rows] = _line_distances(every, one[rows], other[rows])
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
        lat = self.lat + part * self.north
        # a rounding beyond the pole would be no place
        return self.lon + part * self.east, np.clip(lat, -90.0, 90.0)

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


def _pieces(geometries: Geometry) -> tuple[_Pieces, Rows]:
    """Return the pieces of geometries without areas, and how many each of them has, in order."""
    import shapely

    parts, owners = geometries, np.arange(len(geometries))
    while (shapely.get_type_id(parts) > 3).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owners = owners[index]
    places, part = shapely.get_coordinates(parts, return_index=True)
    follows = np.append(part[1:] == part[:-1], False)
    alone = np.bincount(part, minlength=len(parts))[part] == 1
    begins = np.flatnonzero(follows | alone)
    ends = np.where(follows[begins], begins + 1, begins)
    steps = places[ends] - places[begins]
    cuts = np.maximum(np.ceil(np.abs(steps).max(axis=1) / _LONGEST_PIECE), 1).astype(np.int64)
    line = np.repeat(np.arange(len(cuts)), cuts)
    east, north = (steps[line] / cuts[line, None]).T
    lon, lat = places[begins][line].T
    number = _places_in(cuts)
    pieces = _Pieces(lon + number * east, lat + number * north, east, north)
    return pieces, np.bincount(owners[part[begins]][line], minlength=len(geometries))


def _line_distances(every: Geometry, one: Rows, other: Rows) -> Numbers:
    """Return the distances of points and lines in metres, given by number; 0 where they cross."""
    import shapely

    dots = shapely.get_dimensions(every) == 0
    one, other = np.where(dots[other], other, one), np.where(dots[other], one, other)
    used, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    geometries = every[used]
    one, other = codes[: len(one)], codes[len(one) :]
    if 4 * len(used) <= len(one):
        shapely.prepare(geometries)
    result = np.where(shapely.intersects(geometries[other], geometries[one]), 0.0, np.inf)
    apart = np.flatnonzero(result > 0)
    pieces, counts = _pieces(geometries)
    rows, left, right = _candidates(pieces, counts, one[apart], other[apart])
    np.minimum.at(result, apart[rows], pieces[left].distances(pieces[right]))
    return result


def _candidates(pieces: _Pieces, counts: Rows, one: Rows, other: Rows) -> tuple[Rows, Rows, Rows]:
    """Return the pairs of pieces that can hold the shortest way of a row: (row, piece, piece).

    Bounds are found in space: from the middle of one piece to the chord of the other one.
    """
    reach = pieces.reach()
    middle = _in_space(*pieces.at(np.array(0.5)))
    begin = _in_space(*pieces.at(np.array(0.0)))
    chord = _in_space(*pieces.at(np.array(1.0))) - begin
    squared = np.maximum((chord**2).sum(axis=1), 1e-9)
    bend = 1.1 * _long(middle - begin - chord / 2) + 1e-3

    starts = np.cumsum(counts) - counts
    rows = np.repeat(np.arange(len(one)), counts[one])
    mine = starts[one][rows] + _places_in(counts[one])
    partners = counts[other[rows]]
    done = np.concatenate([[0], np.cumsum(partners)])
    best = np.full(len(one), np.inf)
    kept: list[tuple[Rows, Rows, Rows, Numbers]] = []
    at = 0
    while at < len(mine):
        stop = max(int(np.searchsorted(done, done[at] + _PAIRS_AT_ONCE, "right")) - 1, at + 1)
        some = slice(at, stop)
        row = np.repeat(rows[some], partners[some])
        left = np.repeat(mine[some], partners[some])
        right = starts[other][row] + _places_in(partners[some])
        way = middle[left] - begin[right]
        part = np.clip(np.einsum("ij,ij->i", way, chord[right]) / squared[right], 0.0, 1.0)
        straight = _long(way - part[:, None] * chord[right])
        least = _over_ground(straight - bend[right], _FLATTEST) - reach[left]
        most = _over_ground(straight + bend[right], _ROUNDEST)
        most[straight > _ALMOST_THROUGH] = np.inf
        np.minimum.at(best, row, most)
        near = least <= best[row]
        kept.append((row[near], left[near], right[near], least[near]))
        at = stop
    row, left, right = (np.concatenate([k[side] for k in kept] or [rows]) for side in (0, 1, 2))
    near = np.concatenate([k[3] for k in kept] or [best]) <= best[row]
    return row[near], left[near], right[near]


def _places_in(lengths: Rows) -> Rows:
    """Return 0, 1, ... for each run of these lengths."""
    ends = np.cumsum(lengths)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _in_space(lon: Numbers, lat: Numbers) -> Numbers:
    """Return positions on the ellipsoid as x, y, z from the middle of the Earth, in metres."""
    lam, phi = np.radians(lon), np.radians(lat)
    across = _ellipsoid().a / np.sqrt(1 - _ellipsoid().es * np.sin(phi) ** 2)
    around = across * np.cos(phi)
    up = across * (1 - _ellipsoid().es) * np.sin(phi)
    return np.stack([around * np.cos(lam), around * np.sin(lam), up], axis=1)


def _long(vectors: Numbers) -> Numbers:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)))


def _over_ground(straight: Numbers, radius: float) -> Numbers:
    """Return the length of an arc of this radius over a straight line of this length."""
    return 2 * radius * np.arcsin(np.clip(straight / (2 * radius), 0.0, 1.0))
