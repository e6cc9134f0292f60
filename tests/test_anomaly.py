"""Anomaly detection: what is flagged, what is not, and that only the rows of the window count."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

import streamql
from streamql.column import Column, from_values
from streamql.errors import BindError, DataError, Span
from streamql.functions.aggregate import Signature
from streamql.functions.anomaly import ANOMALY, MODES, ChangePoint, SpikeAndDip
from streamql.functions.density import tails
from streamql.functions.martingale import martingale
from streamql.grouping.ranges import Ranges
from streamql.types import Type

SECOND = 10_000_000


def answers(detector, values, window=None, times=None):
    """The records of a detector for each value, one value a second, as (IsAnomaly, Score)."""
    values = list(values)
    times = np.arange(len(values)) * SECOND if times is None else np.asarray(times) * SECOND
    starts = np.zeros(len(values), np.int64)
    if window is not None:
        starts = np.searchsorted(times, times - window * SECOND, "right")
    found = detector.over(
        [from_values(values)], times, Ranges(starts, np.arange(len(values)) + 1)
    ).values.to_pylist()
    return [None if f is None else tuple(json.loads(f).values()) for f in found]


def flagged(detector, values, window=None, times=None):
    """The indices of the values a detector flags."""
    found = answers(detector, values, window, times)
    return [i for i, f in enumerate(found) if f is not None and f[0]]


def noise(count, seed=1):
    return np.random.default_rng(seed).normal(20, 1, count).tolist()


CYCLE = [20.0, 20.5, 21.0, 20.5] * 50


# -- spikes and dips ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 50, 120])
@pytest.mark.parametrize("base", [noise(200, 5), CYCLE, [20] * 200, [0.0] * 200])
def test_one_spike_in_a_series_is_flagged_and_nothing_else(base, size):
    values = [*base[:160], base[160] + 10.0, *base[161:]]
    assert flagged(SpikeAndDip(99, size), values, 200 if size > 100 else None) == [160]
    assert answers(SpikeAndDip(99, size), values)[160][1] < 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("value", "direction"), [(500.0, "spikes"), (-500.0, "dips")])
def test_the_mode_chooses_the_side(mode, value, direction):
    found = flagged(SpikeAndDip(95, 50, mode=mode), [*CYCLE[:60], value])
    assert found == ([60] if direction in mode else [])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [5, 0, -1e300, 1e308, 5e-324])
def test_a_constant_series_is_never_flagged(mode, value):
    for detector in (SpikeAndDip(1, 20, mode=mode), ChangePoint(1, 20)):
        found = answers(detector, [value] * 60)
        assert all(flag == 0 and math.isfinite(score) for flag, score in found)


@pytest.mark.parametrize("detector", [SpikeAndDip, ChangePoint])
def test_a_lower_confidence_flags_no_less(detector):
    values = np.random.default_rng(3).laplace(0, 1, 3000)
    found = [set(flagged(detector(c, 30), values)) for c in (1, 20, 50, 80, 95, 99.5, 100)]
    assert all(more >= less for more, less in pairwise(found))
    assert len(found[0]) > len(found[2]) > len(found[4])
    assert found[-1] == set()


def test_a_second_spike_in_the_history_counts_against_the_first():
    values = [*CYCLE[:60], 500.0, *CYCLE[:20], 480.0, *CYCLE[:10], 900.0, *CYCLE[:5], -500.0]
    assert flagged(SpikeAndDip(95, 50), values) == [60, 92, 98]
    assert 81 in flagged(SpikeAndDip(30, 50, mode="spikes"), values)


def test_a_trend_has_no_spikes():
    assert flagged(SpikeAndDip(95, 50), range(200)) == []


def test_scores_are_lower_the_farther_out_a_value_is():
    scores = [answers(SpikeAndDip(95, 50), [*CYCLE[:60], v])[60][1] for v in (21, 21.4, 22, 25)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5
    assert scores[-1] < 1e-6


@pytest.mark.parametrize("factor", [1e-200, 1e-6, 1e6, 1e200, 1e307 / 4])
def test_the_unit_of_values_does_not_matter(factor):
    base = [*noise(100), 26.0, *noise(20, 2), *[v + 8 for v in noise(12, 3)]]
    scaled = [v * factor for v in base]
    for detector in (SpikeAndDip(95, 40), ChangePoint(80, 40)):
        assert flagged(detector, scaled) == flagged(detector, base) != []


def test_differences_of_rounding_are_no_anomaly():
    values = [0.1 + 0.2 if i % 2 else 0.3 for i in range(60)]
    base = [0.3] * 60
    for detector in (SpikeAndDip(50, 40), ChangePoint(50, 40)):
        assert flagged(detector, [*base, *values]) == []


def test_tails_of_a_normal_sample_are_those_of_the_normal_distribution():
    sample = np.random.default_rng(4).normal(0, 1, (1, 4096))
    for value, expected in ((0.0, 0.5), (1.0, 0.1587), (2.0, 0.0228), (-1.0, 0.8413)):
        above, below = tails(sample, np.array([4096]), np.array([value]))
        assert above[0] == pytest.approx(expected, abs=0.02)
        assert above[0] + below[0] == pytest.approx(1)


# -- change points ------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 50, 120])
@pytest.mark.parametrize("base", [noise(300, 8), CYCLE * 2, [20] * 300])
@pytest.mark.parametrize("step", [10.0, -10.0])
def test_a_shift_of_level_is_flagged_within_a_few_events(base, size, step):
    values = [*base[:200], *[v + step for v in base[200:]]]
    found = flagged(ChangePoint(95, size), values, size + 30)
    assert 202 <= found[0] <= 204
    assert found[-1] < 200 + size  # the new level becomes what is normal


@pytest.mark.parametrize("size", [20, 50, 120])
@pytest.mark.parametrize("spikes", [[200], [200, 203]])
def test_spikes_are_no_change_point(size, spikes):
    for base in (noise(300, 9), CYCLE * 2, [20] * 300):
        values = [v + 1000 if i in spikes else v for i, v in enumerate(base)]
        assert flagged(ChangePoint(80, size), values) == []


def test_a_trend_and_a_wider_spread_are_changes():
    level = noise(150)
    assert flagged(ChangePoint(90, 50), [*level, *[20 + i for i in range(40)]])
    assert flagged(ChangePoint(90, 50), [*level, *[20 + (v - 20) * 10 for v in noise(40, 2)]])


def test_the_score_grows_with_each_event_after_a_change():
    scores = [s for _, s in answers(ChangePoint(95, 50), [*CYCLE[:100], *[40.0] * 8])][100:]
    assert scores == sorted(scores)
    assert scores[-1] > 1e6 * scores[0]


def test_a_martingale_gains_nothing_as_long_as_order_does_not_matter():
    rng = np.random.default_rng(6)
    found = martingale(
        rng.normal(0, 1, (20_000, 64)), np.full(20_000, 64), rng.normal(0, 1, (20_000, 8))
    )
    assert found.mean() < 1  # the two greatest bets are left out
    for bound in (2, 5, 20):
        assert (found > bound).mean() < 1 / bound


# -- history ------------------------------------------------------------------------------------


@pytest.mark.parametrize("detector", [SpikeAndDip(50, 40), ChangePoint(50, 40)])
def test_without_enough_history_nothing_is_flagged(detector):
    for count in (0, 1, 10, 15):
        values = [*CYCLE[:count], *[1000.0] * 4]
        assert answers(detector, values) == [(0, 1.0)] * len(values)
    assert flagged(detector, [*CYCLE[:30], *[1000.0] * 4])


def test_only_the_window_and_the_history_size_count():
    values = [*[500.0] * 20, *CYCLE[:60], 500.0]
    assert flagged(SpikeAndDip(95, 70), values) == []
    assert flagged(SpikeAndDip(95, 50), values)[-1] == 80
    assert flagged(SpikeAndDip(95, 70), values, 61)[-1] == 80


def test_null_gives_null_and_teaches_nothing():
    values = [*CYCLE[:60], None, 20.5, 500.0]
    without = [*CYCLE[:60], 20.5, 500.0]
    for detector in (SpikeAndDip(95, 50), ChangePoint(80, 50)):
        found, expected = answers(detector, values), answers(detector, without)
        assert found == [*expected[:60], None, *expected[60:]]
    assert answers(SpikeAndDip(95, 50), [None] * 3) == [None] * 3


def test_an_empty_range_gives_null():
    empty = Ranges(np.array([0, 3, 0]), np.array([0, 3, 1]))
    found = SpikeAndDip(95, 10).over([from_values([1, 2, 3])], np.arange(3), empty)
    assert found.type is Type.RECORD
    assert [v is None for v in found.values.to_pylist()] == [True, True, False]
    assert (
        len(SpikeAndDip(95, 10).over([from_values([])], np.arange(0), empty.take(np.arange(0))))
        == 0
    )


def test_bigint_float_and_numeric_text_mix():
    values = [20, 20.5, "21", 20.5] * 15
    assert flagged(SpikeAndDip(95, 50), [*values, 500]) == [60]
    with pytest.raises(DataError) as caught:
        answers(SpikeAndDip(95, 50), [1, 2.5, "much"])
    assert caught.value.row == 2


@pytest.mark.parametrize("limit", [0, 100 * SECOND])
@pytest.mark.parametrize("detector", [SpikeAndDip, ChangePoint])
def test_results_depend_on_the_rows_of_their_range_alone(detector, limit):
    rng = np.random.default_rng(7)
    values = np.where(rng.random(3000) < 0.05, 60, rng.normal(20, 1, 3000)).round(3)
    values[1500:] += 9
    times = np.cumsum(rng.integers(0, 4, 3000)) * SECOND
    column = Column(Type.FLOAT, pa.array(values, mask=rng.random(3000) < 0.1))
    starts = np.searchsorted(times, times - 100 * SECOND, "right")
    ends = np.arange(3000) + 1
    agg = detector(80, 60, limit)
    whole = agg.over([column], times, Ranges(starts, ends)).values.to_pylist()
    assert sum(text is not None and '"IsAnomaly":1' in text for text in whole) > 5
    for i in range(0, 3000, 17):
        alone = slice(starts[i], ends[i])
        length = int(ends[i] - starts[i])
        one = Ranges(np.array([0]), np.array([length]))
        found = agg.over([column.slice(alone.start, length)], times[alone], one)
        assert found.values.to_pylist() == [whole[i]]


# -- gaps ---------------------------------------------------------------------------------------


def test_missing_events_have_their_places_in_the_history():
    values = [*[20.0, 20.5, 21.0] * 8, *[500.0] * 5]  # an event every fifth second
    times = np.arange(29) * 5
    assert flagged(SpikeAndDip(95, 60), values, 80, times) == []
    assert flagged(SpikeAndDip(95, 60, 60 * SECOND), values, 80, times)[0] == 24
    assert flagged(ChangePoint(80, 60), values, 125, times) == []
    assert 27 in flagged(ChangePoint(80, 60, 60 * SECOND), values, 125, times)


def test_a_few_known_values_stand_for_a_large_history():
    detector = SpikeAndDip(90, 1000, 1000 * SECOND)
    assert flagged(detector, [*[20.0, 20.5, 21.0] * 3, 500.0], times=np.arange(10) * 100) == [9]


def test_missing_events_push_old_ones_out_of_the_history():
    values = [*[500.0] * 20, *CYCLE[:40], *CYCLE[:20], 500.0]
    times = [*range(60), *range(100, 121)]
    assert 80 not in flagged(SpikeAndDip(95, 70), values, None, times)
    assert 80 in flagged(SpikeAndDip(95, 70, 70 * SECOND), values, None, times)


def test_a_spike_before_a_gap_is_no_change_point():
    times = [*range(100), *range(140, 200)]
    values = [*CYCLE[:99], 500.0, *CYCLE[:60]]
    assert flagged(ChangePoint(80, 50, 50 * SECOND), values, times=times) == []


def test_a_gap_of_years_costs_no_memory():
    times = [*range(60), 10**9, 10**9 + 1]
    values = [*CYCLE[:60], 20.5, 500.0]
    detector = SpikeAndDip(95, 50, 50 * SECOND)
    assert answers(detector, values, 50, times)[-1] == (0, 1.0)
    assert answers(detector, values, None, times)[-1] == (0, 1.0)
    huge = SpikeAndDip(95, 2**62, SECOND)
    assert answers(huge, values, None, times)[-1] == (0, 1.0)


# -- queries ------------------------------------------------------------------------------------


def signature(*constants, types=(Type.FLOAT,)):
    spans = tuple(Span(i, i + 1) for i in range(len(constants) + 1))
    return Signature(constants, types, (), (), False, Span(0, 9), spans)


@pytest.mark.parametrize(
    ("name", "constants", "types", "place", "message"),
    [
        ("spikeanddip", (0, 50, "dips"), (Type.FLOAT,), 1, "a number from 1 to 100, found 0"),
        ("spikeanddip", (100.5, 50, "dips"), (Type.FLOAT,), 1, "found 100.5"),
        ("spikeanddip", ("95", 50, "dips"), (Type.FLOAT,), 1, "found '95'"),
        ("spikeanddip", (None, 50, "dips"), (Type.FLOAT,), 1, "found None"),
        ("spikeanddip", (95, 1, "dips"), (Type.FLOAT,), 2, "a whole number of events from 2 on"),
        ("changepoint", (95, 50.0), (Type.FLOAT,), 2, "found 50.0"),
        ("changepoint", (95, -3), (Type.FLOAT,), 2, "found -3"),
        ("spikeanddip", (95, 50, "spike"), (Type.FLOAT,), 3, "one of 'spikes', 'dips'"),
        ("spikeanddip", (95, 50, 1), (Type.FLOAT,), 3, "found 1"),
        ("changepoint", (95, 50), (Type.DATETIME,), 0, "takes bigint and float, found datetime"),
        ("changepoint", (95, 50), (Type.BIT,), 0, "found bit"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, constants, types, place, message):
    with pytest.raises(BindError, match=message) as caught:
        ANOMALY[f"anomalydetection_{name}"].make(signature(*constants, types=types))
    assert caught.value.span == Span(place, place + 1)


def test_options_that_fit_make_a_detector():
    make = ANOMALY["anomalydetection_spikeanddip"].make
    assert make(signature(99.5, 120, "SpikesAndDips")) == SpikeAndDip(
        99.5, 120, mode="spikesanddips"
    )
    assert ANOMALY["anomalydetection_changepoint"].make(signature(1, 2)) == ChangePoint(1.0, 2)


def test_the_record_has_a_bigint_and_a_float():
    column = SpikeAndDip(95, 10).over(
        [from_values([1])], np.arange(1), Ranges(np.array([0]), np.array([1]))
    )
    assert column.values.to_pylist() == ['{"IsAnomaly":0,"Score":1.0}']


@pytest.mark.parametrize("name", ANOMALY)
def test_examples_give_what_they_say(name):
    query, rows, wanted = ANOMALY[name].example
    with streamql.Engine() as engine:
        engine.register("input", rows)
        assert engine.sql(query).fetchall() == wanted


def test_partitions_learn_apart():
    rows = [
        {"at": f"2024-05-01T00:{n // 60:02}:{n % 60:02}Z", "k": k, "v": 1000 * k + n % 3}
        for n in range(80)
        for k in (0, 1)
    ]
    rows[-1]["v"] = 0
    query = """WITH s AS (SELECT k, AnomalyDetection_SpikeAndDip(v, 95, 40, 'spikesanddips')
        OVER (PARTITION BY k LIMIT DURATION(minute, 1)) AS a FROM input TIMESTAMP BY at)
    SELECT k FROM s WHERE CAST(GetRecordPropertyValue(a, 'IsAnomaly') AS bigint) = 1"""
    with streamql.Engine() as engine:
        engine.register("input", rows)
        assert engine.sql(query).fetchall() == [{"k": 1}]
