"""Outputs that fail: tried again, rows dropped, or the end of the job; a slow one slows the input."""

from __future__ import annotations

import json
import threading

import numpy as np
import pyarrow as pa
import pytest

from streamql.batch import MAIN, Batch
from streamql.column import Column
from streamql.errors import OutputError
from streamql.formats.decoded import numbered
from streamql.rows import ColumnRows
from streamql.runtime.delivery import OutputPolicy
from streamql.runtime.readers import InputReader
from streamql.runtime.writers import OutputWriter
from streamql.settings import Settings
from streamql.types import Type


def rows(values):
    return ColumnRows({"n": Column(Type.BIGINT, pa.array(values, pa.int64()))}, len(values))


def batch(values):
    return Batch({MAIN: rows(values)}, np.zeros(len(values), np.int64), np.array(values))


class Sink:
    """Takes rows; fails so many times first, and never takes odd ones if told so."""

    def __init__(self, failures=0, picky=lambda _: False, retriable=True):
        self.taken, self.calls = [], 0
        self.failures, self.picky, self.retriable = failures, picky, retriable
        self.rows = 0

    def write(self, names, columns):
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise OutputError("the server is away", retriable=self.retriable)
        values = columns[0].to_pylist()
        for row, value in enumerate(values):
            if self.picky(value):
                raise OutputError(f"{value} does not fit", row=row)
        self.taken += values

    def flush(self): ...

    def close(self): ...


def written(sink, policy, *batches):
    writer = OutputWriter("o", sink)
    writer.policy = policy
    for values in batches:
        writer.put(batch(values))
    writer.finish()
    return sink.taken


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_what_may_pass_is_tried_again_with_growing_pauses(action):
    pauses, told = [], []
    policy = OutputPolicy(action, warn=told.append, wait=lambda s: pauses.append(s) or False)
    assert written(Sink(failures=12), policy, [1, 2], [3]) == [1, 2, 3]
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert max(pauses) == 30.0
    assert told == [
        "o: the server is away; trying again until it works",
        "o works again, after 12 attempts that failed",
    ]


def test_without_a_policy_the_first_failure_is_the_last():
    with pytest.raises(OutputError, match="away"):
        written(Sink(failures=1), OutputPolicy(), [1])


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_what_cannot_pass_ends_the_job(action):
    with pytest.raises(OutputError, match="away"):
        written(Sink(failures=1, retriable=False), OutputPolicy(action), [1])


def test_retry_does_not_drop_a_row_that_does_not_fit():
    with pytest.raises(OutputError, match="2 does not fit"):
        written(Sink(picky=lambda n: n == 2), OutputPolicy("retry"), [1, 2, 3])


@pytest.mark.parametrize(
    "odd", [{0}, {999}, {0, 1, 2}, {5, 500, 501}, set(range(0, 1000, 7)), set(range(1000))]
)
def test_drop_drops_the_rows_that_do_not_fit_and_no_others(odd):
    letters = []
    policy = OutputPolicy("drop", letters.append)
    sink = Sink(picky=odd.__contains__)
    assert written(sink, policy, list(range(1000))) == [n for n in range(1000) if n not in odd]
    assert policy.dropped == {"o": len(odd)}
    assert [letter["event"] for letter in letters] == sorted(odd)
    assert json.loads(letters[0]["text"]) == {"n": min(odd)}
    assert letters[0]["kind"] == "output"
    assert "does not fit" in letters[0]["reason"]
    assert sink.calls <= 2 * len(odd) + 6


def test_a_job_that_stops_gives_up_trying():
    policy = OutputPolicy("retry")
    writer = OutputWriter("o", Sink(failures=10**9))
    writer.policy = policy
    writer.put(batch([1]))
    policy.stopped.set()
    with pytest.raises(OutputError):
        writer.finish()


class Blocked(Sink):
    """Takes nothing until it is let go."""

    def __init__(self):
        super().__init__()
        self.go = threading.Event()

    def write(self, names, columns):
        self.go.wait()
        super().write(names, columns)


class Endless:
    """Counts how often it is asked for a block."""

    def __init__(self, blocks):
        self.asked, self.blocks = 0, blocks

    def read(self):
        self.asked += 1
        return None if self.asked > self.blocks else [numbered(rows([self.asked]), self.asked)]

    def position(self):
        return {}

    def close(self): ...


def test_a_blocked_output_stops_the_reading_of_the_input():
    """Queues are bounded: what is under way is a few blocks, however long the output takes."""
    source, sink = Endless(100), Blocked()
    woken = threading.Event()
    reader = InputReader("i", lambda *_: source, Settings(), 0, woken.set)
    writer = OutputWriter("o", sink)

    def pump():
        while not reader.done:
            for some in reader.batches():
                writer.put(some)
            woken.wait(0.01)

    pipeline = threading.Thread(target=pump)
    reader.begin()
    pipeline.start()
    before = -1
    while source.asked != before:  # until nothing moves any more
        before = source.asked
        pipeline.join(0.3)
    # one is being written, three wait behind it, one is being put; three wait in front, one is read
    assert source.asked <= 10
    sink.go.set()
    pipeline.join(60)
    writer.finish()
    assert sink.taken == list(range(1, 101))
