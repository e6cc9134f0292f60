"""Checkpoints where a URI means: what goes wrong there, what messages say, and an S3 server."""

import itertools
import os
import sys

import pytest
from checkpointed import TASKS, Crash, Run, undisturbed
from click.testing import CliRunner
from faulty_files import FaultyFileSystem
from s3_server import S3Server

import streamql
from streamql.cli import main
from streamql.errors import CheckpointError, UsageError
from streamql.runtime.storage import LocalStorage
from streamql.runtime.store import open_storage

FILTER = TASKS["filter"]
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
        assert all(name.startswith("epoch-") for name in os.listdir(run.checkpoints))
        if not failed and number > next(steps):
            break
    assert number > 2


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
