"""Claims to a place for checkpoints: who has it, who is refused, and who has gone."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkpointed import TASKS, Crash, Run, undisturbed
from faulty_files import FaultyFileSystem

from streamql.errors import CheckpointError, UsageError
from streamql.runtime.claims import RENEWED, SILENCE, Claims, Process
from streamql.runtime.object_storage import ObjectStorage
from streamql.runtime.remote_folder import open_remote
from streamql.runtime.store import open_storage

ELSEWHERE = Process(7, "elsewhere", "another boot", "1")


class Time:
    """Passes when somebody waits; what else happens meanwhile is in `meanwhile`."""

    def __init__(self, meanwhile=lambda: None):
        self.now = 0.0
        self.meanwhile = meanwhile

    def clock(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        self.meanwhile()


def storage(place, process=ELSEWHERE, time=None):
    """Return a storage as a job on another machine would have it, renewed by the test alone."""
    time = time or Time()
    folder = open_remote(f"local://{place}")
    claims = Claims(folder, time.clock, time.wait, process, renewing=False)
    return ObjectStorage(folder, claims), claims, time


def put(storage, epoch, text=b"state", before=lambda: None):
    files = [("state.arrow", lambda f: f.write(text)), ("manifest.json", lambda f: f.write(b"{}"))]
    return storage.put(epoch, files, before)


def names(place):
    return sorted(path.name for path in place.iterdir())


def test_a_place_whose_owner_shows_itself_is_refused(tmp_path):
    first, claims, _ = storage(tmp_path)
    first.lock()
    second, _, time = storage(tmp_path, time=Time(claims.renew))
    said = []
    with pytest.raises(UsageError, match=r"in use by another job \(process 7 on elsewhere\)"):
        second.lock(said.append)
    assert time.now < RENEWED
    assert "waiting up to 20 s for a sign of it" in said[0]
    assert len(names(tmp_path)) == 1
    put(first, 1)
    first.unlock()
    second.lock()
    assert second.epochs() == [1]


def test_an_owner_that_is_silent_has_gone(tmp_path):
    storage(tmp_path)[0].lock()
    second, claims, time = storage(tmp_path)
    second.lock()
    assert SILENCE <= time.now < SILENCE + 1
    assert claims.term == 2
    assert [name[:12] for name in names(tmp_path)] == ["owner-000002"]


def test_an_owner_that_has_ended_on_this_machine_has_gone_at_once(tmp_path):
    code = (
        "from streamql.runtime.store import open_storage; import os\n"
        f"open_storage('local://{tmp_path}').lock(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert len(names(tmp_path)) == 1
    second, _, time = storage(tmp_path)
    second.lock()
    assert time.now == 0


def test_a_process_of_the_same_number_is_another_one():
    here = Process.here()
    assert not here.ended
    assert not Process(here.number, here.host, "another boot", "1").ended
    if here.machine:  # what Linux tells
        assert Process(here.number, here.host, here.machine, "1").ended
        child = subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        said = Path(f"/proc/{child.pid}/stat").read_text()
        began = said.rpartition(")")[2].split()[19]
        assert Process(child.pid, here.host, here.machine, began).ended  # not waited for yet
        child.wait()


def test_of_two_that_come_at_once_not_both_get_it(tmp_path):
    """The second comes at each step of the first, which goes on to show itself meanwhile."""
    folder = open_remote(f"faulty://{tmp_path}/place")
    outcomes = set()
    for step in itertools.count(1):
        first, second = (claiming(folder) for _ in "ab")
        first[1].meanwhile = lambda second=second: shows(second[0])
        second[1].meanwhile = lambda first=first: shows(first[0])
        steps = itertools.count(1)
        other = []

        def enter(*_, steps=steps, step=step, other=other, second=second):
            if next(steps) == step:
                FaultyFileSystem.before = None
                other.append(has_taken(second[0]))

        FaultyFileSystem.before = enter
        try:
            outcome = has_taken(first[0]), *other
        finally:
            FaultyFileSystem.before = None
        if not other:
            break
        assert sum(outcome) < 2
        outcomes.add(outcome)
        for path in (tmp_path / "place").iterdir():
            path.unlink()
    assert step > 5
    assert {(True, False), (False, True)} <= outcomes


def claiming(folder):
    time = Time()
    return Claims(folder, time.clock, time.wait, ELSEWHERE, renewing=False), time


def has_taken(claims):
    try:
        claims.take(None, lambda _: 0)
    except UsageError:
        return False
    return True


def shows(claims):
    """Renew what a job has there, if it has something."""
    before, FaultyFileSystem.before = FaultyFileSystem.before, None
    claims.renew()
    FaultyFileSystem.before = before


def test_a_job_that_was_held_up_ends_at_its_next_checkpoint(tmp_path):
    first, _, _ = storage(tmp_path)
    first.lock()
    put(first, 1)
    second, _, _ = storage(tmp_path)
    second.lock()
    put(second, 2, b"mine")
    with pytest.raises(
        CheckpointError, match=r"another job \(process 7 on elsewhere\) has taken over"
    ):
        put(first, 2, b"theirs")
    with pytest.raises(CheckpointError, match="has taken over"):
        first.recall()
    first.unlock()
    second.recall()
    assert bytes(second.get(2, "state.arrow")) == b"mine"
    assert names(tmp_path)[:2] == ["epoch-000000000001-000001", "epoch-000000000002-000002"]


def test_a_checkpoint_that_comes_too_late_does_not_count(tmp_path):
    """The job before wrote its manifest after another one had begun, and was killed then."""
    first, _, _ = storage(tmp_path)
    first.lock()
    put(first, 1)
    second, _, _ = storage(tmp_path)

    def killed():
        raise Crash

    with pytest.raises(Crash):
        put(first, 2, before=lambda: (second.lock(), killed()))
    late = tmp_path / "epoch-000000000002-000001"
    assert not late.exists()  # half of one is nothing
    late.mkdir()
    (late / "state.arrow").write_bytes(b"late")
    (late / "manifest.json").write_bytes(b"{}")
    assert second.epochs() == [1]
    put(second, 2)
    assert not late.exists()
    assert second.epochs() == [1, 2]


def test_an_owner_that_writes_its_claim_after_it_was_removed(tmp_path):
    first, claims, _ = storage(tmp_path)
    first.lock()
    (old,) = tmp_path.iterdir()
    said = old.read_bytes()
    second, _, _ = storage(tmp_path)
    second.lock()
    old.write_bytes(said)
    put(second, 1)
    assert not old.exists()
    claims.renew()
    with pytest.raises(CheckpointError, match="has taken over"):
        first.recall()


def test_a_torn_claim_is_one_of_an_unknown_job(tmp_path):
    (tmp_path / "owner-000004-ab.json").write_bytes(b'{"number": 1')
    said = []
    second, claims, time = storage(tmp_path)
    second.lock(said.append)
    assert "(unknown)" in said[0]
    assert time.now >= SILENCE
    assert claims.term == 5


def test_a_store_that_cannot_be_reached_for_a_while_is_no_loss(tmp_path):
    first = open_storage(f"faulty://{tmp_path}/place")
    first.lock()

    def away(step, path):
        raise TimeoutError("the store is away")

    FaultyFileSystem.before = away
    try:
        with pytest.raises(CheckpointError, match=r"cannot write to faulty:.*: the store is away"):
            put(first, 1)
    finally:
        FaultyFileSystem.before = None
    put(first, 1)
    first.unlock()
    assert names(tmp_path / "place") == ["epoch-000000000001-000001"]


def test_a_place_given_back_while_the_store_is_away(tmp_path):
    """Nobody renews what is left, and this process knows that at once."""
    first = open_storage(f"faulty://{tmp_path}/place")
    first.lock()

    def away(step, path):
        raise TimeoutError("the store is away")

    FaultyFileSystem.before = away
    try:
        first.unlock()
    finally:
        FaultyFileSystem.before = None
    second, _, time = storage(tmp_path / "place")
    second.lock()
    assert time.now == 0


def test_a_job_whose_place_was_taken_over_ends(tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "job", store="local://")
    other, _, _ = storage(run.checkpoints)

    def reached(point, number):
        if (point, number) == ("batch", 3):
            other.lock()

    run.reached = reached
    with pytest.raises(
        CheckpointError, match=r"another job .*has taken over the checkpoints in local"
    ):
        run.run()
    run.reached = None
    epochs = other.epochs()
    other.unlock()
    assert run.run().checkpoints.resumed == max(epochs)
    assert run.rows() == undisturbed(TASKS["tumbling"], tmp_path)
