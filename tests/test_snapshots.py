"""A snapshot is the state of its moment, however long after it is written and whatever comes."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from aggregate_oracle import make, results, some_values
from checkpointed import TASKS, Crash, Run, Task, events, undisturbed

from streamql.column import from_values
from streamql.runtime.state import from_bytes, to_bytes

JOBS = {
    **{
        name: replace(task, inputs={i: events(300, 1 + 2 * (i == "b")) for i in task.inputs})
        for name, task in TASKS.items()
    },
    "open": Task(
        "SELECT key, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS least, STDEV(v) AS d INTO o "
        "FROM a TIMESTAMP BY t GROUP BY key, TumblingWindow(hour, 1)",
        {"a": events(300)},
        {"out_of_order": "4s"},
    ),
}
KEPT = ("count", "sum", "avg", "min", "max", "stdev", "var")


def restored(function, data):
    state = function.accumulator()
    state.restore(from_bytes(data))
    return state


@pytest.mark.parametrize("kinds", [("bigint",), ("long",), ("bigint", "float", "text")],
                         ids="+".join)  # fmt: skip
@pytest.mark.parametrize("name", KEPT)
def test_rows_after_a_snapshot_do_not_change_it(name, kinds):
    function = make(name)
    state = function.accumulator()
    windows = [[slot] for slot in range(20)]
    r, values = some_values(7, kinds, 1_200)
    column = from_values(values)
    taken = []
    for step in range(0, 1_200, 40):
        # few slots at first, so that arrays grow under snapshots as well
        count = 20 + step // 100
        slots = r.integers(0, count, 40)
        state.add(slots, count, [column.take(np.arange(step, step + 40))])
        now = results(state, windows).to_json().to_pylist()
        taken.append((now, state.snapshot()))
        if r.random() < 0.1:
            state.keep(np.arange(count))
    assert len({str(now) for now, _ in taken}) > 10
    for now, snapshot in r.permutation(np.array(taken, object)):
        first = to_bytes(snapshot)
        assert results(restored(function, first), windows).to_json().to_pylist() == now
        assert to_bytes(snapshot) == first


def test_a_snapshot_that_is_written_while_rows_come():
    function, count = make("sum"), 200_000
    state = function.accumulator()
    slots = np.arange(count)
    ones = from_values([1]).take(np.zeros(count, np.int64))
    windows = [[0], [count // 2], [count - 1], list(range(count))]
    state.add(slots, count, [ones])
    for round_ in range(1, 15):
        snapshot, written = state.snapshot(), []
        thread = threading.Thread(target=lambda s=snapshot, w=written: w.append(to_bytes(s)))
        thread.start()
        state.add(slots[::-1], count, [ones])
        thread.join()
        found = results(restored(function, written[0]), windows).to_json().to_pylist()
        assert found == [str(n * round_) for n in (1, 1, 1, count)]


def test_snapshots_that_nobody_holds_cost_nothing():
    state = make("sum").accumulator()
    one = from_values([1])
    state.add(np.array([0]), 1, [one])
    kept = [state.snapshot() for _ in range(3)]
    for _ in range(5):
        state.snapshot()
    state.add(np.array([0]), 1, [one])
    assert len(state._snapshots) == 3
    to_bytes(kept[0])
    del kept[1]
    state.add(np.array([0]), 1, [one])
    assert len(state._snapshots) == 1


@pytest.mark.parametrize("name", JOBS)
def test_jobs_go_on_under_a_snapshot_that_is_not_written_yet(name, tmp_path):
    run = Run(JOBS[name], tmp_path / "job", every=3)
    behind: list[int] = []

    def wait(done):
        deadline = time.monotonic() + 20
        while not done() and time.monotonic() < deadline:
            time.sleep(0.001)

    def reached(point, number):
        if point == "batch" and not behind:  # so that the second one comes early on
            wait(lambda: all(t.name != "checkpoint" for t in threading.enumerate()))
        if point == "snapshot" and number == 2:
            behind.append(run.blocks)
        if point == "prepared" and number == 2:
            wait(lambda: run.blocks >= behind[0] + 3)
            behind.append(run.blocks)
        if point == "saved" and number == 2:
            raise Crash

    run.reached = reached
    with pytest.raises(Crash):
        run.run()
    assert behind[1] >= behind[0] + 3
    run.reached = None
    assert run.run().checkpoints.resumed == 2
    assert run.rows() == undisturbed(JOBS[name], tmp_path)
