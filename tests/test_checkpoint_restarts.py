"""What a job says of the checkpoints it finds, and what it does not continue from."""

import os
import shutil
from pathlib import Path

import pytest
from checkpointed import STORES, TASKS, Run, Task, events, undisturbed

import streamql
from streamql.connectors.catalog import open_sink
from streamql.errors import CheckpointError, InputError, OutputError, UsageError
from streamql.runtime.storage import LocalStorage

FILTER = TASKS["filter"]
OLD = Path(__file__).parent / "checkpoints" / "1"


def begun(tmp_path, task=FILTER, stop=5, settings=None, **options):
    run = Run(task, tmp_path / "job", **options)
    assert run.run(stop=stop, settings=settings or {}).checkpoints.stopped
    return run


def newest(run):
    return max(run.checkpoints.glob("epoch-*"))


@pytest.fixture(params=STORES, ids=["directory", "objects"])
def store(request):
    return request.param


def test_a_finished_job_does_nothing_more(store, tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "job", store=store)
    run.run()
    rows = run.rows()
    summary = run.run()
    assert summary.checkpoints.idle
    assert run.rows() == rows
    (_, sentence) = summary.sentences()
    assert "nothing to do: the job had finished" in sentence
    assert summary.events == 150


@pytest.mark.parametrize("name", ["filter", "tumbling", "sliding", "match"])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_longer_input_continues_a_finished_job(name, suffix, tmp_path):
    task = TASKS[name]
    half = Task(task.query, {"a": task.inputs["a"][:70]}, task.settings)
    run = Run(half, tmp_path / "job", suffix=suffix)
    run.run()
    run.write("a", task.inputs["a"][70:], "a")
    summary = run.run()
    assert not summary.checkpoints.idle
    assert run.rows() == undisturbed(task, tmp_path, suffix)
    assert run.run().checkpoints.idle


def test_a_shorter_input_is_refused(tmp_path):
    run = begun(tmp_path)
    run.write("a", FILTER.inputs["a"][:10])
    with pytest.raises(InputError, match=r"not the file it was: reading stopped after") as caught:
        run.run()
    assert "--from-start" in caught.value.hint


def test_a_shorter_output_is_refused(tmp_path):
    run = begun(tmp_path)
    (run.folder / "out-o.jsonl").write_bytes(b"{}\n")
    with pytest.raises(OutputError, match=r"has 3 bytes, and the checkpoint is of \d+") as caught:
        run.run()
    assert "--from-start" in caught.value.hint


def test_rows_behind_the_checkpoint_are_taken_back(tmp_path):
    run = begun(tmp_path)
    with (run.folder / "out-o.jsonl").open("ab") as file:
        file.write(b'{"id": 1, "half of a ro')
    run.run()
    assert run.rows() == undisturbed(FILTER, tmp_path)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT id, v * 2 AS d INTO o FROM a WHERE v > 4", "'... WHERE v > 3'.*'... WHERE v > 4'"),
        ("SELECT id, v AS d INTO o FROM a WHERE v > 3", r"\* 2"),
    ],
)
def test_another_query_is_refused(query, said, tmp_path):
    run = begun(tmp_path)
    with pytest.raises(UsageError, match="another query: .*" + said) as caught:
        run.run(query=query)
    assert "--from-start" in caught.value.hint
    run.run(query=query, from_start=True)
    assert run.rows() == undisturbed(Task(query, FILTER.inputs), tmp_path)


def test_comments_and_spaces_are_not_the_query(tmp_path):
    run = begun(tmp_path)
    run.run(query="-- doubles\nselect id,\n  v*2 as d into o from a where v>3 -- all")
    assert run.rows() == undisturbed(FILTER, tmp_path)


def test_a_setting_that_changes_results_is_refused(tmp_path):
    run = begun(tmp_path, TASKS["tumbling"])
    with pytest.raises(UsageError, match="out_of_order 20000000, now it is 50000000"):
        run.run(settings={"out_of_order": "5s"})
    assert run.run(settings={"batch_rows": 7}).events == 150


def test_a_changed_function_is_refused(tmp_path):
    query = "SELECT id, udf.twice(v) AS d INTO o FROM a WHERE v > 3"
    rows = events(100)
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id":{r["id"]},"v":{r["v"]}}}\n' for r in rows))

    def run(body, stop=False, other="x", **flags):
        with streamql.Engine(batch_bytes=1024) as engine:
            engine.register_uri("a", str(tmp_path / "in.jsonl"))
            engine.javascript("twice", f"function twice(x) {{ {body} }}")
            engine.javascript("unused", f"function unused() {{ return '{other}'; }}")
            out = {"o": str(tmp_path / "out.jsonl")}
            job = engine.job(query, outputs=out, checkpoint=tmp_path / "state", **flags)
            if stop:
                job.stop()
            return job.run()

    assert run("return x * 2", stop=True).checkpoints.stopped
    with pytest.raises(UsageError, match=r"udf\.twice has changed since") as caught:
        run("return x + x")
    assert "--allow-changed-functions" in caught.value.hint
    assert run("return x * 2", stop=True, other="y").checkpoints.resumed == 1
    assert run("return x + x", allow_changed_functions=True).events == 100


