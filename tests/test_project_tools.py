"""Azure's test cases, new projects, and `streamql.toml` as a project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from project_files import MOCK, QUERY, ROWS, SAMPLE, TWICE, XML, make, manifest

CASE = {
    "Name": "first",
    "Inputs": [{**MOCK, "FilePath": "..\\Inputs\\data.json", "ScriptType": "InputMock"}],
    "ExpectedOutputs": [{"OutputAlias": "OUT", "FilePath": "rows.json", "Required": True}],
}
TEST_MISTAKES = [
    ({"TestCases": [{**CASE, "Inputs": [{**MOCK, "FilePath": "dat.json"}]}]}, 2, "names dat.json"),
    ({"TestCases": [{**CASE, "Inputs": [{"InputAlias": "entry"}]}]}, 2, "inputs without filepath"),
    ({"Cases": []}, 2, "has no list TestCases"),
    ({"TestCases": ["x"]}, 2, "test case 1 is no object"),
    ({"TestCases": [{**CASE, "ExpectedOutputs": []}]}, 1, "output out is not expected: 2 rows"),
    (
        {"TestCases": [{**CASE, "ExpectedOutputs": [{"OutputAlias": "out", "FilePath": "/dev/null"}]}]},
        1,
        "2 not expected",
    ),
    (
        {"TestCases": [{**CASE, "ExpectedOutputs": [{"OutputAlias": "out", "FilePath": "x", "Required": False}]}]},
        0,
        "1 passed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "code", "sentence"), TEST_MISTAKES)
def test_azures_test_cases(command, project, config, code, sentence):
    make(project, {"test/testConfig.json": {"TestCases": [CASE]}, "test/rows.json": f"[{ROWS}]"})
    assert command("test", "job")[0] == 0
    make(project, {"test/testConfig.json": config})
    found, told, said = command("test", "job")
    assert sentence in told + said
    assert found == code


def test_azures_expected_rows_are_updated_in_their_layout(command, project):
    make(project, {"test/testConfig.json": {"TestCases": [CASE]}, "test/rows.json": "[\r\n]"})
    assert command("test", "job", "--update")[0] == 0
    assert (project / "test" / "rows.json").read_bytes() == (
        b'[\r\n{"a":1,"b":2},\r\n{"a":2,"b":4}\r\n]\r\n'
    )


def test_a_new_project_runs_and_tests_at_once(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("init", "new")[0] == 0
    code, rows, _ = command("run", "new")
    assert (code, len(rows.splitlines())) == (0, 7)
    assert command("test", "new")[0] == 0
    monkeypatch.chdir(tmp_path / "new")
    assert command("run", ".")[0] == 0
    code, _, said = command("init")
    assert (code, "is there already" in said) == (2, True)


def test_init_from_an_azure_project_says_the_same(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLE, "toll")
    before = command("run", "toll", "--quiet")
    assert command("init", "--from-asa", "toll/asaproj.json")[0] == 0
    Path("toll/asaproj.json").unlink()
    assert command("run", "toll", "--quiet")[:2] == before[:2]
    assert command("test", "toll")[0] == 0
    code, _, said = command("init", "--from-asa", ".")
    assert (code, "is no Azure project" in said) == (2, True)


def test_code_within_json_gets_a_file(command, project):
    make(
        project,
        {"asaproj.json": manifest(), "Functions/twice.js.json": {"Name": "twice", "JSCode": TWICE}},
    )
    (project / "Functions" / "twice.js").unlink()
    make(
        project,
        {
            "Functions/score.json": {
                "Name": "score",
                "Endpoint": "http://127.0.0.1:9/s",
                "BatchSize": 7,
                "ScriptType": "MLFunction",
            }
        },
    )
    assert command("init", "--from-asa", "job")[0] == 0
    assert (project / "Functions" / "twice.js").read_text() == TWICE
    assert command("run", "job", "--quiet") == (0, ROWS, "")
    written = (project / "streamql.toml").read_text()
    assert '[functions.score]\nfrom = "http://127.0.0.1:9/s"\nmax_batch_count = "7"\n' in written


TOML = 'query = "job.sql"\n[inputs]\nentry = "in.jsonl"\n[functions]\ntwice = "lib/t.js"\n'
TOML_MISTAKES = [
    ('inputs = 1\nquery = "job.sql"', "inputs takes a table, found 1"),
    ('query = "job.sql"\n[input]\na = "b"', "did you mean inputs?"),
    ('query = "jub.sql"', "did you mean job.sql?"),
    ("batch_rows = 1", "names no query"),
    ('query = "job.sql"\n[inputs]\nentry = 3', "inputs.entry takes a text, found 3"),
    ("query = ", "streamql.toml, at its end: invalid value"),
    (TOML + "[functions.other]\nfrm = 1", "there is no function other"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), TOML_MISTAKES)
def test_mistakes_in_streamql_toml(command, tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path / "p",
        {"streamql.toml": text, "job.sql": QUERY, "in.jsonl": '{"a":1}', "lib/t.js": TWICE},
    )
    code, _, said = command("run", "p")
    assert sentence in said
    assert code == 2


def test_a_streamql_toml_is_a_project(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path / "p",
        {
            "streamql.toml": TOML.replace(
                "[inp", 'batch_rows = 1\n[outputs]\nout = "out.jsonl"\n[inp'
            )
            + "[functions.thrice]\nfrom = 'lib/u.js'\njs_timeout = '5s'\n",
            "job.sql": QUERY + "; SELECT udf.thrice(a) AS c INTO more FROM entry",
            "in.jsonl": '{"a":1}',
            "lib/t.js": TWICE,
            "lib/u.js": "function main(x) { return x * 3; }",
        },
    )
    assert command("run", "p", "--quiet") == (0, '{"c":3}\n', "")
    assert (tmp_path / "p" / "out.jsonl").read_text() == '{"a":1,"b":2}\n'
    code, rows, _ = command("run", "p", "--quiet", "-o", "-", "-i", "entry=p/in.jsonl")
    assert (code, rows) == (0, '{"a":1,"b":2}\n{"c":3}\n')


def test_a_folder_that_is_no_project(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, said = command("run", ".")
    assert (code, "the folder . is no project" in said) == (2, True)
    make(tmp_path, {"a.asaproj": XML, "b.asaproj": XML})
    code, _, said = command("run", ".")
    assert (code, "has several projects: a.asaproj, b.asaproj" in said) == (2, True)


def test_a_case_without_a_query_is_of_the_project_around_it(command, project):
    make(
        project / "tests" / "one",
        {"inputs/entry.jsonl": '{"a":7}', "expected/out.jsonl": '{"a":7,"b":14}'},
    )
    assert command("test", "job")[0] == 0


def test_a_project_is_checked_with_its_functions(command, project):
    for path in ("job", "job/job.asaql"):
        code, told, _ = command("check", path)
        assert code == 0, told
    make(project, {"job.asaql": QUERY.replace("twice", "twise")})
    code, told, _ = command("check", "job")
    assert (code, "twise" in told) == (1, True), told
