"""Jobs whose checkpoints are in an object store, killed again and again."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from killed import KILLS, KilledJob, write_events

SEED = int(os.environ.get("STREAMQL_SEED", random.SystemRandom().randrange(1_000_000)))
"""Another one each time; a failure tells it, and STREAMQL_SEED repeats it."""
QUERY = (
    "SELECT card, COUNT(*) AS n, SUM(amount) AS s, System.Timestamp() AS w INTO o "
    "FROM a TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 5)"
)
SMALL = ("--set=batch_bytes=1024", "--set=out_of_order=2s", "--set=policy=drop")
FEWER = max(3, KILLS // 3)
"""Kills: a checkpoint takes ten requests here."""


def job(folder: Path, s3, place: str, events: Path) -> KilledJob:
    return KilledJob(
        folder,
        QUERY,
        {"a": events},
        {"o": "{folder}/o.jsonl"},
        SMALL,
        place=s3.uri(place),
        paths=lambda: s3.paths(place),
    )


def rows(done: KilledJob) -> bytes:
    return (done.folder / "o.jsonl").read_bytes()


@pytest.fixture
def events(tmp_path):
    return write_events(tmp_path / "a.jsonl", 900 * FEWER, 1)


def test_a_killed_job_leaves_what_an_undisturbed_one_leaves(s3, events, tmp_path):
    whole = job(tmp_path / "whole", s3, "whole", events)
    whole.whole()
    killed = job(tmp_path / "killed", s3, f"killed-{tmp_path.name}", events)
    killed.survive(SEED, FEWER)
    assert rows(killed) == rows(whole), f"seed {SEED}"
    assert len(s3.paths(f"killed-{tmp_path.name}")) == 6


def test_a_second_job_is_refused(s3, events, tmp_path):
    place = f"shared-{tmp_path.name}"
    first = job(tmp_path / "first", s3, place, events)
    flags = ("--checkpoint", first.place)
    with first.start(*flags, "--follow") as running:
        end = time.monotonic() + 60
        while not any(path.startswith("owner-") for path in s3.paths(place)):
            assert time.monotonic() < end
            time.sleep(0.05)
        second = job(tmp_path / "second", s3, place, events)
        refused = second.run(*flags)
        assert refused.returncode == 2
        assert f"in use by another job (process {running.pid} on " in refused.stderr
        assert "ecret" not in refused.stderr
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    left = s3.paths(place)
    assert left
    assert all(path.startswith("epoch-") for path in left)
