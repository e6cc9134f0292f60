"""Commands as a person sees them: in terminals of three widths, with and without colours, in pipes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass

import pexpect
import pytest

from streamql.cli import main

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PROSE = re.compile(r"\s*(error:|hint:|warning:|\S+: error:|wrote |now: )|stopped: |the fewest")
"""Sentences, which a terminal breaks where it likes; all other lines are laid out."""
START = "import sys; sys.argv[0] = 'streamql'; from streamql.cli import main; main()"
TEXT = "some text that is rather long, for a narrow terminal anyway"


@dataclass(frozen=True)
class Shown:
    """A command: whether it has colours, and the least width at which it fits (0: never)."""

    line: str
    code: int = 0
    colours: bool = True
    fits: int = 40


SHOWN = [
    Shown("run window.sql --input rows.jsonl --output o.jsonl", colours=False),
    Shown("run bad.sql --input rows.jsonl", code=2),
    Shown("check bad.sql", code=1),
    Shown("explain window.sql"),
    Shown("explain window.sql --run --input rows.jsonl"),
    Shown("test case", code=1, fits=80),
    Shown("why window.sql --input rows.jsonl --input-row 3", colours=False, fits=0),
    Shown("init new-{number}", colours=False),
    Shown("functions", colours=False, fits=80),
    Shown("functions test gross --args [9]", code=3),
    Shown("model call score.py --row [1]", colours=False),
    Shown("model profile score.py --sample sample.jsonl --max-batch 50 --max-parallel 1"
          " --max-time 100ms", colours=False, fits=80),
    Shown("checkpoint ls state", colours=False),
]  # fmt: skip
TERMINALS = {
    "narrow and dumb": (40, {"TERM": "dumb"}, False),
    "without colours": (80, {"TERM": "xterm", "NO_COLOR": "1"}, False),
    "wide": (120, {"TERM": "xterm-256color"}, True),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with something for each command."""
    made = tmp_path_factory.mktemp("terminals")
    rows = [
        f'{{"a":{n % 3},"b":{n},"t":"2024-01-01T00:00:{n:02}Z","text":"{TEXT}"}}\n'
        for n in range(50)
    ]
    files = {
        "rows.jsonl": "".join(rows),
        "bad.sql": "SELECT foo(a) AS x, SUBSTRNG(c, 1, 2) AS z, amount, another_column, "
        "still_another_column, one_more_column_to_make_it_long FROM input WHERE baz(a) = 1",
        "window.sql": "SELECT a AS a_long_key, COUNT(*) AS n, AVG(b) AS mean_of_b INTO alerts "
        "FROM input TIMESTAMP BY t GROUP BY a, TumblingWindow(second, 5)",
        "functions/gross.js": "function gross(x) { if (x > 5) throw new Error('far too much of "
        "everything: ' + x + ', which is more than it may be'); return x * 1.1; }",
        "score.py": "import json\n\ndef init():\n    pass\n\ndef run(data):\n"
        "    return [1 for _ in json.loads(data)['data']]\n",
        "sample.jsonl": "[1, 2]\n",
        "case/query.sql": "SELECT a, b, text FROM input WHERE b < 3",
        "case/inputs/input.jsonl": "".join(rows),
        "case/expected/output.jsonl": rows[0].replace("anyway", "anyhow"),
    }
    for name, text in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    line = "run window.sql --input rows.jsonl --output o2.jsonl --checkpoint state --quiet"
    assert piped(made, line)[0] == 0
    return made


def environment(more):
    kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "TERM")}
    return {**kept, "PYTHONPATH": os.getcwd(), **more}


def piped(folder, line):
    found = subprocess.run(
        [sys.executable, "-c", START, *shlex.split(line)],
        cwd=folder,
        env=environment({"TERM": "xterm"}),
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout + found.stderr


def spawn(folder, line, width, more):
    return pexpect.spawn(
        sys.executable,
        ["-c", START, *shlex.split(line)],
        cwd=folder,
        env=environment(more),
        dimensions=(40, width),
        encoding="utf-8",
        timeout=60,
    )


@pytest.mark.parametrize("terminal", TERMINALS)
@pytest.mark.parametrize("shown", SHOWN, ids=[s.line[:40] for s in SHOWN])
def test_it_fits_the_terminal_and_has_its_colours(folder, shown, terminal):
    width, more, colours = TERMINALS[terminal]
    child = spawn(folder, shown.line.format(number=width), width, more)
    child.expect(pexpect.EOF)
    child.close()
    said = child.before.replace("\r", "")
    assert child.exitstatus == shown.code, said
    assert said.strip()
    assert bool(ESCAPE.search(said)) == (colours and shown.colours), said
    if shown.fits and width >= shown.fits:
        lines = [line for line in ESCAPE.sub("", said).split("\n") if not PROSE.match(line)]
        assert [line for line in lines if len(line) > width] == []


@pytest.mark.parametrize("shown", SHOWN, ids=[s.line[:40] for s in SHOWN])
def test_a_pipe_gets_plain_text(folder, shown):
    code, said = piped(folder, shown.line.format(number="piped"))
    assert code == shown.code
    assert said.strip()
    assert "\x1b" not in said
    # a pipe is as wide as needed, but for the query beside the figures of explain
    assert "…" not in said or shown.line.startswith("explain")


def test_a_long_run_shows_its_progress_on_a_terminal_alone(folder):
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDWR)  # for reading too, so that neither side waits
    line = "run -q 'SELECT a FROM input' --input pipe --output o3.jsonl"
    try:
        child = spawn(folder, line, 60, {"TERM": "xterm"})
        os.write(descriptor, b'{"a": 1}\n')
        child.expect("1 events, .* events/s, 1 rows")
    finally:
        os.close(descriptor)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    gone = child.before.rindex("\x1b[2K")  # the line of progress
    assert child.before[gone:].removeprefix("\x1b[2K").startswith("1 event, 1 row to output")


def test_no_help_is_wider_than_80_columns():
    from click.testing import CliRunner
    from test_help import COMMANDS

    for path in [(), *COMMANDS]:
        text = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*path, "--help"]).stdout
        assert [line for line in text.splitlines() if len(line) > 80] == [], path
