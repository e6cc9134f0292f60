"""A job that is stopped or dies, and continues, writes what an undisturbed one does."""

import gzip
import itertools
import json

import pyarrow.parquet as pq
import pytest
from checkpointed import STORES, TASKS, Run, undisturbed

from streamql.runtime.coordinator import POINTS


@pytest.mark.parametrize("name", TASKS)
def test_stopped_after_any_block(name, tmp_path):
    expected = undisturbed(TASKS[name], tmp_path)
    assert all(data.count(b"\n") > 3 for data in expected.values())
    for stop in itertools.count(1):
        run = Run(TASKS[name], tmp_path / str(stop))
        summary = run.run(stop=stop)
        if not summary.checkpoints.stopped:
            break
        assert run.run().checkpoints.resumed == summary.checkpoints.last
        assert run.rows() == expected
    assert stop > 5


@pytest.mark.parametrize("name", TASKS)
def test_stopped_after_each_block(name, tmp_path):
    run = Run(TASKS[name], tmp_path / "again")
    stops = 0
    while (summary := run.run(stop=1)).checkpoints.stopped:
        stops += 1
    assert stops > 5
    assert run.rows() == undisturbed(TASKS[name], tmp_path)
    assert summary.events == sum(map(len, TASKS[name].inputs.values()))
    assert sum(summary.rows.values()) == sum(d.count(b"\n") for d in run.rows().values())


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("point", ["batch", *POINTS])
@pytest.mark.parametrize("store", STORES, ids=["directory", "objects"])
def test_killed_at_each_point(name, point, store, tmp_path):
    expected = undisturbed(TASKS[name], tmp_path)
    reached = 0
    for number in (1, 2, 3, 5, 8):
        run = Run(TASKS[name], tmp_path / str(number), every=2, store=store)
        reached += run.crash(point, number)
        run.run()
        assert run.rows() == expected
    assert reached >= 3


def test_killed_again_and_again(tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "again")
    for point in itertools.islice(itertools.cycle(POINTS), 40):
        if not run.crash(point, 2):
            break
    run.run()
    assert run.rows() == undisturbed(TASKS["tumbling"], tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".json?format=array", ".jsonl.gz", ".csv.gz"])
@pytest.mark.parametrize("point", ["batch", "snapshot", "saved"])
def test_formats_are_continued(suffix, point, tmp_path):
    task = TASKS["tumbling"]
    run = Run(task, tmp_path / "crashed", suffix=suffix)
    assert run.crash(point, 3)
    run.run()
    assert _file(run, suffix) == _undisturbed_file(task, tmp_path, suffix)


@pytest.mark.parametrize("point", ["batch", *POINTS])
def test_parquet_becomes_a_folder_of_parts(point, tmp_path):
    task = TASKS["tumbling"]
    expected = Run(task, tmp_path / "undisturbed")
    expected.run(checkpoint=False)
    run = Run(task, tmp_path / "crashed", suffix=".parquet")
    for number in (3, 2, 4):
        run.crash(point, number)
    run.run()
    rows = [json.loads(line) for line in expected.rows()["o"].splitlines()]
    found = pq.read_table(run.folder / "out-o.parquet").to_pylist()
    assert [row["last"] for row in found] == [row["last"] for row in rows]
    assert len(list((run.folder / "out-o.parquet").iterdir())) >= 2


def _file(run, suffix):
    data = (run.folder / f"out-o{suffix.partition('?')[0]}").read_bytes()
    return gzip.decompress(data) if ".gz" in suffix else data


def _undisturbed_file(task, folder, suffix):
    run = Run(task, folder / "undisturbed", suffix=suffix)
    run.run(checkpoint=False)
    return _file(run, suffix)
