"""Aggregates kept up to date row by row, against the oracle and against themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from aggregate_oracle import (
    MAKERS,
    MIXTURES,
    expected,
    make,
    over,
    results,
    running,
    same,
    some_values,
)

from streamql.column import concat, from_values, nulls
from streamql.errors import DataError
from streamql.grouping.ranges import Ranges
from streamql.runtime.state import from_bytes, to_bytes
from streamql.types import Type

DAY = datetime(2024, 5, 1, tzinfo=UTC)
KEPT = ("count", "sum", "avg", "min", "max", "stdev", "stdevp", "var", "varp")
"""The aggregates that are kept up to date row by row."""


def test_others_need_the_rows():
    common = {"constants": (1,), "order": (Type.ANY,)}
    assert make("collecttop", **common).accumulator() is None
    assert make("percentile_disc", **common).accumulator() is None
    assert make("sum", distinct=True).accumulator() is None


@pytest.mark.parametrize("kinds", MIXTURES, ids="+".join)
@pytest.mark.parametrize("name", KEPT)
def test_slots_against_the_oracle(name, kinds):
    r, values = some_values(23, kinds, 90)
    slots = r.integers(0, 12, len(values))
    slots[slots == 4] = 3
    groups = [[s] for s in range(12)] + [[0, 1, 2], [4, 5], [11, 10, 9, 8], [4], list(range(12))]
    found = running(make(name), [(slots, from_values(values))], groups)
    for group, result in zip(groups, found, strict=True):
        members = [v for v, s in zip(values, slots, strict=True) if s in group]
        wanted = expected(name, members)
        if name.startswith(("var", "stdev")) and "near" in kinds and wanted is not None:
            assert abs(result - wanted) < 4
            continue
        assert same(result, wanted), group


def test_slots_of_text_and_datetimes_and_bits():
    slots = np.array([0, 1, 0, 2, 1, 2])
    texts = from_values(["b", "10", "a", None, "9", None])
    function = make("min", types=(Type.TEXT,))
    assert running(function, [(slots, texts)] * 2, [[0], [1], [2], [0, 1]]) == [
        "a", "10", None, "10",
    ]  # fmt: skip
    moments = [DAY + timedelta(seconds=s) for s in (5, 1, 3, 7, 9, 2)]
    found = running(make("max"), [(slots, from_values(moments))], [[0], [1], [2], [0, 2]])
    assert found == [moments[0], moments[4], moments[3], moments[3]]
    bits = from_values([True, None, False, True, False, True])
    assert running(make("min"), [(slots, bits)], [[0], [1], [2]]) == [False, False, True]


def test_count_star_needs_no_input():
    state = make("count", types=(), star=True).accumulator()
    state.add(np.array([0, 2, 2]), 3, [])
    assert results(state, [[0], [1], [2], [0, 1, 2]]).to_pylist() == [1, 0, 2, 3]


@pytest.mark.parametrize("kinds", [("rough",), ("bigint",), ("long",), ("rough", "bigint", "text"),
                                   ("huge", "rough")], ids="+".join)  # fmt: skip
@pytest.mark.parametrize("name", KEPT)
def test_cuts_keeping_and_restoring_change_no_bit(name, kinds, monkeypatch):
    monkeypatch.setitem(MAKERS, "rough", lambda r: float(r.normal() * 10.0 ** r.integers(-9, 9)))
    monkeypatch.setitem(MAKERS, "huge", lambda r: int(r.integers(-(2**62), 2**62)))
    r, values = some_values(41, kinds, 400)
    keys = r.integers(0, 9, len(values))
    function = make(name)
    whole = function.accumulator()
    whole.add(keys, 9, [from_values(values)])
    windows = [[k] for k in range(9)] + [[0, 1, 2], [5, 3], list(range(9))]
    wanted = results(whole, windows).to_json().to_pylist()
    assert len(set(wanted)) > 3
    for _ in range(6):
        state = function.accumulator()
        slot_of: dict[int, int] = {}
        extra = 0
        cuts = np.sort(r.integers(0, len(values) + 1, int(r.integers(0, 40))))
        bounds = [0, *cuts.tolist(), len(values)]
        for a, b in pairwise(bounds):
            for key in keys[a:b].tolist():
                slot_of.setdefault(key, len(slot_of) + extra)
            slots = np.array([slot_of[k] for k in keys[a:b].tolist()], np.int64)
            state.add(slots, len(slot_of) + extra, [from_values(values[a:b])])
            if r.random() < 0.3:  # a slot nobody needs comes, and goes later
                state.add(np.array([len(slot_of) + extra]), len(slot_of) + extra + 1,
                          [from_values([7])])  # fmt: skip
                extra += 1
            if r.random() < 0.3:
                order = sorted(slot_of, key=slot_of.__getitem__)
                state.keep(np.array([slot_of[k] for k in order], np.int64))
                slot_of, extra = {k: i for i, k in enumerate(order)}, 0
            if r.random() < 0.3:
                saved, state = state.snapshot(), function.accumulator()
                state.restore(from_bytes(to_bytes(saved)))
        found = results(state, [[slot_of[k] for k in group] for group in windows])
        assert found.to_json().to_pylist() == wanted


def test_a_text_column_that_turns_into_numbers_and_back():
    parts = [nulls(2), from_values(["1", "2"]), from_values([3, 4]), from_values([0.5, None])]
    assert over(make("sum"), [concat(parts)], [(0, 8), (0, 2), (4, 6)]) == [10.5, None, 7]
    slots = np.zeros(2, np.int64)
    assert running(make("sum"), [(slots, p) for p in parts], [[0]]) == [10.5]


def test_kinds_that_meet_in_another_batch_or_slot_are_refused():
    function = make("max")
    state = function.accumulator()
    state.add(np.array([0, 1]), 2, [from_values([1, DAY])])
    restored = function.accumulator()
    restored.restore(from_bytes(to_bytes(state.snapshot())))
    for each in (state, restored):
        with pytest.raises(DataError, match="a number with a datetime") as caught:
            each.add(np.array([1, 0]), 2, [from_values([DAY, DAY])])
        assert caught.value.row == 1
        with pytest.raises(DataError, match="different kinds"):
            each.result(np.array([0, 1]), Ranges(np.array([0]), np.array([2])))


def test_variance_does_not_cancel():
    values = [1e9 + v for v in (4.0, 7.0, 13.0, 16.0)]
    assert over(make("var"), [from_values(values)], [(0, 4)]) == [30.0]
    slots = np.zeros(4, np.int64)
    assert running(make("var"), [(slots, from_values(values))], [[0]]) == [30.0]
