"""AnomalyDetection_SpikeAndDip and AnomalyDetection_ChangePoint.

Both look at an event and the events of its partition before it, and return a record of IsAnomaly
(0 or 1) and Score. The language leaves the scores open; what is computed here, and why, stands in
docs/decisions/008-anomaly-detection.md. The result for an event depends on the rows of its range
alone, so it is the same however the stream was cut, and after a restart.

* NULL for an event whose value is NULL; such events teach nothing, their place is a gap.
* Gaps: historySize events are expected in LIMIT DURATION. Where the next event is later than that
  rate says, events are missing. They have their places in the history, and are taken to have had
  values like those that are known: the estimates stay as they are.
* A history is long enough with half of historySize places, eight of which (or all) hold a known
  value. Before that IsAnomaly is 0 and Score 1.0.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column
from ..errors import BindError, suggest
from ..grouping.ranges import Ranges
from ..text import float_texts
from ..types import Type
from .aggregate import Aggregate, AggregateSpec, Example, Signature
from .aggregates.values import floats, within
from .density import tails
from .martingale import martingale

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MODES = ("spikes", "dips", "spikesanddips")
_CELLS = 1 << 16  # values worked on at a time: they should fit into the cache of a core
_SEEN = 8  # fewer real values tell nothing about what is normal


def _places(times: Ints, limit: int, size: int) -> Ints:
    """Return where each event stands in the series once missing events are put in.

    `size` events are expected in `limit` ticks; without a limit (0) none are missing.
    """
    if limit <= 0 or len(times) < 2:
        return np.arange(len(times))
    steps = np.floor(np.diff(times) * (size / limit) + 0.5)
    return np.append(0, np.cumsum(np.clip(steps, 1, size).astype(np.int64)))


def _before(values: Floats, ends: Ints, counts: Ints, width: int) -> Floats:
    """Return the last `counts` values before the rows `ends`; infinity fills up to `width`."""
    rows = (ends - counts)[:, None] + np.arange(width)
    stops = ends[:, None]
    return np.where(rows < stops, values[np.minimum(rows, stops - 1)], np.inf)


def _portions(counts: Ints, most: int) -> Iterator[tuple[Ints, int]]:
    """Return histories in portions of like length: which ones, and how long their rows shall be.

    The length of its row depends on a history alone, so that sums are rounded in the same way
    whatever other histories are computed with it.
    """
    powers = np.left_shift(1, np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64))
    widths = np.minimum(powers, most)
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        step = max(1, _CELLS // width)
        for start in range(0, len(rows), step):
            yield rows[start : start + step], width


@dataclass(frozen=True)
class _Detector(Aggregate):
    """What both functions share.

    Attributes:
        confidence: in percent, above 0 up to 100; the lower it is, the more is flagged.
        history: how many events are learned from.
        limit: LIMIT DURATION in ticks; 0 if it is not known, then no events are missing.
    """

    confidence: float
    history: int
    limit: int = 0
    name: str = ""
    type: Type = Type.RECORD

    @property
    def judged(self) -> int:
        """How many of the newest events are judged and not learned from."""
        return 1

    @abstractmethod
    def score(self, past: Floats, counts: Ints, judged: Floats) -> Floats:
        """Return the scores of rows of history (see `_before`) and judged values."""

    @abstractmethod
    def flags(self, scores: Floats) -> NDArray[np.bool_]:
        """Tell which scores are those of an anomaly."""

    def over(self, inputs: Sequence[Column], times: Ints, ranges: Ranges) -> Column:
        piece = floats(inputs[0], self.name, ranges)
        rows = np.arange(len(times)) if piece.rows is None else piece.rows
        # differences of the largest floats would overflow, those of their quarters do not
        values = piece.values / 4
        places = _places(times[rows], self.limit, self.history)
        inner = within(piece.rows, len(times), ranges)
        known = np.zeros(len(times) + 1, bool)
        known[rows] = True
        some = np.flatnonzero((ranges.lengths > 0) & known[ranges.ends - 1])
        scores = np.ones(len(ranges))
        with np.errstate(all="ignore"):
            for which, found in self._scores(values, places, inner.take(some)):
                scores[some[which]] = found
        answer = np.zeros(len(ranges), bool)
        answer[some] = True
        return _records(self.flags(scores), scores, answer)

    def _scores(
        self, values: Floats, places: Ints, ranges: Ranges
    ) -> Iterator[tuple[Ints, Floats]]:
        """Return the scores of those ranges that have enough history, by portions."""
        firsts = ranges.ends - self.judged
        long = np.flatnonzero(firsts > ranges.starts)
        if len(long) == 0:
            return
        firsts, starts = firsts[long], ranges.starts[long]
        ends = places[firsts]
        expected = np.minimum(ends - places[starts], self.history)
        counts = firsts - np.maximum(np.searchsorted(places, ends - self.history), starts)
        least = max(2, (self.history - self.judged + 1) // 2)
        enough = np.flatnonzero((expected >= least) & (counts >= min(least, _SEEN)))
        for portion, width in _portions(counts[enough], self.history):
            which = enough[portion]
            past = _before(values, firsts[which], counts[which], width)
            judged = values[firsts[which][:, None] + np.arange(self.judged)]
            yield long[which], self.score(past, counts[which], judged)


def _records(flags: NDArray[np.bool_], scores: Floats, answer: NDArray[np.bool_]) -> Column:
    texts = pc.binary_join_element_wise(
        pa.array(np.array(['{"IsAnomaly":0,"Score":', '{"IsAnomaly":1,"Score":']))
        .cast(pa.string())
        .take(pa.array(flags.astype(np.int8))),
        float_texts(pa.array(scores)),
        "}",
        "",
    )
    return Column(Type.RECORD, pc.if_else(pa.array(answer), texts, pa.scalar(None, pa.string())))


@dataclass(frozen=True)
class SpikeAndDip(_Detector):
    """AnomalyDetection_SpikeAndDip: how unlikely the value is, given those before it.

    The score is the probability that the farthest of as many ordinary values as the history has
    lies out so far, 1 - (1 - tail)^n; `density` estimates the tail. The bare tail would flag every
    twentieth ordinary value at a confidence of 95.
    """

    mode: str = "spikesanddips"
    name: str = "AnomalyDetection_SpikeAndDip"

    def score(self, past: Floats, counts: Ints, judged: Floats) -> Floats:
        above, below = tails(past, counts, judged[:, 0])
        match self.mode:
            case "spikes":
                tail = above
            case "dips":
                tail = below
            case _:
                tail = 2 * np.minimum(above, below)
        return np.asarray(-np.expm1(counts * np.log1p(-np.clip(tail, 0.0, 1.0))))

    def flags(self, scores: Floats) -> NDArray[np.bool_]:
        return np.asarray(scores < 1 - self.confidence / 100)


@dataclass(frozen=True)
class ChangePoint(_Detector):
    """AnomalyDetection_ChangePoint: whether the newest values have left the old ones for good.

    The newest events, a fifth of historySize but 5 to 16, are judged by historySize values before
    them; see `martingale` for the score. By Ville's inequality a martingale that starts with 1
    exceeds 1 / (1 - confidence / 100) at most so often as the confidence allows: that is the
    threshold.
    """

    name: str = "AnomalyDetection_ChangePoint"

    @property
    def judged(self) -> int:
        return min(max(self.history // 5, 5), 16)

    def score(self, past: Floats, counts: Ints, judged: Floats) -> Floats:
        return martingale(past, counts, judged)

    def flags(self, scores: Floats) -> NDArray[np.bool_]:
        return np.asarray(scores * (1 - self.confidence / 100) > 1)


# -- how queries write them ---------------------------------------------------------------------


def _options(signature: Signature, name: str) -> tuple[float, int]:
    """Return confidence and historySize. Raises BindError with what fits."""
    kind = signature.types[0]
    if kind not in (Type.BIGINT, Type.FLOAT, Type.TEXT, Type.ANY, Type.NULL, Type.NUMBER):
        raise BindError(
            f"{name} takes bigint and float, found {kind}",
            signature.spans[0],
            "CAST it to bigint first" if kind is Type.BIT else None,
        )
    confidence, history = signature.constants[:2]
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        confidence = 0
    if not 1 <= confidence <= 100:
        raise BindError(
            f"the confidence of {name} must be a number from 1 to 100, "
            f"found {signature.constants[0]!r}",
            signature.spans[1],
            "the lower it is, the more events are flagged; 70 to 90 is a good start",
        )
    if isinstance(history, bool) or not isinstance(history, int) or history < 2:
        raise BindError(
            f"the history size of {name} must be a whole number of events from 2 on, "
            f"found {history!r}",
            signature.spans[2],
            "take the number of events that LIMIT DURATION usually holds",
        )
    return float(confidence), history


def _spike_and_dip(signature: Signature) -> Aggregate:
    name = "AnomalyDetection_SpikeAndDip"
    confidence, history = _options(signature, name)
    mode = signature.constants[2]
    if not isinstance(mode, str) or mode.lower() not in MODES:
        near = suggest(mode, MODES) if isinstance(mode, str) else None
        raise BindError(
            f"the mode of {name} must be one of {', '.join(map(repr, MODES))}, found {mode!r}",
            signature.spans[3],
            near,
        )
    return SpikeAndDip(confidence, history, signature.limit, mode=mode.lower())


def _change_point(signature: Signature) -> Aggregate:
    return ChangePoint(*_options(signature, "AnomalyDetection_ChangePoint"), signature.limit)


_OVER = "OVER (LIMIT DURATION(second, 30))"


def _example(call: str, values: Sequence[float], score: float) -> Example:
    """Return an example of one reading a second that shows the last one."""
    query = f"""WITH step AS (
    SELECT n, {call} {_OVER} AS found
    FROM input TIMESTAMP BY at
)
SELECT n, GetRecordPropertyValue(found, 'IsAnomaly') AS anomaly,
    ROUND(GetRecordPropertyValue(found, 'Score'), 3) AS score
