"""Six jobs, each killed at thirty random moments: nothing is lost, nothing comes twice."""

from __future__ import annotations

import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from killed import KILLS, KilledJob, write_events

SEED = int(os.environ.get("STREAMQL_SEED", random.SystemRandom().randrange(1_000_000)))
"""Another one each time; a failure tells it, and STREAMQL_SEED repeats it."""
SMALL = ("--set", "batch_bytes=1024")
JOBS = {
    "filter": ("SELECT id, amount * 2 AS twice INTO o FROM a WHERE amount > 30", ()),
    "tumbling": (
        "SELECT card, COUNT(*) AS n, SUM(amount) AS s, System.Timestamp() AS w INTO o "
        "FROM a TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 5)",
        ("--set", "out_of_order=2s", "--set", "policy=drop"),
    ),
    "join": (
        "SELECT a.id AS l, b.id AS r INTO o FROM a TIMESTAMP BY at JOIN b TIMESTAMP BY at "
        "ON a.card = b.card AND DATEDIFF(second, a, b) BETWEEN 0 AND 4",
        ("--set", "out_of_order=4s"),
    ),
    "lag": (
        "SELECT id, LAG(amount) OVER (PARTITION BY card LIMIT DURATION(minute, 5)) AS before "
        "INTO o FROM a TIMESTAMP BY at",
        ("--set", "out_of_order=4s"),
    ),
}
EVENTS = 14_000
LONGER = {"filter": 7, "lag": 3, "scoring": 2, "letters": 4}
"""Jobs that get so many times the events: they would have ended before they were killed enough."""


def job(folder: Path, name: str, events: Path, output: str = "{folder}/o.jsonl") -> KilledJob:
    """Return one of the jobs, in a folder of its own."""
    query, flags = JOBS[name]
    inputs = {n: events / f"{n}.jsonl" for n in "ab" if f" {n} " in query}
    return KilledJob(folder, query, inputs, {"o": output}, (*SMALL, *flags))


def written(tmp_path: Path, times: int = 1) -> Path:
    """Write the inputs of the jobs and return their folder."""
    folder = tmp_path / "events"
    folder.mkdir()
    count = EVENTS * times * KILLS // 30
    for number, name in enumerate("ab"):
        write_events(folder / f"{name}.jsonl", count, number + 1)
    return folder


@pytest.mark.parametrize("name", JOBS)
def test_a_killed_job_leaves_what_an_undisturbed_one_leaves(name, tmp_path):
    events = written(tmp_path, LONGER.get(name, 1))
    whole = job(tmp_path / "whole", name, events)
    whole.whole()
    killed = job(tmp_path / "killed", name, events)
    killed.survive(SEED)
    assert rows(killed) == rows(whole), f"seed {SEED}"


def rows(done: KilledJob) -> list[bytes]:
    return (done.folder / "o.jsonl").read_bytes().splitlines()


# -- a model whose server dies too ----------------------------------------------------------------


class Server:
    """A model behind HTTP that can be killed, on a port that stays."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        script = Path(__file__).with_name("doubling_server.py")
        self.process = subprocess.Popen([sys.executable, str(script), str(self.port)])
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.01)
            else:
                return

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def die_now_and_then(self, chance: random.Random) -> None:
        """Be gone for the first moments of the job's next run."""
        if chance.random() < 0.4:
            self.kill()
            self.start()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.kill()


def test_requests_in_flight_are_neither_lost_nor_doubled(server, tmp_path):
    events = written(tmp_path, LONGER["scoring"])

    def scoring(folder: Path) -> KilledJob:
        return KilledJob(
            folder,
            "SELECT id, udf.score(amount) AS twice INTO o FROM a WHERE amount > 30",
            {"a": events / "a.jsonl"},
            {"o": "{folder}/o.jsonl"},
            (
                *SMALL,
                f"--function=score=http://127.0.0.1:{server.port}/score",
                "--set=score.max_batch_count=20",
                "--set=score.parallel_requests=4",
            ),
            server.die_now_and_then,
        )

    whole = scoring(tmp_path / "whole")
    whole.whole()
    killed = scoring(tmp_path / "killed")
    killed.survive(SEED)
    assert rows(killed) == rows(whole), f"seed {SEED}"


