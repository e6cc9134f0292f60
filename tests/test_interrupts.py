"""Ctrl-C while a model is asked: the job ends at once, and what it has written is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from adversary import Adversary, Reply, Request

QUERY = "SELECT n, udf.score(n) AS s INTO output FROM input"


def interrupted(command: list[str], folder: Path, ready: Callable[[], bool]) -> tuple[int, bytes]:
    """Run a command, interrupt it when it is ready; return how it ended, and what it said."""
    with subprocess.Popen(
        [sys.executable, "-m", "streamql", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stderr is not None
        try:
            deadline = time.monotonic() + 60
            while not ready():
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
            return process.wait(timeout=10), said
        finally:
            process.kill()


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv"])
@pytest.mark.parametrize("settings", [[], ["--set", "score.ordered=false"]], ids=["", "unordered"])
def test_an_interrupt_with_twenty_requests_in_flight(
    tmp_path: Path, name: str, settings: list[str]
) -> None:
    def behave(request: Request) -> Reply:
        # the first 30 requests are answered, then the model hangs
        return Reply(list(request.rows), delay=0 if request.number <= 30 else 600)

    events, output = tmp_path / "events.jsonl", tmp_path / name
    events.write_text("".join(f'{{"n":{n}}}\n' for n in range(100_000)))
    command = ["run", "-q", QUERY, "--input", str(events)]
    command += ["--output", str(output), "--record-calls", str(tmp_path / "calls.jsonl")]
    command += ["--set", "score.max_batch_count=100", "--set", "batch_bytes=4096", *settings]
    with Adversary(behave) as server:
        command += ["--function", f"score={server.url}"]
        code, said = interrupted(command, tmp_path, lambda: server.open == 20)
    assert code == 130
    assert said == b"interrupted\n"
    for file in (output, tmp_path / "calls.jsonl"):
        if not file.exists():
            continue
        content = file.read_bytes()
        assert content.endswith(b"\n") or not content
        lines = content.decode().splitlines()
        if file.suffix == ".jsonl":
            lines = [json.loads(line) for line in lines]
            assert all(line["n"] == line["s"] for line in lines if "n" in line)
        else:
            assert all(len(line.split(",")) == 2 for line in lines)


HANGING = """
import os, pathlib, time
def init(): pass
def run(data):
    pathlib.Path(__file__).with_name("hangs").write_text(str(os.getpid()))
    time.sleep(600)
"""


@pytest.mark.parametrize("isolate", ["false", "true"])
def test_an_interrupt_of_a_script_that_hangs(tmp_path: Path, isolate: str) -> None:
    script, events = tmp_path / "score.py", tmp_path / "events.jsonl"
    script.write_text(HANGING)
    events.write_text('{"n":1}\n')
    command = ["run", "-q", QUERY, "--input", str(events), "--output", str(tmp_path / "o.jsonl")]
    command += ["--function", f"score={script}", "--set", f"score.isolate={isolate}"]
    assert interrupted(command, tmp_path, (tmp_path / "hangs").exists) == (130, b"interrupted\n")
    if isolate == "true":
        pid = int((tmp_path / "hangs").read_text())
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("command", [["profile", "--sample"], ["call", "--row"]])
def test_an_interrupt_of_the_commands_for_models(tmp_path: Path, command: list[str]) -> None:
    sample = tmp_path / "rows.jsonl"
    sample.write_text("1\n")
    given = str(sample) if command[0] == "profile" else "1"
    with Adversary(lambda _: Reply([1], delay=600)) as server:
        line = ["model", *command, given, server.url, "--protocol", "azureml"]
        code, said = interrupted(line, tmp_path, lambda: server.open > 0)
    assert (code, said) == (130, b"interrupted\n")


def test_an_interrupt_while_the_program_is_loaded(tmp_path: Path) -> None:
    """Before anything of it runs: there is no other place where it could be told."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "streamql", "--version"],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"interrupted\n")
