"""Jobs in a world where everything goes wrong leave what they leave when nothing does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import pytest
from checkpointed import Task, at
from lockstep import Deadlock, Turns
from simulated import TruncatedSink, World
from simulation import JOBS, Story, survive, undisturbed

from streamql.connectors import staged
from streamql.runtime import coordinator, readers, store, writers
from streamql.runtime.coordinator import POINTS
from streamql.runtime.operators.score import ScoreOperator
from streamql.udf.dead_letters import DeadLetters

SEEDS = int(os.environ.get("STREAMQL_SEEDS", "300"))
FIRST = int(os.environ.get("STREAMQL_SEED", "0"))
GROUPS = 12
KNOWN: dict[str, dict] = {}


def story(seed: int, *tasks: Task) -> Story:
    """Return what became of a job; whatever is wrong with it tells the seed."""
    try:
        found = survive(seed, tasks or tuple(JOBS.values()))
        if found.task.query not in KNOWN:
            KNOWN[found.task.query] = undisturbed(found.task)
        assert found.rows == KNOWN[found.task.query], "other rows than without disturbance"
    except BaseException as error:
        error.add_note(f"STREAMQL_SEED={seed} STREAMQL_SEEDS=1 repeats it")
        raise
    return found


def stories(seeds: Iterable[int]) -> list[Story]:
    return [story(seed) for seed in seeds]


@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_and_nothing_comes_twice(group):
    stories(range(FIRST + group, FIRST + SEEDS, GROUPS))


def test_a_failure_tells_the_seed(monkeypatch):
    monkeypatch.setattr(TruncatedSink, "resume", lambda *_: None)
    with pytest.raises(AssertionError) as error:
        stories(range(100))
    (note,) = error.value.__notes__
    seed = int(note.partition("=")[2].partition(" ")[0])
    with pytest.raises(AssertionError):
        story(seed)


def test_the_world_is_the_seeds():
    """One seed gives one story: a failure can be looked at again."""
    for seed in range(FIRST, FIRST + 20):
        first, second = survive(seed), survive(seed)
        assert first == second


def test_everything_goes_wrong():
    """A world in which things go well would show nothing."""
    found = stories(range(150))
    faults = {fault for one in found for fault in one.faults}
    assert sum(one.starts for one in found) > 300
    crashes = {f"crash {point}" for point in (*POINTS, "batch", "file", "row", "stored")}
    outputs = {"sink write", "sink torn", "sink prepare", "sink commit"}
    assert faults > crashes | outputs | {
        "sink the answer to commit",
        "stall",
        "source",
        "server",
        "clock",
        "disk full",
        "torn",
    }


# -- defects that are put in on purpose -----------------------------------------------------------


def doubled(patch):
    """Rows that a table has already are stored again."""
    patch.setattr(staged, "missing", lambda parts, *_: iter(parts))


def forgetful(patch):
    """Operators do not get their state back."""

    def give(node, state):
        node.marks, node.mark, node.sent = list(state.marks), state.mark, state.sent

    patch.setattr(coordinator, "_give", give)


def timeless(patch):
    """Watermarks are not part of a checkpoint: what is closed is opened again."""

    def give(node, state):
        node.operator.restore(dict(state.state))

    patch.setattr(coordinator, "_give", give)


def ahead(patch):
    """Positions are those of the thread that reads, not of the pipeline."""
    put = readers.InputReader._put

    def put_and_note(self, block):
        put(self, block)
        self.position = getattr(block, "position", self.position)

    patch.setattr(readers.InputReader, "_put", put_and_note)


def impatient(patch):
    """Outputs prepare before they have written what was put before."""

    def ask(self, action):
        asked = writers.Asked(action)
        asked.do(self._sink, None)
        return asked

    patch.setattr(writers.OutputWriter, "ask", ask)


def trusting(patch):
    """Checksums of states are not looked at."""
    patch.setattr(store, "check_state", lambda *_: None)


def unanswered(patch):
    """Rows that wait for a model are in no checkpoint."""
    patch.setattr(ScoreOperator, "snapshot", lambda _: {"waiting": []})


def forthright(patch):
    """Dead letters are written as they come, also those of the next checkpoint."""
    patch.setattr(DeadLetters, "cut", lambda *_: None)


def lasting(patch):
    """Dead letters are not taken back."""
    patch.setattr(DeadLetters, "resume", lambda *_: None)


def forgotten(patch):
    """What a table has refused is not remembered."""
    put_away = staged.StagedSink._put_away

    def without(self, parts, epoch):
        if self._stored():
            self.disk.refused.clear()
        put_away(self, parts, epoch)

    patch.setattr(staged.StagedSink, "_put_away", without)


DEFECTS = (
    forthright,
    lasting,
    forgotten,
    doubled,
    forgetful,
    timeless,
    ahead,
    impatient,
    trusting,
    unanswered,
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_is_found(defect, monkeypatch):
    for task in JOBS.values():  # what is right is known from before the defect
        KNOWN.setdefault(task.query, undisturbed(task))
    defect(monkeypatch)
    with pytest.raises(Exception, match=r"(?s).*") as error:
        stories(range(200))
    assert error.value.__notes__


# -- money that moves -----------------------------------------------------------------------------

TRANSFERS = [
    {"from": f"a{n % 7}", "to": f"a{(n * 3 + 1) % 7}", "amount": (n * 37) % 90 + 1, "t": at(n / 3)}
    for n in range(150)
]
MOVES = (
    "WITH moves AS (SELECT [from] AS account, -amount AS delta FROM a TIMESTAMP BY t "
    "UNION SELECT [to] AS account, amount AS delta FROM a TIMESTAMP BY t) "
)
WINDOWS = (
    "TumblingWindow(second, 7)",
    "HoppingWindow(second, 9, 4)",
    "SlidingWindow(second, 5)",
    "SessionWindow(second, 3, 20)",
)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_sum_over_all_accounts_is_zero_in_every_row(window):
    """Money leaves one account and comes to another in one event: no row may see it in between."""
    task = Task(
        MOVES + f"SELECT SUM(delta) AS total, COUNT(*) AS n INTO o FROM moves GROUP BY {window}",
        {"a": TRANSFERS},
        {"out_of_order": "2s"},
    )
    for seed in range(FIRST, FIRST + max(3, SEEDS // 60)):
        rows = story(seed, task).rows["o"]
        assert rows
        assert all('"total":0,' in row for row in rows), f"seed {seed}: {rows}"


def test_balances_add_up_to_zero_at_every_instant():
    task = Task(
        MOVES + "SELECT account, SUM(delta) AS total, System.Timestamp() AS w INTO o FROM moves "
        "GROUP BY account, TumblingWindow(second, 5)",
        {"a": TRANSFERS},
        {"out_of_order": "2s"},
    )
    totals: dict[str, int] = {}
    for line in story(FIRST + 1, task).rows["o"]:
        row = json.loads(line)
        totals[row["w"]] = totals.get(row["w"], 0) + row["total"]
    assert len(totals) > 5
    assert set(totals.values()) == {0}


# -- threads that take turns ----------------------------------------------------------------------


def test_threads_that_wait_for_each_other_are_told():
    turns = Turns(World(1).chance)
    never = turns.threading.Event()
    thread = turns.threading.Thread(target=never.wait)
    with turns.instead_of_threads():
        thread.start()
        with pytest.raises(Deadlock, match="wait for each other"):
            thread.join()


def test_time_jumps_to_where_the_first_gives_up():
    turns = Turns(World(1).chance)
    seen = []

    def wait(seconds):
        turns.sleep(seconds)
        seen.append((seconds, int(turns.now)))

    with turns.instead_of_threads():
        for seconds in (1800, 60, 600):
            turns.threading.Thread(target=wait, args=(seconds,)).start()
        turns.settle()
    assert seen == [(60, 60), (600, 600), (1800, 1800)]
