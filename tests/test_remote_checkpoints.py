"""Checkpoints where a URI means: claims instead of locks, errors, and an S3 server."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkpointed import TASKS, Crash, Run, undisturbed
from click.testing import CliRunner
from faulty_files import FaultyFileSystem
from s3_server import S3Server

import streamql
from streamql.cli import main
from streamql.errors import CheckpointError, UsageError
from streamql.runtime.claims import RENEWED, SILENCE, Claims, Process
from streamql.runtime.object_storage import ObjectStorage
from streamql.runtime.remote_folder import open_remote
from streamql.runtime.storage import LocalStorage
from streamql.runtime.store import open_storage

FILTER = TASKS["filter"]
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


# -- claims ---------------------------------------------------------------------------------------


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


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Crash()])
@pytest.mark.parametrize("kind", ["write", "remove", "list"])
def test_a_job_goes_on_after_a_fault_at_any_step(fault, kind, tmp_path):
    """A full disk ends the job with an error, a crash without one: both continue."""
    task = TASKS["tumbling"]
    expected = undisturbed(task, tmp_path)
    for number in itertools.count(1):
        run = Run(task, tmp_path / str(number), every=3, store="faulty://")
        steps = itertools.count(1)

        def before(step, path, steps=steps, number=number):
            if step == kind and next(steps) == number:
                raise fault

        FaultyFileSystem.before = before
        try:
            run.run()
        except (CheckpointError, Crash):
            failed = True
        else:
            failed = False
        finally:
            FaultyFileSystem.before = None
        run.run()
        assert run.rows() == expected
        assert all(name.startswith("epoch-") for name in names(run.checkpoints))
        if not failed and number > next(steps):
            break
    assert number > 5


# -- URIs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said", "hint"),
    [
        ("s4://bucket/state", "no file system for s4://", "s3://BUCKET/FOLDER"),
        ("gss://bucket/state", "no file system for gss://", "did you mean gs?"),
        ("memory://", "memory:// names no folder", "SCHEME://BUCKET/FOLDER"),
        ("s3:/bucket/state", "neither a path nor a URI", "s3://"),
        ("file://host/state", "names the host 'host'", "file:///path"),
        ("hdfs://nowhere/state", "cannot open hdfs://nowhere/state: unable to load libjvm", None),
    ],
)
def test_places_that_cannot_be_opened(place, said, hint):
    with pytest.raises(UsageError) as caught:
        open_storage(place)
    assert said in caught.value.message
    assert (hint or "") in (caught.value.hint or "")


SECRETS = [
    "s3://KEY:SE/CRET@bucket/state",
    "s3://KEY:SE%2FCRET@bucket/state?unknown=SE/CRET",
    "abfs://account:SECRET==@container/state?unknown=SECRET==",
    "sftp://user:SE@CRET@host/state",
]


@pytest.mark.parametrize("place", SECRETS)
def test_no_message_shows_a_secret(place):
    shown = CliRunner().invoke(main, ["checkpoint", "ls", place])
    assert shown.exit_code == 2
    assert ":***@" in shown.output
    assert "SE" not in shown.output
    assert "CRET" not in shown.output


def test_without_fsspec_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match="memory:// needs fsspec") as caught:
        open_storage("memory://state")
    assert "pip install 'streamql[fsspec]'" in caught.value.hint


def test_a_directory_as_a_uri(tmp_path):
    found = open_storage(f"file://{tmp_path}/with%20blank")
    assert isinstance(found, LocalStorage)
    found.lock()
    found.unlock()
    assert (tmp_path / "with blank").is_dir()


def test_checkpoints_that_were_copied_from_a_directory(tmp_path):
    run = Run(FILTER, tmp_path / "job")
    run.run(stop=5)
    run.store = "local://"
    assert run.run().checkpoints.resumed is not None
    assert run.rows() == undisturbed(FILTER, tmp_path)


def test_checkpoints_in_the_memory_of_the_process(tmp_path):
    def job(stop):
        with streamql.Engine(batch_bytes=1024) as engine:
            engine.register_uri("a", str(tmp_path / "job" / "a.jsonl"))
            found = engine.job(
                FILTER.query, outputs=run.outputs(), checkpoint="memory://a-job/state"
            )
            if stop:
                found.stop()
            return found.run()

    run = Run(FILTER, tmp_path / "job")
    assert job(True).checkpoints.stopped
    assert job(False).checkpoints.resumed == 1
    assert job(False).checkpoints.idle
    assert run.rows() == undisturbed(FILTER, tmp_path)


# -- an S3 server -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tumbling", "join"])
def test_a_job_is_continued_from_s3(name, s3, tmp_path):
    run = Run(TASKS[name], tmp_path / "job", place=s3.uri(tmp_path.name))
    stops = 0
    while run.run(stop=2).checkpoints.stopped:
        stops += 1
    assert stops > 2
    assert run.run().checkpoints.idle
    assert run.rows() == undisturbed(TASKS[name], tmp_path)
    paths = s3.paths(tmp_path.name)
    assert len(paths) == 6
    assert all(path.startswith("epoch-") for path in paths)


@pytest.mark.parametrize("file", ["state.arrow", "manifest.json"])
def test_damaged_files_in_s3_are_passed_over(file, s3, tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "job", place=s3.uri(tmp_path.name))
    run.run(stop=5)
    path = max(path for path in s3.paths(tmp_path.name) if path.endswith(file))
    with s3.files().open_output_stream(f"rides/{tmp_path.name}/{path}") as torn:
        torn.write(b"half of i")
    checked = CliRunner().invoke(main, ["checkpoint", "check", run.place])
    assert checked.exit_code == 1
    assert f"damaged: {file} has" in checked.output
    run.run()
    assert file in run.warnings[0]
    assert run.rows() == undisturbed(TASKS["tumbling"], tmp_path)


def test_the_commands_look_into_s3(s3, tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "job", place=s3.uri(tmp_path.name))
    run.run()
    for command, said in (("ls", "finished"), ("show", "operator o:"), ("check", "whole")):
        shown = CliRunner().invoke(main, ["checkpoint", command, run.place])
        assert shown.exit_code == 0
        assert said in shown.output
    nothing = CliRunner().invoke(main, ["checkpoint", "ls", s3.uri("nothing")])
    assert "there are no checkpoints in s3://AKIDRIDES:***@rides/nothing?..." in nothing.output
    assert "ecret" not in nothing.output


def test_a_bucket_that_is_not_there(s3, tmp_path):
    run = Run(FILTER, tmp_path / "job", place=s3.uri("state", "no-such-bucket"))
    with pytest.raises(CheckpointError, match="NO_SUCH_BUCKET") as caught:
        run.run()
    assert "ecret" not in caught.value.message


def test_a_server_that_goes_away_ends_the_job(tmp_path):
    server = S3Server()
    run = Run(TASKS["tumbling"], tmp_path / "job", place=server.uri("state"))

    def reached(point, number):
        if point == "batch" and number == 4:
            server.stop()

    run.reached = reached
    try:
        with pytest.raises(CheckpointError, match=r"cannot write to s3://.*: .*NETWORK_CONNECTION"):
            run.run()
    finally:
        server.stop()
