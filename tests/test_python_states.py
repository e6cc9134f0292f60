"""Snapshots of the states of Python aggregates: those of their moment, though packed later."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql.column import from_values
from streamql.errors import FunctionError, Span
from streamql.functions.aggregate import Signature
from streamql.grouping.ranges import of_lengths
from streamql.runtime.state import from_bytes, to_bytes
from streamql.types import Type
from streamql.udf.python import python_aggregate


class Seen:
    """Keeps values; its result takes the state apart."""

    def init(self):
        self.values = []

    def accumulate(self, value):
        self.values.append(value)

    def result(self):
        self.values.sort()
        total, self.values = sum(self.values), []
        return total

    def merge(self, other):
        self.values += other.values


def states(cls=Seen):
    spec = python_aggregate("seen", cls)
    signature = Signature((), (Type.BIGINT,), (), (), False, Span(0, 0), (Span(0, 0),))
    return spec.make(signature).accumulator()


def add(kept, slots, values, count):
    kept.add(np.array(slots, np.int64), count, [from_values(values)])


def read(data):
    return [json.loads(text)["values"] for text in from_bytes(data)["states"]]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 12), st.integers(0, 2**16)),
        st.tuples(st.just("snapshot"), st.just(0), st.just(0)),
        st.tuples(st.just("write"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("keep"), st.just(0), st.integers(0, 2**16)),
        st.tuples(st.just("result"), st.integers(0, 3), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_a_snapshot_is_that_of_its_moment_whenever_it_is_written(steps):
    kept, model, taken, written = states(), [], [], []
    for what, number, seed in steps:
        chance = np.random.default_rng(seed)
        if what == "add":
            count = len(model) + int(chance.integers(0, 3)) or 1
            model += [[] for _ in range(count - len(model))]
            slots = chance.integers(0, count, number).tolist()
            values = chance.integers(0, 99, number).tolist()
            for slot, value in zip(slots, values, strict=True):
                model[slot].append(value)
            add(kept, slots, values, count)
        elif what == "snapshot":
            taken.append(([list(values) for values in model], kept.snapshot()))
        elif what == "write" and taken:
            written.append(taken.pop(number % len(taken)))
            assert read(to_bytes(written[-1][1])) == written[-1][0]
        elif what == "keep" and model:
            slots = np.flatnonzero(chance.random(len(model)) < 0.7)
            model = [model[slot] for slot in slots]
            kept.keep(slots)
        elif what == "result" and model:
            slot = number % len(model)
            column = kept.result(np.array([slot]), of_lengths(np.array([1])))
            assert column.to_pylist() == [sum(model[slot])]
            model[slot] = []
    for before, snapshot in taken + written:
        assert read(to_bytes(snapshot)) == before


def test_a_snapshot_is_written_while_rows_come(tmp_path):
    kept, count = states(), 3_000
    chance = np.random.default_rng(7)
    add(kept, range(count), [0] * count, count)
    for step in range(1, 6):
        snapshot, found = kept.snapshot(), []
        writing = threading.Thread(target=lambda s=snapshot, f=found: f.append(to_bytes(s)))
        writing.start()
        while writing.is_alive():
            add(kept, chance.integers(0, count, 50).tolist(), [step] * 50, count)
        writing.join()
        values = read(found[0])
        assert len(values) == count
        assert max(map(max, values)) < step


class Odd(Seen):
    def accumulate(self, value):
        self.values = {value, print} if value == 3 else [value]


def test_a_state_that_no_snapshot_can_hold_is_told_when_it_is_written():
    kept = states(Odd)
    add(kept, [0, 1, 2], [1, 3, 2], 3)
    snapshot = kept.snapshot()
    with pytest.raises(FunctionError, match="the attribute values of its state holds a value"):
        to_bytes(snapshot)