def test_two_jobs_on_one_directory(tmp_path):
    storage = LocalStorage(str(tmp_path / "state"))
    storage.lock()
    other = LocalStorage(str(tmp_path / "state"))
    with pytest.raises(UsageError, match=rf"in use by another job \(process {os.getpid()} on "):
        other.lock()
    storage.unlock()
    other.lock()
    other.unlock()


def test_the_lock_of_a_dead_process_is_free(tmp_path):
    (tmp_path / "lock").write_text("process 1 on elsewhere\n")
    storage = LocalStorage(str(tmp_path))
    storage.lock()
    storage.unlock()


@pytest.mark.parametrize("file", ["state.arrow", "manifest.json"])
def test_damaged_files_are_passed_over(file, store, tmp_path):
    """Every 997th byte flipped, and the file cut there: the checkpoint before is taken."""
    run = begun(tmp_path, TASKS["tumbling"], stop=7, store=store)
    expected = undisturbed(TASKS["tumbling"], tmp_path)
    kept = tmp_path / "kept"
    shutil.copytree(run.folder, kept)
    path = newest(run) / file
    data = path.read_bytes()
    for place in range(0, len(data), 997):
        for damaged in (
            data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :],
            data[:place],
        ):
            shutil.rmtree(run.folder)
            shutil.copytree(kept, run.folder)
            path.write_bytes(damaged)
            run.warnings.clear()
            run.run()
            assert file in run.warnings[0]
            assert "is damaged and passed over" in run.warnings[0]
            assert run.rows() == expected


@pytest.mark.parametrize("file", ["state.arrow", "manifest.json"])
def test_a_missing_file(file, store, tmp_path):
    run = begun(tmp_path, store=store)
    (newest(run) / file).unlink()
    run.run()
    if store and file == "manifest.json":  # without it nothing is there
        assert run.warnings == []
    else:
        assert f"{file} is missing" in run.warnings[0]
    assert run.rows() == undisturbed(FILTER, tmp_path)


def test_all_damaged(store, tmp_path):
    run = begun(tmp_path, store=store)
    for epoch in run.checkpoints.glob("epoch-*"):
        (epoch / "state.arrow").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"all checkpoints in .* are damaged: ") as at:
        run.run()
    assert "--from-start" in at.value.hint
    run.run(from_start=True)
    assert run.rows() == undisturbed(FILTER, tmp_path)


def test_a_newer_version_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr("streamql.runtime.checkpoint.VERSION", 2)
    run = begun(tmp_path, store=store)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="written by a newer streamql, in version 2"):
        run.run()


def test_the_last_ones_are_kept(store, tmp_path):
    run = Run(FILTER, tmp_path / "job", store=store)
    run.run(settings={"checkpoint_keep": 2})
    assert len(list(run.checkpoints.glob("epoch-*"))) == 2
    assert not list(run.checkpoints.glob("*.json"))
    assert not list(run.checkpoints.glob(".draft*"))


def test_what_a_crash_left_half_written_is_removed(tmp_path):
    run = begun(tmp_path)
    (run.checkpoints / ".draft-000000000099").mkdir()
    run.run()
    assert not list(run.checkpoints.glob(".draft*"))


def test_places_that_cannot_hold_checkpoints(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    run = Run(FILTER, tmp_path / "job")
    for place, said in (("file/x", "not a directory"), ("file", "file exists"), (" ", "empty")):
        with streamql.Engine() as engine:
            engine.register_uri("a", str(run.folder / "a.jsonl"))
            with pytest.raises(UsageError, match=said):
                engine.job(
                    FILTER.query,
                    outputs=run.outputs(),
                    checkpoint=place if place == " " else tmp_path / place,
                ).run()


def test_a_full_disk_ends_the_job_and_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    run = begun(tmp_path)
    before = newest(run)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("streamql.runtime.storage.os.fsync", full)
        with pytest.raises((CheckpointError, OutputError), match="no space left on device"):
            run.run()
    assert newest(run) == before
    run.run()
    assert run.rows() == undisturbed(FILTER, tmp_path)


def test_an_output_keeps_what_it_has_until_it_is_resumed(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"old\n")
    sink = open_sink(str(path), keep=True)
    assert path.read_bytes() == b"old\n"
    sink.resume(None)
    assert path.read_bytes() == b""
    sink.close()


@pytest.mark.parametrize("name", ["tumbling", "join", "lag", "match"])
def test_checkpoints_of_the_first_format_are_continued(name, tmp_path, monkeypatch):
    """The folders in tests/checkpoints were written by an earlier version and must stay readable."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD / name, tmp_path, dirs_exist_ok=True)
    summary = Run(TASKS[name], Path()).run()
    assert summary.checkpoints.resumed is not None
    assert not summary.checkpoints.idle
    assert Run(TASKS[name], Path()).rows() == undisturbed(TASKS[name], tmp_path)


@pytest.mark.parametrize(
    ("before", "said"), [(True, "were followed"), (False, "were not followed")]
)
def test_files_that_were_followed_are_not_continued_otherwise(before, said, tmp_path):
    run = begun(tmp_path, settings={"follow": before})
    with pytest.raises(InputError, match=f"the position is one of files that {said}") as caught:
        run.run(settings={"follow": not before})
    assert "--follow" in caught.value.hint
