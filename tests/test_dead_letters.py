"""Dead letters of a job with checkpoints: each is there once, whatever dies when."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from checkpointed import Run, Task, at, events
from click.testing import CliRunner

from streamql import Engine
from streamql.cli import main
from streamql.errors import OutputError, UsageError
from streamql.runtime.coordinator import POINTS
from streamql.udf.dead_letters import DeadLetters


def put(letters, number, output=None):
    kind = {"kind": "input"} if output is None else {"kind": "output", "output": output}
    letters.put({**kind, "event": number})


def kept(path):
    if not path.exists():
        return []
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dead.jsonl"


# -- a checkpoint is no single moment -------------------------------------------------------------


def test_what_a_part_puts_behind_its_share_is_held_back(path):
    letters = DeadLetters(path)
    letters.resume(None)
    put(letters, 1)
    letters.cut()
    put(letters, 2)  # of the next checkpoint
    put(letters, 3, "o")  # of this one: o has not prepared
    letters.cut("o")
    put(letters, 4, "o")
    assert kept(path) == [1, 3]
    state = letters.prepare()
    letters.release()
    assert kept(path) == [1, 3, 2, 4]
    put(letters, 5)
    letters.close()
    again = DeadLetters(path)
    again.resume(state)
    assert kept(path) == [1, 3]
    put(again, 6)
    again.close()
    assert kept(path) == [1, 3, 6]


def test_without_checkpoints_letters_are_appended(path):
    for number in (1, 2):
        letters = DeadLetters(path)
        put(letters, number)
        letters.close()
    assert kept(path) == [1, 2]


def test_a_job_that_begins_anew_replaces_the_file(path):
    path.write_text('{"event":9}\n')
    letters = DeadLetters(path)
    letters.resume(None)
    put(letters, 1)
    letters.close()
    assert kept(path) == [1]


def test_who_has_too_much_to_put_waits_for_the_checkpoint(path):
    letters = DeadLetters(path, most_held=1)
    letters.cut()
    put(letters, 1)
    waiting = threading.Thread(target=put, args=(letters, 2))
    waiting.start()
    put(letters, 3, "o")
    assert kept(path) == [3]
    waiting.join(0.05)
    assert waiting.is_alive()
    letters.prepare()
    letters.release()
    waiting.join(60)
    letters.close()
    assert kept(path) == [3, 1, 2]


def test_a_file_that_was_cut_off_is_refused(path):
    path.write_text('{"event":9}\n')
    with pytest.raises(OutputError, match=r"has 12 bytes of dead letters, and the checkpoint is"):
        DeadLetters(path).resume({"bytes": 13})


def test_a_file_that_a_job_with_checkpoints_writes_is_no_other_jobs(path):
    one, other = DeadLetters(path), DeadLetters(path)
    one.resume(None)
    put(one, 1)
    with pytest.raises(UsageError, match="another job writes its dead letters"):
        put(other, 2)
    one.close()
    put(other, 3)
    other.close()
    assert kept(path) == [1, 3]


def test_a_place_that_cannot_be_cut_off_gets_letters_too(tmp_path):
    letters = DeadLetters(tmp_path / "none" / "dead.jsonl")
    with pytest.raises(OutputError, match="no such file or directory"):
        put(letters, 1)
    null = DeadLetters(Path("/dev/null"))
    null.resume(None)
    put(null, 1)
    assert null.prepare()
    null.close()


# -- jobs -----------------------------------------------------------------------------------------

QUERY = (
    "WITH f AS (SELECT id, udf.odd(v) AS v FROM a TIMESTAMP BY t) SELECT id, v INTO o FROM f; "
    "SELECT key, v INTO p FROM a TIMESTAMP BY t"
)


def odd(v):
    if v % 5 == 0:
        raise ValueError("five")
    return v


def noisy():
    """Events of which some are malformed, some late, and some have no time."""
    found = events(150)
    for number, event in enumerate(found):
        if number % 9 == 4:
            event["t"] = "some day"
        elif number % 11 == 6:
            event["t"] = at(0)
    return found


def functions(engine):
    engine.function(odd)


TASK = Task(
    QUERY,
    {"a": noisy()},
    {
        "input_errors": "dead_letter",
        "function_errors": "dead_letter",
        "output_errors": "drop",
        "out_of_order": "2s",
        "policy": "drop",
    },
    functions=functions,
)


class Lettered(Run):
    """The task with dead letters of events, calls and rows: p is a table that takes few values."""

    def __post_init__(self):
        super().__post_init__()
        self.dead = self.folder / "dead.jsonl"
        self.table = self.folder / "p.db"
        if not self.table.exists():
            with closing(sqlite3.connect(self.table)) as made:
                made.execute("CREATE TABLE p (key TEXT, v INTEGER NOT NULL)")

    def write(self, name, rows, mode="w"):
        with (self.folder / f"{name}.jsonl").open(mode) as file:
            for number, row in enumerate(rows):
                if number % 13 == 5:
                    file.write('{"torn":\n')
                if number % 10 == 7:
                    row = {**row, "v": 1.5}
                file.write(json.dumps(row) + "\n")

    def outputs(self):
        return {"o": str(self.folder / "out-o.jsonl"), "p": f"sqlite://{self.table}?table=p"}

    def run(self, **flags):
        settings = {"dead_letters": str(self.dead)}
        return super().run(settings=settings, **flags)

    def left(self):
        """Return the rows and, by their kind, the dead letters that the job has left."""
        with closing(sqlite3.connect(self.table)) as table:
            rows = table.execute("SELECT * FROM p ORDER BY rowid").fetchall()
        letters = {"input": [], "function": [], "output": []}
        for line in self.dead.read_text().splitlines():
            letter = json.loads(line)
            del letter["time"]
            letters[letter["kind"]].append(letter)
        for some in letters.values():  # of a block the malformed events come first
            some.sort(key=lambda letter: letter["event"])
        return (self.folder / "out-o.jsonl").read_bytes(), rows, letters


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = Lettered(TASK, tmp_path_factory.mktemp("whole"))
    run.run(checkpoint=False)
    found = run.left()
    assert all(len(letters) > 9 for letters in found[2].values())
    return found


@pytest.mark.parametrize("point", [*POINTS, "batch"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_letters_are_those_of_an_undisturbed_job(point, number, whole, tmp_path):
    run = Lettered(TASK, tmp_path / "job")
    assert run.crash(point, number)
    run.crash(point, number)
    summary = run.run()
    assert run.left() == whole
    assert summary.dropped == {"p": len(whole[2]["output"])}
    account = summary.accounts()["a"]
    assert (account.missing, account.dead_letters) == (0, len(whole[2]["input"]))


def test_letters_of_the_end_are_taken_back_with_its_rows(whole, tmp_path):
    half = Task(QUERY, {"a": TASK.inputs["a"][:70]}, TASK.settings, functions=functions)
    run = Lettered(half, tmp_path / "job")
    run.run()
    before = run.left()
    assert run.run().checkpoints.idle
    assert run.left() == before
    run.write("a", TASK.inputs["a"])
    run.run()
    assert run.left() == whole


def test_a_letter_behind_the_checkpoint_is_taken_back(whole, tmp_path):
    run = Lettered(TASK, tmp_path / "job")
    run.run(stop=4)
    with run.dead.open("a") as file:
        file.write('{"kind":"input","torn')
    run.run()
    assert run.left() == whole


def test_an_engine_without_checkpoints_leaves_what_is_there(tmp_path):
    path = tmp_path / "dead.jsonl"
    for _ in range(2):
        with Engine(input_errors="dead_letter", dead_letters=str(path)) as engine:
            (tmp_path / "i.jsonl").write_text('{"a":\n')
            engine.register_uri("i", str(tmp_path / "i.jsonl"))
            engine.job("SELECT a INTO o FROM i", default_output=str(tmp_path / "o.jsonl")).run()
    assert kept(path) == [1, 1]


def test_a_checkpoint_shows_how_far_the_dead_letters_are(tmp_path):
    run = Lettered(TASK, tmp_path / "job")
    run.run(stop=4)
    shown = CliRunner().invoke(main, ["checkpoint", "show", str(run.checkpoints)]).output
    assert f"dead letters: {run.dead.stat().st_size:,} bytes" in shown


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ("o.jsonl", "the output o and the dead letters are one file"),
        ("./o.jsonl", "the output o and the dead letters are one file"),
        ("i.jsonl", "the dead letters would go to the file of the input i"),
    ],
)
def test_letters_have_a_file_of_their_own(letters, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "i.jsonl").write_text('{"a":1}\n')
    with Engine(input_errors="dead_letter", dead_letters=letters) as engine:
        engine.register_uri("i", "i.jsonl")
        with pytest.raises(UsageError, match=said):
            engine.job("SELECT a INTO o FROM i", outputs={"o": "o.jsonl"})
    assert (tmp_path / "i.jsonl").read_text() == '{"a":1}\n'
