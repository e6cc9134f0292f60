"""The exchangeability martingale of a series: it grows once new values stop being like old ones.

As long as values could have come in any order, a bet against that gains nothing on average; a
player who gets rich shows that the order matters, which is what a change point is. The parts:

* Conformal p-values (V. Vovk, I. Nouretdinov, A. Gammerman: Testing exchangeability on-line, ICML
  2003): the share of the reference at least as strange as a new value. Strangeness is the distance
  from the median. The reference is fixed and older than all values it judges, as in "inductive"
  martingales (D. Volkhonskiy and others, 2017). Ties count half, where the papers draw lots: a
  result must not depend on chance.
* The mixture of power bets (same paper; V. Fedorova and others: Plug-in martingales for testing
  exchangeability on-line, ICML 2012, compare it): a p-value p multiplies the martingale by the
  integral of e * p^(e - 1) over e from 0 to 1.

Ours, and not in the papers:

* Past the strangest value of the reference the p-value falls exponentially, with the mean
  strangeness as its scale and 0.001 as its end: with the bare share, a short reference could hardly
  tell a far value from a near one, and no value may decide alone.
* The product runs over the judged values only, and leaves the two greatest bets out. So one spike,
  however far out, is no change, not even with an unlucky value beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_LEAST = 0.001  # the p-value of the farthest value
_ROUNDING = 1e-10  # differences this small, against the values themselves, are none


def martingale(reference: Floats, known: Ints, judged: Floats) -> Floats:
    """Return the martingale of each row after its judged values, the two greatest bets left out.

    Args:
        reference: the older values of each row, in any order; infinity fills rows up at the end.
        known: how many values the reference of each row has, at least 1.
        judged: the newest values of each row, more than 2.
    """
    filled = np.arange(reference.shape[1]) < known[:, None]
    ordered = np.sort(reference, axis=1)
    middle = (_at(ordered, (known - 1) // 2) + _at(ordered, known // 2)) / 2
    largest = np.abs(np.where(filled, reference, 0.0)).max(axis=1)
    rounding = np.maximum(largest, np.abs(judged).max(axis=1)) * _ROUNDING
    strange = np.abs(reference - middle[:, None])
    inside = np.where(filled, strange, 0.0)
    most = inside.max(axis=1)
    scale = np.maximum(inside.sum(axis=1) / known, np.maximum(rounding, np.finfo(float).tiny))
    strange[~filled] = -1.0  # less strange than anything
    bets = np.empty_like(judged)
    for place in range(judged.shape[1]):
        distance = np.abs(judged[:, place] - middle)
        more = np.count_nonzero(strange > (distance + rounding)[:, None], axis=1)
        equal = np.count_nonzero(strange >= (distance - rounding)[:, None], axis=1) - more
        share = (more + (equal + 1) / 2) / (known + 1)
        beyond = np.maximum(distance - rounding - most, 0.0) / scale
        bets[:, place] = _log_bet(np.maximum(share * np.exp(-beyond), _LEAST))
    bets.sort(axis=1)
    return np.asarray(np.exp(bets[:, :-2].sum(axis=1)))


def _at(ordered: Floats, places: Ints) -> Floats:
    return np.take_along_axis(ordered, places[:, None], axis=1)[:, 0]


def _log_bet(p: Floats) -> Floats:
    """Return the logarithm of the mixture bet on p-values between 0 and 1, these excluded."""
    log = np.log(p)
    return np.asarray(np.log((1.0 - p + p * log) / (p * log * log)))
