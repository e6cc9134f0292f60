"""What else may happen to a job: kills between steps, full disks, no rights, clocks, a long sleep."""

from __future__ import annotations

import gzip
import os
import re
import resource
import signal
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from killed import KilledJob, write_events

from streamql.runtime.coordinator import POINTS

FILTER = "SELECT id, amount * 2 AS twice INTO o FROM a WHERE amount > 30"
TUMBLING = (
    "SELECT card, COUNT(*) AS n, SUM(amount) AS s, System.Timestamp() AS w INTO o "
    "FROM a TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 5)"
)
SMALL = ("--set=batch_bytes=1024",)
WINDOWS = (*SMALL, "--set=out_of_order=2s", "--set=policy=drop")


@pytest.fixture(scope="module")
def events(tmp_path_factory) -> Path:
    return write_events(tmp_path_factory.mktemp("events") / "a.jsonl", 2500, 1)


def job(folder: Path, events: Path, query: str = TUMBLING, **more) -> KilledJob:
    outputs = {"o": more.pop("output", "{folder}/o.jsonl")}
    return KilledJob(folder, query, {"a": events}, outputs, WINDOWS, **more)


def rows(done: KilledJob) -> list[bytes]:
    return (done.folder / "o.jsonl").read_bytes().splitlines()


@pytest.fixture
def whole(events, tmp_path) -> list[bytes]:
    """The rows of a job that nobody disturbs."""
    undisturbed = job(tmp_path / "whole", events)
    undisturbed.whole()
    return rows(undisturbed)


# -- kills between two steps of a checkpoint ------------------------------------------------------

KILL = """
import os, signal
from streamql import Engine
left = {number}
def reached(point):
    global left
    left -= point == {point!r}
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
Engine.reached = property(lambda _: reached, lambda *_: None)
"""


def of_lines(folder: Path) -> list:
    return (folder / "o.jsonl").read_bytes().splitlines()


def of_csv(folder: Path) -> list:
    return gzip.decompress((folder / "o.csv.gz").read_bytes()).splitlines()


def of_parquet(folder: Path) -> list:
    parts = sorted((folder / "o.parquet").glob("[!.]*.parquet"))
    return [row for part in parts for row in ds.dataset(part).to_table().to_pylist()]


def of_sqlite(folder: Path) -> list:
    with closing(sqlite3.connect(folder / "o.db")) as database:
        return database.execute("SELECT id, twice FROM t ORDER BY rowid").fetchall()


OUTPUTS = {
    "lines": ("{folder}/o.jsonl", of_lines),
    "csv": ("{folder}/o.csv.gz", of_csv),
    "parquet": ("{folder}/o.parquet", of_parquet),
    "sqlite": ("sqlite:///{folder}/o.db?table=t", of_sqlite),
}


def killed_between(killed: KilledJob) -> None:
    """Kill a job at each point, in one story, and let it end."""
    for number, point in enumerate(["batch", *POINTS]):
        killed.prelude = KILL.format(point=point, number=1 + number % 2)
        done = killed.run(*killed.saving)
        assert done.returncode == -signal.SIGKILL, f"{point}: {done.stderr}"
    killed.prelude = ""
    done = killed.run(*killed.saving)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", OUTPUTS)
def test_killed_between_each_two_steps_of_a_checkpoint(name, events, tmp_path):
    output, read = OUTPUTS[name]
    killed = job(tmp_path / "killed", events, FILTER, output=output)
    killed_between(killed)
    # without checkpoints there is one file of parquet, where there are parts with them
    undisturbed = job(tmp_path / "whole", events, FILTER, output=output)
    assert undisturbed.run(*undisturbed.saving).returncode == 0
    found = read(killed.folder)
    assert found == read(undisturbed.folder)
    assert len(found) > 1000


def test_killed_between_the_steps_of_a_commit_into_postgresql(postgres, events, tmp_path):
    killed = job(tmp_path / "killed", events, FILTER, output=f"{postgres.uri}?table=between")
    killed_between(killed)
    undisturbed = job(tmp_path / "whole", events, FILTER, output="sqlite:///{folder}/o.db?table=t")
    undisturbed.whole()
    assert postgres.rows("SELECT id, twice FROM between ORDER BY id") == of_sqlite(
        undisturbed.folder
    )


