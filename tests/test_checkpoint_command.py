"""`streamql checkpoint`, and how signals end a job with checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from checkpointed import TASKS, Run
from click.testing import CliRunner

from streamql.cli import main


@pytest.fixture
def state(tmp_path):
    run = Run(TASKS["tumbling"], tmp_path / "job")
    run.run(stop=5)
    return run.checkpoints


def cli(*arguments):
    return CliRunner().invoke(main, ["checkpoint", *map(str, arguments)])


def test_list(state):
    lines = cli("ls", state).output.splitlines()
    epochs = sorted(int(path.name[6:]) for path in state.glob("epoch-*"))
    assert [int(line.split()[0]) for line in lines[1:]] == epochs
    assert all(line.endswith("running") for line in lines[1:])


def test_show(state):
    shown = cli("show", state).output
    assert "operator o: group by: " in shown
    assert "setting out_of_order: 20000000" in shown
    assert "exactly once" in shown
    assert "input a: " in shown
    assert "GROUP BY key, TumblingWindow" in shown
    missing = cli("show", state, "--epoch", 99)
    assert missing.exit_code == 2
    assert "has no checkpoint 99" in missing.output


def test_check(state):
    assert cli("check", state).exit_code == 0
    file = max(state.glob("epoch-*")) / "state.arrow"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    checked = cli("check", state)
    assert checked.exit_code == 1
    assert "damaged: state.arrow has another content" in checked.output
    (file.parent / "manifest.json").unlink()
    assert "damaged: manifest.json is missing" in cli("ls", state).output


def test_no_checkpoints(tmp_path):
    for command in ("ls", "show", "check"):
        found = cli(command, tmp_path / "nowhere")
        assert found.exit_code == 2
        assert "there are no checkpoints in" in found.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_job_with_a_checkpoint(number, tmp_path):
    command = [
        *(sys.executable, "-m", "streamql", "run", "-q", "SELECT id INTO o FROM a"),
        *("--input", "a=-", "--output", "o=out.jsonl", "--checkpoint", "state"),
    ]
    pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path}
    with subprocess.Popen(command, **pipes) as job:
        job.stdin.write(b'{"id": 1}\n{"id": 2}\n')
        job.stdin.flush()
        out = tmp_path / "out.jsonl"
        deadline = time.monotonic() + 60
        while not (out.exists() and out.read_bytes().count(b"\n") == 2):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(job.pid, number)
        said = job.communicate(timeout=60)[1].decode()
    assert job.returncode == 0, said
    assert "taking a last checkpoint" in said
    assert "stopped with checkpoint 1 in state" in said
    again = subprocess.run(
        command, input=b'{"id": 1}\n{"id": 2}\n{"id": 3}\n', cwd=tmp_path, capture_output=True
    )
    assert again.returncode == 0
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [1, 2, 3]
