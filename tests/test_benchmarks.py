"""What the driver of the benchmarks makes of jobs and of programs that measure themselves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SAID = {
    "few": {"text": "milliseconds", "value": 4.25, "limit": 5.0, "unit": " ms"},
    "edge": {"text": "share", "value": 5, "limit": 5, "unit": " %"},
    "much": {"text": "seconds", "value": 1234.5, "limit": 2, "unit": " s"},
    "slow": {"text": "rate", "value": 3.0, "limit": 4.0, "at_least": True, "unit": " rows/s"},
    "fast": {"text": "rate", "value": 4.0, "limit": 4.0, "at_least": True, "unit": " rows/s"},
    "free": {"text": "plain", "value": 7.0},
    "gone": {"text": "rate", "value": None, "limit": 4.0, "missing": "no initdb"},
}
LINES = {
    "few": "reached       part: milliseconds 4.25 ms (at most 5 ms)",
    "edge": "reached       part: share 5.00 % (at most 5 %)",
    "much": "MISSED        part: seconds 1,234 s (at most 2 s)",
    "slow": "MISSED        part: rate 3.00 rows/s (at least 4 rows/s)",
    "fast": "reached       part: rate 4.00 rows/s (at least 4 rows/s)",
    "gone": "not measured  part: rate (no initdb)",
}


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """Run the driver with the jobs that are given; return its exit code and what it printed."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import run

    monkeypatch.setattr(run.compileall, "compile_dir", lambda *_, **__: True)

    def driver(jobs, *flags):
        monkeypatch.setattr(run, "JOBS", ())
        monkeypatch.setattr(run, "PARTS", jobs)
        flags = ["--data", str(tmp_path), "--runs", "1", *flags]
        monkeypatch.setattr(sys, "argv", ["run.py", *flags])
        return run.main(), capsys.readouterr().out

    return driver


@pytest.fixture
def part(tmp_path, bench):
    """Make a job of a program, given as Python."""
    from shapes import Part

    def make(program, name="part", **more):
        script = tmp_path / f"{name}.py"
        script.write_text(program)
        return Part(name, "something", str(script), lambda events: (events, "x"), **more)

    return make


def telling(*figures):
    return f"print('for people')\nprint({json.dumps(figures)!r})"


@pytest.mark.parametrize("name", list(SAID))
def test_each_target_has_a_line(bench, part, name):
    code, said = bench((part(telling(SAID[name])),))
    assert code == 0
    lines = said.splitlines()
    verdicts = [line for line in lines if line.startswith(("reached", "MISSED", "not measured"))]
    assert verdicts == [LINES[name]] if name in LINES else not verdicts


def test_each_figure_has_a_row(bench, part):
    _, said = bench((part(telling(*SAID.values())),))
    lines = said.splitlines()
    (head,) = [at for at, line in enumerate(lines) if line.startswith("job   figure")]
    rows = [" ".join(line.split()) for line in lines[head + 1 : head + 1 + len(SAID)]]
    assert rows == [
        "part milliseconds 4.25 ms at most 5 ms",
        "part share 5.00 % at most 5 %",
        "part seconds 1,234 s at most 2 s",
        "part rate 3.00 rows/s at least 4 rows/s",
        "part rate 4.00 rows/s at least 4 rows/s",
        "part plain 7.00",
        "part rate at most 4",
    ]


def test_a_program_gets_its_arguments_and_what_is_set_for_it(bench, part, tmp_path):
    program = (
        "import json, os, sys\n"
        "said = [*sys.argv[1:], os.environ['STREAMQL'], os.environ['BENCH_DATA'], os.environ['A']]\n"
        "print('\\n'.join(said), json.dumps([{'text': 'x', 'value': 1}]), sep='\\n')"
    )
    code, _ = bench(
        (part(program, environment={"A": "1s"}),),
        *("--events", "70", "--streamql", "python 'a b'"),
    )
    assert code == 0
    printed = (tmp_path / "out" / "part.log").read_text().splitlines()
    assert printed[:-1] == ["70", "x", "--json", "python 'a b'", str(tmp_path), "1s"]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise SystemExit('the disk is full')", "part.py ended with status 1: the disk is full"),
        ("print('done')", "part.py has no figures: done"),
        ("", "part.py has no figures: "),
        ("print('[]')", "part.py has no figures: []"),
        ("print('[{\"a\": 1}]')", "part.py has no figures"),
        ("print(7)", "part.py has no figures: 7"),
    ],
)
def test_a_program_that_fails_does_not_end_the_others(bench, part, program, why):
    code, said = bench((part(program), part(telling(SAID["few"]), "other")))
    assert code == 1
    assert "FAILED: " in said
    assert why in said
    assert "\nreached       other: milliseconds" in said
    assert "reached       part" not in said


def test_what_lacks_a_package_is_left_out(bench, part):
    code, said = bench((part(telling(SAID["few"]), needs=("json", "no_such_thing")),))
    assert code == 0
    why = "the Python package no_such_thing is not installed (extra `bench`)"
    assert f"  is left out: {why}\n" in said
    assert f"not measured  part: something ({why})\n" in said


