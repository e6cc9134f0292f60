"""The unit and the container file in samples/deploy: what they say is true of the command line."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import click
import pytest
from watched_process import PATIENCE, ROOT, environment

from streamql.cli import main
from streamql.cli.run import run_command

DEPLOY = ROOT / "samples" / "deploy"
UNIT = DEPLOY / "streamql@.service"
CONTAINER = DEPLOY / "Containerfile"


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(UNIT.read_text())
    return parser


def unit_command():
    return shlex.split(unit()["Service"]["ExecStart"].replace("%i", "hourly"))


def container_command():
    words = {
        name: json.loads(listed)
        for name, listed in re.findall(r"^(ENTRYPOINT|CMD) (\[.*\])$", CONTAINER.read_text(), re.M)
    }
    return words["ENTRYPOINT"] + words["CMD"]


COMMANDS = {"unit": unit_command, "container": container_command}


@pytest.mark.parametrize("kind", COMMANDS)
def test_flags_are_those_of_the_command_line(kind):
    program, *words = COMMANDS[kind]()
    assert program == "/opt/streamql/bin/streamql"
    with click.Context(main) as parent:
        run_command.make_context("run", words[1:], parent=parent)


@pytest.mark.parametrize("kind", COMMANDS)
def test_the_command_runs_and_ends_with_code_0_when_it_is_stopped(kind, tmp_path):
    _, *words = COMMANDS[kind]()
    state = "/var/lib/streamql/hourly" if kind == "unit" else "/data"
    words = [word.replace(state, str(tmp_path)) for word in words]
    words = ["0" if word.endswith("9464") else word for word in words]
    (tmp_path / "in").mkdir()
    taxi = ROOT / "samples" / "taxi"
    shutil.copy(taxi / "events.jsonl", tmp_path / "in" / "trips.jsonl")
    (tmp_path / "query.sql").write_text("SELECT id, distance INTO output FROM input")
    command = [sys.executable, "-m", "streamql", *words]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    )
    try:
        url = json.loads(process.stderr.readline())["url"]
        end = time.monotonic() + PATIENCE
        health = {}
        while health.get("rows") != {"output": 3_000}:
            assert time.monotonic() < end, health
            with urllib.request.urlopen(f"{url}/healthz", timeout=PATIENCE) as answer:
                health = json.load(answer)
            time.sleep(0.05)
        while "last_checkpoint_age" not in health:
            assert time.monotonic() < end, health
            with urllib.request.urlopen(f"{url}/healthz", timeout=PATIENCE) as answer:
                health = json.load(answer)
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, process.stderr.read()
    finally:
        process.kill()
        process.communicate()
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3_000


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:  # then what matters most is looked at without it
        assert unit()["Service"]["Type"] == "exec"
        return
    # systemd looks for the program, which is not installed there
    text = UNIT.read_text().replace("/opt/streamql/bin/streamql", sys.executable)
    copy = tmp_path / "streamql@hourly.service"
    copy.write_text(text)
    done = subprocess.run(
        [program, "verify", "--recursive-errors=no", str(copy)], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_exit_codes_are_those_of_the_program():
    from streamql.cli.report import DEFECT
    from streamql.errors import RunError, UsageError

    service = unit()["Service"]
    assert service["RestartPreventExitStatus"] == str(UsageError.exit_code)
    told = re.findall(r"\| (\d+) \|", (DEPLOY / "README.md").read_text())
    assert told == ["0", str(RunError.exit_code), str(UsageError.exit_code), str(DEFECT)]


def test_paths_that_are_named_are_there():
    for link in re.findall(r"\]\(([^)#]+)", (DEPLOY / "README.md").read_text()):
        assert (DEPLOY / link).resolve().exists()
    for name in re.findall(r"^\| `([^`]+)`", (DEPLOY / "README.md").read_text(), re.M):
        assert (DEPLOY / name).exists()
    assert Path(re.search(r"-f (\S+)", CONTAINER.read_text())[1]) == CONTAINER.relative_to(ROOT)
