"""What a running job shows of outputs that fail, rows they do not take, and checkpoints."""

from __future__ import annotations

import json
import sqlite3
import threading

import pytest
from adversary import Adversary, Reply
from test_metrics import view_at
from watched_process import PATIENCE, Watched

from streamql.errors import OutputError
from streamql.runtime.delivery import OutputPolicy
from streamql.runtime.graph import Graph
from streamql.runtime.limits import Limits
from streamql.runtime.taken import Taken
from streamql.runtime.view import FAILING

COPY = ["-q", "SELECT a INTO out FROM rides", "-i", "rides=-"]


def test_an_output_that_fails_is_seen_until_it_works(tmp_path):
    """The rows arrive in the end, and the job was well all the time: it failed for a short time."""
    works = threading.Event()

    def behave(_request):
        return Reply(b"", 200 if works.is_set() else 503)

    with Adversary(behave) as server:
        settings = ["-o", f"out={server.url}?max_retries=0", "--set", "output_errors=retry"]
        with Watched(tmp_path, *COPY, *settings) as job:
            job.send({"a": 1})
            failing = "streamql_output_failing_seconds", "out"
            seen = job.until(lambda s: s.get(failing, 0) > 0)
            assert seen["streamql_data_conversion_errors_total", "out"] == 0
            status, _, body = job.get("/healthz")
            health = json.loads(body)
            assert (status, health["status"]) == (200, "running")
            assert 0 <= health["outputs_failing_for"]["out"] < FAILING
            works.set()
            job.until(lambda s: s[failing] == 0)
            assert "outputs_failing_for" not in json.loads(job.get("/healthz")[2])
            code, _, err = job.finish()
    assert code == 0, err


def test_rows_that_an_output_does_not_take_are_counted(tmp_path):
    table = f"sqlite://{tmp_path / 't.db'}?table=t"
    settings = ["-o", f"out={table}", "--set", "output_errors=drop"]
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t (a INTEGER)")
    database.close()
    with Watched(tmp_path, *COPY, *settings) as job:
        job.send({"a": 1}, {"a": "eleven"}, {"a": 2}, {"a": "twelve"})
        job.until(lambda s: s.get(("streamql_data_conversion_errors_total", "out")) == 2)
        code, _, err = job.finish()
    assert code == 0, err
    with sqlite3.connect(tmp_path / "t.db") as database:
        assert database.execute("SELECT a FROM t").fetchall() == [(1,), (2,)]
    database.close()


def test_an_output_that_fails_ends_a_job_to_which_nothing_more_comes(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as database:
        database.execute("CREATE TABLE t (a INTEGER CHECK (a < 10))")
    database.close()
    with Watched(tmp_path, *COPY, "-o", f"out=sqlite://{tmp_path / 't.db'}?table=t") as job:
        job.send({"a": 11})
        assert job.process.wait(PATIENCE) == 3  # standard input is still open
        assert "CHECK constraint failed" in job.process.stderr.read()


def test_checkpoints_are_counted_and_measured(tmp_path):
    settings = ["-o", "out=o.jsonl", "--checkpoint", "c", "--set", "checkpoint_interval=100ms"]
    with Watched(tmp_path, *COPY, *settings) as job:
        job.send({"a": 1})
        job.until(lambda s: s.get(("streamql_checkpoint_seconds_count",), 0) >= 1)
        job.send({"a": 2})
        seen = job.until(lambda s: s.get(("streamql_checkpoint_seconds_count",), 0) >= 2)
        sizes = {
            sum(file.stat().st_size for file in folder.iterdir())
            for folder in (tmp_path / "c").iterdir()
            if folder.is_dir()
        }
        assert seen["streamql_checkpoint_bytes",] in sizes
        assert seen["streamql_checkpoint_seconds_sum",] > 0
        assert seen["streamql_checkpoint_age_seconds",] >= 0
        code, _, err = job.finish()
    assert code == 0, err


def test_a_job_whose_output_fails_for_long_is_not_well():
    clock = [100.0]
    view = view_at(clock)
    view.begin(Graph([], {}), Limits({}))
    policy = view.delivery = OutputPolicy("retry", seconds=lambda: clock[0])
    failing = [True]
    seen = []

    def write():
        if failing[0]:
            raise OutputError("the server is away", retriable=True)

    def wait(_pause):
        view.turned()
        seen.append(view.health())
        clock[0] += FAILING / 2
        failing[0] = len(seen) < 3
        return False

    policy.wait = wait
    policy.tried("out", write)
    assert [health.status for health in seen] == ["running", "running", "failing"]
    assert [health.well for health in seen] == [True, True, False]
    assert seen[2].figures["outputs_failing_for"] == {"out": FAILING}
    view.turned()
    assert view.health().well


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_what_cannot_pass_after_all_is_no_longer_tried_again(action):
    policy = OutputPolicy(action, wait=lambda _: False)
    errors = [OutputError("away", retriable=True), OutputError("no such table")]

    def write():
        raise errors.pop(0)

    with pytest.raises(OutputError, match="no such table"):
        policy.tried("out", write)
    assert policy.failing == {}


def test_who_listens_is_told_of_each_checkpoint():
    taken, told = Taken(), []
    taken.listeners.append(lambda *figures: told.append(figures))
    taken.note(1, 0.25, 100)
    taken.note(2, 0.5, 70)
    assert told == [(1, 0.25, 100), (2, 0.5, 70)]
    assert (taken.bytes, taken.seconds.total, sum(taken.seconds.counts)) == (70, 0.75, 2)
