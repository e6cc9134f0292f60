"""The distribution of values, estimated from some of them, and how far out another one lies in it.

Kernel density estimation with kernels of adaptive width (B. W. Silverman: Density Estimation for
Statistics and Data Analysis, 1986): each known value becomes a normal distribution around it. Their
general width is the rule of section 3.4.2, 0.9 * min(deviation, quartile distance / 1.34) *
n^(-1/5); where values are sparse they are wider by the square root of the sparseness (section 5.3,
after I. Abramson, 1982).

Ours: sparseness is the distance to the k-th neighbour (k about the root of half the values) against
the general width, which takes one sort where a pilot estimate takes all pairs; and no kernel is
narrower than the general width.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROUNDING = 1e-10  # kernels are never narrower than this, against the values themselves


def tails(past: Floats, counts: Ints, value: Floats) -> tuple[Floats, Floats]:
    """Return the shares of the estimated distribution above and below a value.

    Args:
        past: the known values of each row; infinity fills rows up at the end.
        counts: how many values each row has, at least 2 and more than half of its length.
        value: the value of each row.
    """
    near = max(1, isqrt(past.shape[1] // 2))
    ordered = np.sort(past, axis=1)
    known = np.arange(past.shape[1]) < counts[:, None]
    size = np.maximum(np.abs(np.where(known, past, 0.0)).max(axis=1), np.abs(value))
    ordered = ordered / np.where(size > 0, size, 1.0)[:, None]
    value = value / np.where(size > 0, size, 1.0)
    width = _general_width(ordered, known, counts)[:, None]
    distances = np.full(ordered.shape, np.inf)
    steps = ordered[:, near:] - ordered[:, :-near]
    distances[:, :-near] = steps
    distances[:, near:] = np.fmin(distances[:, near:], steps)
    widths = width * np.sqrt(np.maximum(distances / width, 1.0))
    away = (value[:, None] - ordered) / widths
    beyond = _normal_tail(np.abs(away))
    higher = away > 0
    above = np.where(known, np.where(higher, beyond, 1 - beyond), 0.0).sum(axis=1)
    below = np.where(known, np.where(higher, 1 - beyond, beyond), 0.0).sum(axis=1)
    return above / counts, below / counts


def _general_width(ordered: Floats, known: NDArray[np.bool_], counts: Ints) -> Floats:
    """Return the width of kernels by Silverman's rule, for rows of sorted values from -1 to 1.

    Where the middle half of the values is one value, the distance of the outer twentieths stands in
    for that of the quartiles: a few far values must not make the kernels wide.
    """
    values = np.where(known, ordered, 0.0)
    mean = values.sum(axis=1) / counts
    deviations = np.where(known, ordered - mean[:, None], 0.0)
    deviation = np.sqrt((deviations * deviations).sum(axis=1) / counts)

    def distance(share: float) -> Floats:
        low = np.floor((counts - 1) * share).astype(np.int64)
        high = counts - 1 - low
        ends = np.take_along_axis(ordered, np.stack([low, high], axis=1), axis=1)
        return np.asarray(ends[:, 1] - ends[:, 0])

    middle = distance(0.25) / 1.34
    spread = np.where(middle > _ROUNDING, middle, distance(0.05) / 3.29)
    width = 0.9 * np.minimum(deviation, spread) * counts**-0.2
    return np.asarray(np.maximum(width, _ROUNDING))


def _normal_tail(z: Floats) -> Floats:
    """Return the share of the normal distribution above z >= 0, to seven digits.

    M. Abramowitz and I. Stegun: Handbook of Mathematical Functions, formula 26.2.17.
    """
    t = 1.0 / (1.0 + 0.2316419 * z)
    series = 1.330274429 * t - 1.821255978
    for factor in (1.781477937, -0.356563782, 0.319381530):
        series = series * t + factor
    return np.asarray(0.3989422804014327 * np.exp(-0.5 * z * z) * series * t)