# -- tables -------------------------------------------------------------------------------------

TABLE = "SELECT id, amount * 2 AS twice INTO o FROM a WHERE amount > 30"


def into_table(folder: Path, events: Path, uri: str) -> KilledJob:
    return KilledJob(folder, TABLE, {"a": events / "a.jsonl"}, {"o": uri}, SMALL)


def test_rows_of_a_killed_job_are_in_a_sqlite_table_once(tmp_path):
    events = written(tmp_path, LONGER["filter"])
    whole = into_table(tmp_path / "whole", events, "{folder}/o.jsonl")
    whole.whole()
    killed = into_table(tmp_path / "killed", events, "sqlite:///{folder}/o.db?table=fares")
    killed.survive(SEED)
    with closing(sqlite3.connect(killed.folder / "o.db")) as database:
        found = database.execute("SELECT id, twice FROM fares ORDER BY rowid").fetchall()
    assert found == pairs(whole), f"seed {SEED}"


def test_rows_of_a_killed_job_are_in_a_postgresql_table_once(postgres, tmp_path):
    events = written(tmp_path, LONGER["filter"])
    whole = into_table(tmp_path / "whole", events, "{folder}/o.jsonl")
    whole.whole()
    killed = into_table(tmp_path / "killed", events, f"{postgres.uri}?table=killed_fares")
    killed.survive(SEED)
    found = postgres.rows("SELECT id, twice FROM killed_fares ORDER BY id")
    assert found == pairs(whole), f"seed {SEED}"


def pairs(done: KilledJob) -> list[tuple[int, float]]:
    return [tuple(json.loads(line).values()) for line in rows(done)]


# -- dead letters ---------------------------------------------------------------------------------

FUNCTION = """
def odd(amount):
    if amount % 7 == 0:
        raise ValueError("seven")
    return amount
"""
GIVEN_UP = (
    "--set=input_errors=dead_letter",
    "--set=function_errors=dead_letter",
    "--set=output_errors=drop",
    "--set=dead_letters=dead.jsonl",
    "--set=out_of_order=2s",
    "--set=policy=drop",
)


def giving_up(folder: Path, events: Path) -> KilledJob:
    """Return a job of which each part has much to give up: events, calls and rows."""
    folder.mkdir()
    (folder / "odd.py").write_text(FUNCTION)
    with closing(sqlite3.connect(folder / "o.db")) as database:
        database.execute(
            "CREATE TABLE fares (id INTEGER, amount INTEGER NOT NULL CHECK (amount % 5 <> 0))"
        )
    return KilledJob(
        folder,
        "SELECT id, udf.odd(amount) AS amount INTO o FROM a TIMESTAMP BY at",
        {"a": events / "a.jsonl"},
        {"o": "sqlite:///{folder}/o.db?table=fares"},
        (*SMALL, *GIVEN_UP, f"--function=odd={folder / 'odd.py'}:odd"),
    )


def test_dead_letters_of_a_killed_job_are_there_once(tmp_path):
    events = written(tmp_path, LONGER["letters"])
    lines = (events / "a.jsonl").read_text().splitlines()
    for number in range(50, len(lines), 97):
        lines[number] = lines[number][:30]
    (events / "a.jsonl").write_text("\n".join(lines))
    whole = giving_up(tmp_path / "whole", events)
    whole.whole()
    killed = giving_up(tmp_path / "killed", events)
    killed.survive(SEED)
    assert letters(killed) == letters(whole), f"seed {SEED}"
    for job in (killed, whole):
        with closing(sqlite3.connect(job.folder / "o.db")) as database:
            count, distinct = database.execute(
                "SELECT COUNT(*), COUNT(DISTINCT id) FROM fares"
            ).fetchone()
        assert count == distinct
        assert count + len(letters(job)) == len(lines), f"seed {SEED}"


def letters(done: KilledJob) -> list[tuple]:
    """Return what each dead letter says, but for the time, in the order of events."""
    found = [json.loads(line) for line in (done.folder / "dead.jsonl").read_text().splitlines()]
    assert {letter["kind"] for letter in found} == {"input", "function", "output"}
    here = str(done.folder)
    return sorted((n["event"], n["kind"], n["reason"].replace(here, ""), n["text"]) for n in found)
