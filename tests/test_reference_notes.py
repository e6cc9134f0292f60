"""A job that continues tells when its reference data are not what they were."""

import json
import os

import pytest
from checkpointed import at
from click.testing import CliRunner

import streamql
from streamql.cli import main

QUERY = "SELECT a.id, r.site INTO o FROM a TIMESTAMP BY t JOIN r ON a.k = r.k"


class Joined:
    """A job that joins its events with reference data, and is stopped half way."""

    def __init__(self, folder, reference):
        self.folder = folder
        self.reference = reference
        self.warnings = []
        events = [{"id": n, "k": 1, "t": at(600 * n)} for n in range(1, 101)]
        (folder / "a.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))

    def run(self, stop=False):
        self.warnings.clear()
        blocks = 0
        with streamql.Engine(batch_bytes=1024) as engine:
            engine.on_warning = self.warnings.append
            engine.register_uri("a", str(self.folder / "a.jsonl"))
            engine.register_reference("r", self.reference)

            def reached(point):
                nonlocal blocks
                blocks += point == "batch"
                if stop and blocks == 2:
                    job.stop()

            engine.checkpoint_due = lambda: True
            engine.reached = reached
            place = self.folder / "state"
            out = {"o": str(self.folder / "o.jsonl")}
            job = engine.job(QUERY, outputs=out, checkpoint=place)
            return job.run()

    def sites(self):
        lines = (self.folder / "o.jsonl").read_text().splitlines()
        return [json.loads(line)["site"] for line in lines]


def write(path, site):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"k": 1, "site": site}) + "\n")


def test_a_change_is_told_and_taken(tmp_path):
    sites = tmp_path / "sites.jsonl"
    write(sites, "old")
    job = Joined(tmp_path, str(sites))
    assert job.run(stop=True).checkpoints.stopped
    write(sites, "another")
    os.utime(sites, (1_700_000_000, 1_700_000_000))
    job.run()
    (said,) = job.warnings
    assert said.startswith("the reference data r are not those of checkpoint ")
    assert f"{sites} with 24 bytes of 20" in said
    assert said.endswith(f"now {sites} with 28 bytes of 2023-11-14 22:13:20 UTC")
    assert set(job.sites()) == {"old", "another"}
    job.run()
    assert job.warnings == []


def test_the_same_content_is_no_change(tmp_path):
    sites = tmp_path / "sites.jsonl"
    write(sites, "old")
    job = Joined(tmp_path, str(sites))
    job.run(stop=True)
    sites.unlink()
    write(sites, "old")
    os.utime(sites, (1_700_000_000, 1_700_000_000))
    job.run()
    assert job.warnings == []


DATED = "{date}/sites.jsonl"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: write(folder / "2024-01-03/sites.jsonl", "later"), None),
        (lambda folder: write(folder / "2024-01-01/sites.jsonl", "corrected"), "now "),
        (lambda folder: (folder / "2024-01-01/sites.jsonl").unlink(), ": gone"),
        (lambda folder: write(folder / "2023-12-31/sites.jsonl", "never used"), None),
    ],
    ids=["a new version", "a changed one", "one that is gone", "one that nobody used"],
)
def test_versions_that_were_used_matter(change, said, tmp_path):
    write(tmp_path / "2023-12-31/sites.jsonl", "unused")
    write(tmp_path / "2024-01-01/sites.jsonl", "first")
    write(tmp_path / "2024-01-02/sites.jsonl", "second")
    job = Joined(tmp_path, f"{tmp_path}/{DATED}")
    job.run(stop=True)
    change(tmp_path)
    job.run()
    if said is None:
        assert job.warnings == []
    else:
        (warning,) = job.warnings
        assert "2024-01-01/sites.jsonl with" in warning
        assert "from 2024-01-01 00:00 on" in warning
        assert said in warning


def test_values_of_the_program(tmp_path):
    job = Joined(tmp_path, [{"k": 1, "site": "old"}])
    job.run(stop=True)
    job.run(stop=True)
    assert job.warnings == []
    job.reference = [{"k": 1, "site": "new"}]
    job.run()
    assert "the values that the program gives" in job.warnings[0]


def test_they_are_shown(tmp_path):
    sites = tmp_path / "sites.jsonl"
    write(sites, "old")
    job = Joined(tmp_path, str(sites))
    job.run(stop=True)
    shown = CliRunner().invoke(main, ["checkpoint", "show", str(tmp_path / "state")]).output
    assert f"reference r: {sites} with 24 bytes of 20" in shown
