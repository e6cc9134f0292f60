"""The command line in processes of its own: streams, signals, closed pipes, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def streamql(*arguments, **named):
    command = [sys.executable, "-m", "streamql", *arguments]
    root = str(Path(__file__).parents[1])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAMQL_")}
    environment["PYTHONPATH"] = root
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, **named
    )


def start(*arguments, **named):
    command = [sys.executable, "-m", "streamql", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAMQL_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, **pipes, **named)


def test_a_job_writes_rows_to_standard_output_and_the_rest_to_standard_error(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1,"b":"x"}\n{"a":\n{"a":2.5}\n')
    done = streamql("run", "-q", "SELECT b, a INTO o FROM input", "-i", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["a"] for row in rows] == [1, 2.5]
    assert done.stderr.startswith("3 events, 2 rows to o, ")
    assert "1 of 3 events of input malformed, skipped; the first: event 2" in done.stderr


def test_input_errors_can_be_fatal(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n{"a":\n')
    arguments = ["run", "-q", "SELECT a FROM input", "-i", "e.jsonl"]
    done = streamql(*arguments, "--set", "input_errors=fail", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")


def test_standard_input_and_an_output_folder(tmp_path):
    query = "SELECT a INTO x FROM i SELECT a + 1 AS b INTO y FROM i"
    arguments = ["run", "-q", query, "--input", "i=-", "--output-dir", "out"]
    done = streamql(*arguments, cwd=tmp_path, input='{"a":1}\n')
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "out" / "x.jsonl").read_text() == '{"a":1}\n'
    assert (tmp_path / "out" / "y.jsonl").read_text() == '{"b":2}\n'


def test_a_missing_input_and_a_syntax_error(tmp_path):
    done = streamql("run", "-q", "SELECT a FROM input", "-i", "none.jsonl", cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert "none.jsonl" in done.stderr
    done = streamql("run", "-q", "SELECT a FORM input", "-i", "none.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "line 1, column" in done.stderr


def test_a_closed_pipe_ends_quietly(tmp_path):
    with (tmp_path / "e.jsonl").open("w") as file:
        file.writelines(f'{{"a":{i},"pad":"{"x" * 100}"}}\n' for i in range(20_000))
    command = f"{sys.executable} -m streamql run -q 'SELECT * FROM input' -i e.jsonl --quiet"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["a"] == 0


def test_an_interrupt_exits_with_130(tmp_path):
    command = [sys.executable, "-m", "streamql", "run", "-q", "SELECT a FROM input", "-i", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        try:
            process.stdin.write(b'{"a":1}\n')
            process.stdin.flush()
            assert process.stdout.readline() == b'{"a":1}\n'  # it runs, and waits for more
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == b"interrupted\n"  # standard input is still open
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()


def test_version_loads_nothing_heavy():
    heavy = "pyarrow", "numpy", "lark", "aiohttp", "rich", "jsonschema", "py_mini_racer", "orjson"
    code = (
        "import sys; from streamql.cli import main; main(['--version'], standalone_mode=False); "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("streamql ")
    assert second == "[]"


def test_a_run_does_not_load_what_it_does_not_need(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    code = (
        "import sys; from streamql.cli import main; "
        "main(['run', '-q', 'SELECT a FROM input', '-i', 'e.jsonl'], standalone_mode=False); "
        "print([m for m in ('pandas', 'aiohttp', 'rich', 'py_mini_racer') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert sorted(done.stdout.splitlines()) == ["[]", '{"a":1}'], done.stderr


def test_importing_streamql_is_light_and_complete():
    import streamql

    assert {"Engine", "StreamqlError", "__version__"} <= set(dir(streamql))
    for name in streamql.__all__:
        assert getattr(streamql, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'engin_'"):
        _ = streamql.engin_


@pytest.mark.parametrize("source", ["e.jsonl", "."])
def test_a_followed_file_gives_rows_as_it_grows_until_interrupted(tmp_path, source):
    file = tmp_path / "e.jsonl"
    file.write_text('{"a":1}\n{"a":')
    command = ["run", "-q", "SELECT a FROM input", "-i", source, "--follow"]
    running = start(*command, "--set", "poll_interval=50ms", cwd=tmp_path)
    try:
        assert running.stdout.readline() == b'{"a":1}\n'
        with file.open("a") as more:
            more.write("2}\n")
        assert running.stdout.readline() == b'{"a":2}\n'
        file.rename(tmp_path / "_old")
        file.write_text('{"a":3}\n')
        assert running.stdout.readline() == b'{"a":3}\n'
        running.send_signal(signal.SIGINT)
        assert running.wait(30) in (0, 130)
        assert b"error" not in running.stderr.read()
    finally:
        running.kill()
        running.communicate()


def test_follow_takes_a_pipe_as_it_is(tmp_path):
    command = ["run", "-q", "SELECT a FROM input", "-i", "-", "--follow"]
    running = start(*command, stdin=subprocess.PIPE, cwd=tmp_path)
    try:
        running.stdin.write(b'{"a":1}\n')
        running.stdin.flush()
        assert running.stdout.readline() == b'{"a":1}\n'
        running.stdin.close()
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.stdout.close()
        running.stderr.close()
        running.wait()