FROM step WHERE n = {len(values)}"""
    rows: list[dict[str, Any]] = [
        {"at": f"2024-05-01T00:00:{n:02}Z", "n": n, "v": v} for n, v in enumerate(values, 1)
    ]
    return query, rows, [{"n": len(values), "anomaly": 1, "score": score}]


_REGULAR = [20.0, 21.0, 20.5, 20.2, 20.8] * 4
_HISTORY = """`confidence` is a number from 1 to 100: the lower it is, the more events are flagged.
`historySize` is the number of events to learn from, best that of `LIMIT DURATION`. Before half of
them are there, `IsAnomaly` is 0 and `Score` 1.0. For an event whose value is NULL the result is
NULL."""

_SPECS = (
    AggregateSpec(
        "AnomalyDetection_SpikeAndDip",
        _spike_and_dip,
        (4,),
        constants_last=3,
        grouped=False,
        family="anomaly detection",
        documentation=f"""Whether the value of an event lies far above or below those before it.

The arguments are a number, `confidence`, `historySize` and `'spikes'`, `'dips'` or
`'spikesanddips'`. The result is a record of `IsAnomaly` (bigint, 0 or 1) and `Score` (float), the
probability of a value as far out in such a history: an event is flagged if it is below
`1 - confidence / 100`. While a high spike is in the history, lower ones are not flagged.

{_HISTORY}""",
        example=_example(
            "AnomalyDetection_SpikeAndDip(v, 95, 20, 'spikes')", [*_REGULAR, 90.0], 0.0
        ),
    ),
    AggregateSpec(
        "AnomalyDetection_ChangePoint",
        _change_point,
        (3,),
        constants_last=2,
        grouped=False,
        family="anomaly detection",
        documentation=f"""Whether the values have changed for good: their level, trend or spread.

The arguments are a number, `confidence` and `historySize`. The result is a record of `IsAnomaly`
(bigint, 0 or 1) and `Score` (float), which grows with each event unlike those before: an event is
flagged if it exceeds `1 / (1 - confidence / 100)`. A single spike is no change.

{_HISTORY}""",
        example=_example(
            "AnomalyDetection_ChangePoint(v, 80, 20)", [*_REGULAR, 30.0, 31.0, 30.5], 7.369
        ),
    ),
)

ANOMALY: dict[str, AggregateSpec] = {spec.name.lower(): spec for spec in _SPECS}
"""The functions of anomaly detection, by their names in lower case."""
