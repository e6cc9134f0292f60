"""Ctrl-C while a model is asked: the job ends at once, and what it has written is whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from adversary import Adversary, Reply, Request

QUERY = "SELECT n, udf.score(n) AS s INTO output FROM input"


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
    command = [sys.executable, "-m", "streamql", "run", "-q", QUERY, "--input", str(events)]
    command += ["--output", str(output), "--record-calls", str(tmp_path / "calls.jsonl")]
    command += ["--set", "score.max_batch_count=100", "--set", "batch_bytes=4096", *settings]
    with Adversary(behave) as server:
        command += ["--function", f"score={server.url}"]
        with subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as process:
            try:
                deadline = time.monotonic() + 60
                while server.open < 20:
                    assert process.poll() is None, process.stderr
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                assert process.stderr is not None
                said = process.stderr.read()
                assert process.wait(timeout=10) == 130
            finally:
                process.kill()
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