# -- disks and rights -----------------------------------------------------------------------------


def at_most(size: int) -> None:
    """Let no file of this process grow beyond a size: the kernel refuses it, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    ("query", "size", "where"),
    [(FILTER, 20_000, "cannot write .*o.jsonl"), (TUMBLING, 9_000, "save a checkpoint in .*")],
    ids=["output", "checkpoints"],
)
def test_a_full_disk_ends_the_job_which_goes_on_where_there_is_room(
    query, size, where, events, tmp_path
):
    undisturbed = job(tmp_path / "whole", events, query)
    undisturbed.whole()
    full = job(tmp_path / "full", events, query, limit=partial(at_most, size))
    done = full.run(*full.saving)
    assert done.returncode == 3, done.stderr
    assert re.search(f"^error: (cannot )?{where}: file too large", done.stderr), done.stderr
    assert done.stderr.count("\n") == 2  # and a hint
    full.limit = None
    done = full.run(*full.saving)
    assert done.returncode == 0, done.stderr
    assert rows(full) == rows(undisturbed)


def without_rights() -> tuple[str, ...]:
    """Return the command in front of one that must heed rights: the superuser would not."""
    rights = "-dac_override,-dac_read_search"
    return () if os.geteuid() else ("setpriv", "--bounding-set", rights)


def test_a_directory_that_cannot_be_written_is_refused(whole, events, tmp_path):
    refused = job(tmp_path / "job", events, wrapper=without_rights())
    refused.checkpoints.mkdir()
    refused.checkpoints.chmod(0o555)
    try:
        done = refused.run(*refused.saving)
    finally:
        refused.checkpoints.chmod(0o755)
    assert done.returncode == 2
    assert f"cannot use {refused.checkpoints} for checkpoints: permission denied" in done.stderr
    assert refused.run(*refused.saving).returncode == 0
    assert rows(refused) == whole


def test_a_directory_that_can_no_longer_be_written_ends_the_job(whole, events, tmp_path):
    slow = job(tmp_path / "job", events, wrapper=without_rights())
    process = slow.start(*slow.saving)
    slow.wait(lambda: slow.newest() != "" or process.poll() is not None)
    slow.checkpoints.chmod(0o555)
    try:
        assert process.wait(120) == 3
    finally:
        slow.checkpoints.chmod(0o755)
    assert f"cannot save a checkpoint in {slow.checkpoints}: permission denied" in (
        slow.log.read_text()
    )
    done = slow.run(*slow.saving)
    assert done.returncode == 0, done.stderr
    assert rows(slow) == whole


# -- time -----------------------------------------------------------------------------------------

BACK = """
import time
began, calls = time.monotonic_ns(), 0
def wild():
    global calls
    calls += 1
    back = calls * 7 % 11 * 4 * 3600 * 10**9
    return 1_704_412_800 * 10**9 + time.monotonic_ns() - began - back
time.time_ns = wild
time.time = lambda: wild() / 1e9
"""


def test_a_clock_that_steps_back_changes_nothing(whole, events, tmp_path):
    """Events of a followed file arrive by a clock that steps back by hours, and kills besides."""
    wild = job(tmp_path / "wild", events, prelude=BACK)
    wild.flags = (*wild.flags, "--follow", "--set=late_arrival=20d")
    wild.kill(1, 3)
    process = wild.start(*wild.saving)
    # the last windows stay open: more events may come
    closed = len(whole) - 40
    wild.wait(lambda: len(rows(wild)) >= closed or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, wild.log.read_text()
    assert len(rows(wild)) >= closed
    assert rows(wild) == whole[: len(rows(wild))]


def test_a_process_that_is_held_up_goes_on(whole, events, tmp_path):
    """SIGSTOP, as a laptop that is closed: the clock goes on, the process does not."""
    held = job(tmp_path / "held", events)
    process = held.start(*held.saving)
    held.wait(lambda: held.newest() != "" or process.poll() is not None)
    process.send_signal(signal.SIGSTOP)
    time.sleep(float(os.environ.get("STREAMQL_HELD", "1")))
    assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    assert process.wait(120) == 0, held.log.read_text()
    assert rows(held) == whole