def test_chosen_jobs_run_and_unknown_ones_are_told(bench, part):
    jobs = part(telling(SAID["few"]), "one"), part(telling(SAID["few"]), "two")
    _, said = bench(jobs, "--jobs", "two")
    assert "reached       two" in said
    assert "one" not in said
    assert bench(jobs, "--jobs", "two,three") == (2, "no job three; there are one, two\n")


def test_jobs_of_whole_programs_have_such_lines_too(bench):
    from shapes import Job, Program, Target

    def figure(name):
        return lambda medians, _: medians[name].wall * 0 + 3

    job = Job(
        "whole",
        "two programs",
        (
            Program("streamql", lambda at: ["touch", str(at.target)]),
            Program("other", lambda at: ["touch", str(at.target)], needs="no_such_thing"),
        ),
        (
            Target("files", figure("streamql"), 3, at_least=True),
            Target("files", figure("streamql"), 2),
            Target("others", figure("other"), 2),
        ),
    )
    code, said = bench((job,), "--events", "20")
    assert code == 0
    assert "  other is left out: the Python package no_such_thing" in said
    assert said.splitlines()[-3:] == [
        "reached       whole: files 3.00 (at least 3)",
        "MISSED        whole: files 3.00 (at most 2)",
        "not measured  whole: others (other did not run)",
    ]


def test_parts_take_less_with_fewer_events(bench):
    from parts import PARTS, WHOLE

    for one in PARTS:
        small, usual, large = (one.words(n) for n in (1, WHOLE, 10 * WHOLE))
        assert usual == large
        assert len(small) == len(usual)
        smaller = [a < b for a, b in zip(small, usual, strict=True) if not isinstance(a, str)]
        assert smaller
        assert all(smaller)
        assert (BENCHMARKS / one.script).exists()


def test_the_least_share_of_the_bare_loop_counts(bench):
    import micro_onnx

    shares = {
        "small": dict.fromkeys(micro_onnx.FORMS, 0.9),
        "large": {**dict.fromkeys(micro_onnx.FORMS, 1.1), "packed": 0.25, "arrays": 0.2},
    }
    step, packed, _, arrays, records = micro_onnx.figures(shares)
    assert (step.text, step.amount) == (
        "columns of a step, share of a bare loop (least: small)",
        "90.00 %",
    )
    assert "(least: large) 25.00 % (at least 80 %)" in packed.verdict("onnx")
    assert arrays.amount == "20.00 %"
    assert arrays.limit is records.limit is None  # of JSON, which the bare loop has not to parse


def test_the_slowest_way_and_goals_of_single_ones_count(bench):
    import micro_javascript

    found = micro_javascript.figures([("a", 0.4, [3.0, 2.0]), ("b", 5.0, [4.0, 6.0])])
    assert [one.verdict("j") for one in found if one.limit] == [
        "MISSED        j: b 4.00 M rows/s (at least 5 M rows/s)",
        "reached       j: the slowest of 2 ways (a) 2.00 M rows/s (at least 0.4 M rows/s)",
    ]
    assert (found[0].text, found[0].value) == ("a", 2.0)


GOALS = {
    "latency": {"one row added to a model of 1 ms": "at most 5 ms"},
    "checkpoint": {
        "checkpoints every 1s (# to # a run) add to the time": "at most 5 %",
        "first new row of a new process with # MB of state": "at most 2 s",
        "the pipeline waits for a checkpoint of # MB": "at most 200 ms",
    },
    "outputs": {
        "sqlite": "at least 200,000 rows/s",
        "sqlite upsert": "at least 200,000 rows/s",
        "postgresql": "at least 20,000 rows/s",
        "postgresql upsert": "at least 20,000 rows/s",
    },
}


@pytest.mark.parametrize("name", list(GOALS))
def test_what_the_programs_tell(bench, name):
    """The small form of those that have one, and the goals that they name."""
    from parts import PARTS

    (one,) = [p for p in PARTS if p.name == name]
    one = replace(one, environment={**one.environment, "ROUNDS": "1"})
    code, said = bench((one,), "--events", "1")
    assert code == 0, said
    goals = {}
    for line in said.splitlines():
        found = re.match(r"(?:reached|MISSED) +\w+: (.*) [\d.,-]+ ?\S+(?: rows/s)? \((.*)\)$", line)
        if found:
            goals[re.sub(r"(?<= )\d+(?= (?:MB|a run))|(?<=\()\d+", "#", found[1])] = found[2]
    assert goals == GOALS[name]


def test_no_postgresql_is_told(tmp_path):
    """Where its programs are not, the other figures are there all the same."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:4]; sys.argv[1:] = ['--json']\n"
        "import micro_outputs, postgres_server\n"
        "postgres_server.programs = lambda: None\n"
        "micro_outputs.BATCH = 10\n"
        "micro_outputs.tell(micro_outputs.main(20))"
    )
    folders = [str(BENCHMARKS), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", program, "-", *folders],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert "postgresql is left out: PostgreSQL's programs initdb and pg_ctl" in done.stdout
    *_, last = json.loads(done.stdout.splitlines()[-1])
    assert last["value"] is None
    assert "install the package postgresql" in last["missing"]
