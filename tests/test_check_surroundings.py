"""What a check says of what is around a query: functions, data, checkpoints; and of bad flags."""

import gzip
import json

import pytest
from click.testing import CliRunner

from streamql.cli import main

BROKEN = "function f(x) {\n  return x +;\n}\n"
DRAW = "function draw(a) { return Math.random() * a; }"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, list(arguments))


def heads(result):
    """The findings without their lines and hints."""
    return [line for line in result.stdout.splitlines() if line and not line.startswith(" ")]


def test_a_function_that_cannot_be_made_hides_no_other_finding(folder):
    (folder / "streamql.toml").write_text('query = "q.sql"\n[functions]\nf = "f.js"\n')
    (folder / "q.sql").write_text("SELECT udf.f(a) AS x, foo(b) AS y FROM input WHERE udf.g(a) = 1")
    (folder / "f.js").write_text(BROKEN)
    result = run("check", ".")
    assert result.exit_code == 1
    assert heads(result) == [
        "q.sql: error: f.js, line 2, column 13: SyntaxError: Unexpected token ';' [function]",
        "q.sql:1:23: error: unknown function foo [bind]",
        "q.sql:1:52: error: unknown function udf.g [bind]",
    ]
    assert run("run", ".").exit_code == 2


def test_calls_of_functions_that_cannot_be_made_are_no_mistakes(folder):
    (folder / "functions").mkdir()
    (folder / "functions" / "f.js").write_text(BROKEN)
    (folder / "functions" / "median.js").write_text("function main() { this.init = ")
    query = "SELECT uda.median(a) AS m, udf.f(MAX(a), 2) + 1 AS f FROM input"
    query += " GROUP BY TumblingWindow(second, 5)"
    result = run("check", "-q", query, "--functions", "functions", "--function", "g=none.js")
    assert [line.split(":")[1] for line in heads(result)] == [" error"] * 3
    assert all(line.endswith("[function]") for line in heads(result))


def test_functions_that_cannot_run_from_here_are_findings_as_well(folder):
    (folder / "asaproj.json").write_text('{"name": "x", "startFile": "x.asaql"}')
    (folder / "x.asaql").write_text("SELECT udf.f(a) AS x, foo(b) AS y INTO o FROM input")
    (folder / "Functions").mkdir()
    told = {"Name": "f", "MethodName": "M", "ScriptType": "CSharpFunction"}
    (folder / "Functions" / "f.json").write_text(json.dumps(told))
    result = run("check", ".")
    assert result.exit_code == 1, result.output
    assert [line.rpartition("[")[2] for line in heads(result)] == ["function]", "bind]"]


def test_data_that_cannot_be_read_are_a_warning(folder):
    packed = gzip.compress(b'{"a": 1}\n')
    (folder / "rows.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    result = run("check", "-q", "SELECT foo(a) AS x FROM input", "--input", "rows.jsonl.gz")
    assert result.exit_code == 1
    assert [line.rpartition("[")[2] for line in heads(result)] == ["unreadable-input]", "bind]"]
    assert run("check", "-q", "SELECT a FROM input", "--input", "rows.jsonl.gz").exit_code == 0


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], False),
        (["--checkpointed"], True),
        (["--set", "checkpoint_interval=5s"], True),
        (["--set", "checkpoint_keep=5"], True),
        (["--checkpointed", "--set", "js_deterministic=true"], False),
    ],
)
def test_functions_that_vary_are_told_of_jobs_with_checkpoints(folder, flags, told):
    (folder / "draw.js").write_text(DRAW)
    query = "SELECT udf.draw(a) AS x FROM input"
    result = run("check", "-q", query, "--function", "draw=draw.js", *flags)
    assert ("volatile-with-checkpoints" in result.stdout) is told


def test_a_run_with_checkpoints_warns_of_functions_that_vary(folder):
    (folder / "draw.js").write_text(DRAW)
    query = "SELECT udf.draw(a) AS x, udf.draw(a + 1) AS y FROM input"
    flags = ["--input", "rows.jsonl", "--output", "o.jsonl", "--function", "draw=draw.js"]
    said = run("run", "-q", query, *flags, "--checkpoint", "state").stderr
    assert said.count("warning: udf.draw may give something else when rows are computed") == 1
    assert "hint: in JavaScript, --set js_deterministic=true" in said
    assert "warning" not in run("run", "-q", query, *flags).stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--set", "batch_row=5"], "hint: did you mean batch_rows?"),
        (["--set", "batch_rows=many"], "found 'many'"),
        (["--function", "f=none.js"], "none.js"),
        (["--function", "f=f.js"], "f.js, line 2, column 13: SyntaxError"),
        (["--function", "f=g.js", "--set", "f.js_timeuot=1s"], "hint: did you mean js_timeout?"),
    ],
)
def test_flags_that_fit_no_case_are_one_error(folder, flags, said):
    (folder / "f.js").write_text(BROKEN)
    (folder / "g.js").write_text("function g(x) { return x; }")
    for name in ("one", "two"):
        (folder / "tests" / name / "expected").mkdir(parents=True)
        (folder / "tests" / name / "query.sql").write_text("SELECT a FROM input")
    result = run("test", "tests", *flags)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("error:") == 1
    assert said in result.stderr


def test_a_warning_of_a_case_is_told_once_and_as_one(folder):
    case = folder / "case"
    for name, rows in (("inputs/input", '{"a": 1}\n'), ("references/ref", '{"a": 1}\n{"a"\n')):
        (case / name).parent.mkdir(parents=True)
        (case / f"{name}.jsonl").write_text(rows)
    (case / "expected").mkdir()
    (case / "expected" / "output.jsonl").write_text('{"a": 1}\n')
    (case / "query.sql").write_text("SELECT i.a FROM input i JOIN ref r ON i.a = r.a")
    result = run("test", "case")
    assert result.exit_code == 0
    assert result.stdout.count("warning: 1 of 2 rows of the reference data ref malformed") == 1
    assert result.stderr == ""


def test_a_missing_prefix_is_noticed_though_nothing_of_the_folder_is_called(folder):
    (folder / "functions").mkdir()
    (folder / "functions" / "gross.js").write_text("function gross(x) { return x; }")
    for command in ("run", "check", "explain"):
        flags = ("--functions", "functions", "--input", "rows.jsonl")
        result = run(command, "-q", "SELECT gross(a) AS g FROM input", *flags)
        assert "hint: did you mean udf.gross?" in result.output
