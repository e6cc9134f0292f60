"""`streamql functions test`, and what JavaScript says to its console in a run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamql.cli import main


@pytest.fixture
def streamql(tmp_path, monkeypatch):
    """Run `streamql` beside a folder of functions."""
    files = {
        "_lib": "function gross(x) { return x * 1.5; }",
        "fare": "function fare(x) { console.log('fare', x); console.warn('hm'); return gross(x.v); }",
        "all": "function main() { this.accumulate = function (v, t) { (this.l ||= []).push(v, t); };"
        " this.computeResult = function () { return this.l; }; }",
        "now": "function now() { return new Date(); }",
    }
    (tmp_path / "functions").mkdir()
    for name, text in files.items():
        (tmp_path / "functions" / f"{name}.js").write_text(text)
    (tmp_path / "up.py").write_text("def up(text):\n    return text.upper()\n")
    (tmp_path / "e.jsonl").write_text('{"v": 2}\n')
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["fare", "--args", '[{"v": 3}]', "--args", '[{"v": 2}]'], ["4.5  float", "3  bigint"]),
        (["UDF.Fare", "--args", '[{"v": null}]'], ["0  bigint"]),
        (
            ["all", "--args", "[1, null]", "--args", "[]"],
            ['[1,"1970-01-01T00:00:00.000Z",null,"1970-01-01T00:00:01.000Z"]  array', "null  null"],
        ),
        (
            ["now", "--set", "now.js_deterministic=true"],
            ['"1970-01-01T00:00:00.0000000Z"  datetime'],
        ),
        (["up", "--function", "up=up.py:up", "--args", '["a"]'], ['"A"  nvarchar(max)']),
    ],
)
def test_functions_test(streamql, words, out):
    result = streamql("functions", "test", *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == out
    assert ("udf.fare console.log: fare" in result.stderr) == ("fare" in words[0].lower())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["fare", "--args", "[null]"], 3, "at functions/fare.js line 1, column"),
        (["fare"], 2, "udf.fare takes 1 argument (x), found 0"),
        (["fare", "--args", "5"], 2, "not a JSON array"),
        (["fare", "--args", "[NaN]"], 2, "NaN is no value of JSON"),
        (["fare", "--args", "[1"], 2, "not JSON"),
        (["fair", "--args", "[1]"], 2, "did you mean fare?"),
        (["_lib", "--args", "[1]"], 2, "there is no function _lib"),
        (["fare", "--set", "fare.js_memory=lots"], 2, "fare.js_memory takes"),
    ],
)
def test_functions_test_refuses(streamql, words, code, said):
    result = streamql("functions", "test", *words)
    assert result.exit_code == code
    assert said in result.stderr


def test_console_in_a_run(streamql):
    words = ["run", "-q", "SELECT udf.fare(input) AS y FROM input", "--input", "e.jsonl"]
    words += ["--output", "o.jsonl"]
    result = streamql(*words, "--functions", "functions")
    assert json.loads(Path("o.jsonl").read_text()) == {"y": 3}
    assert result.stderr.splitlines()[:2] == [
        'udf.fare console.log: fare {"v":2}',
        "udf.fare console.warn: hm",
    ]
    quiet = streamql(*words, "--functions", "functions", "--quiet")
    assert quiet.stderr == "udf.fare console.warn: hm\n"


def test_functions_still_shows_built_in_ones(streamql):
    assert "DATEADD(" in streamql("functions", "dateadd").stdout
    assert "operators" in streamql("functions").stdout
    assert "test" in streamql("functions", "--help").stdout
