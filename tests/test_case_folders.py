"""`streamql test`: cases in folders, what it says of those that fail, and what it writes."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from streamql.cli import main

QUERY = "SELECT id, fare * 2 AS gross INTO alerts FROM entry WHERE fare > 10"
ENTRY = '{"id":1,"fare":20}\n{"id":2,"fare":5}\n{"id":3,"fare":30.5}\n'
ALERTS = '{"id":1,"gross":40}\n{"gross":61.0,"id":3}\n'


def make(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A case that passes, below the working folder."""
    monkeypatch.chdir(tmp_path)
    files = {"query.sql": QUERY, "inputs/entry.jsonl": ENTRY, "expected/alerts.jsonl": ALERTS}
    return make(tmp_path / "tests" / "fares", files)


def streamql(*args: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["test", *args], catch_exceptions=False)
    return done.exit_code, done.output


def test_a_case_passes_wherever_it_is_looked_for(case):
    for path in ((), ("tests",), ("tests/fares",)):
        code, said = streamql(*path)
        assert (code, said.count("passed")) == (0, 2), said


def test_rows_that_differ_are_shown_by_column(case):
    make(case, {"expected/alerts.jsonl": '{"id":1,"gross":41}\n{"id":7,"x":1,"y":1}\n'})
    code, said = streamql("tests")
    assert code == 1
    assert said.splitlines()[:-1] == [
        "FAILED  fares",
        "  output alerts: 1 row differs, 1 missing, 1 not expected (2 expected, 2 found)",
        "    where id 1",
        "    - gross  expected 41",
        "    + gross  found    40",
        '    - {"id":7,"x":1,"y":1}',
        '    + {"id":3,"gross":61.0}',
    ]
    assert said.splitlines()[-1].startswith("1 failed in ")


CHANGES = [
    # what is in the case besides, the exit code, a sentence of what is said
    ({"expected/alerts.jsonl": ""}, 1, "2 not expected (0 expected, 2 found)"),
    ({"expected/others.jsonl": '{"a":1}'}, 1, "output others: 1 missing (1 expected, 0 found)"),
    ({"query.sql": QUERY + "; SELECT id INTO more FROM entry"}, 1, "output more is not expected"),
    ({"query.sql": "SELECT nope( FROM entry"}, 1, "line 1, column"),
    ({"query.sql": "\ufeff" + QUERY.replace(" INTO", "\r\nINTO")}, 0, "passed  fares"),
    ({"case.json": '{"expect_error":"compile"}'}, 1, "it ran, a compile error was expected"),
    ({"case.json": '{"expect_error":"compile"}', "query.sql": "SELECT"}, 0, "passed  fares"),
    ({"case.json": '{"expect_error":"runtime"}', "query.sql": "SELECT"}, 1, "a runtime error was"),
    ({"case.json": '{"settings":{"late_arrivel":"5s"}}'}, 1, "did you mean late_arrival?"),
    ({"case.json": '{"orderd":true}'}, 2, "did you mean ordered?"),
    ({"case.json": '{"ordered":1}'}, 2, "ordered takes true or false, found 1"),
    ({"case.json": '{"compare":{"float_rel_tol":-1}}'}, 2, "takes a number from 0 on, found -1"),
    ({"case.json": "{"}, 2, "case.json: line 1: no JSON"),
    ({"case.json": '{"query":"nowhere.sql"}'}, 2, "cannot read the query"),
    ({"expected/alerts.jsonl": '{"id":1}\n[1]\n'}, 2, "alerts.jsonl: line 2: a row is a JSON obj"),
    ({"expected/alerts.jsonl": "{x}"}, 2, "alerts.jsonl: line 1: no JSON"),
    ({"expected/alerts.json": "[]"}, 2, "alerts.json and alerts.jsonl are both alerts"),
    (
        {
            "case.json": '{"ordered":true}',
            "expected/alerts.jsonl": '{"id":3,"gross":61}{"id":1,"gross":40}',
        },
        1,
        "the rows are the expected ones in another order, from row 1 on",
    ),
]


@pytest.mark.parametrize(("files", "code", "sentence"), CHANGES)
def test_what_is_said(case, files, code, sentence):
    make(case, files)
    found, said = streamql("tests")
    assert sentence in said
    assert found == code


def test_a_query_elsewhere_and_inputs_of_other_formats(case):
    (case / "query.sql").rename(case.parents[1] / "job.sql")
    (case / "inputs" / "entry.jsonl").unlink()
    make(
        case,
        {
            "case.json": '{"query":"../../job.sql","functions":{"twice":"double.js"}}',
            "double.js": "function main(x) { return x * 2; }",
            "inputs/entry.csv": "id,fare\n1,20\n2,5\n3,30.5\n",
            "expected/alerts.jsonl": '[{"id":1,"gross":40}, {"id":3,"gross":61}]',
        },
    )
    query = QUERY.replace("fare * 2", "udf.twice(fare)").replace("id,", "CAST(id AS bigint) AS id,")
    query = query.replace("fare >", "CAST(fare AS float) >")
    make(case.parents[1], {"job.sql": query})
    code, said = streamql("tests")
    assert code == 0, said
    # a flag wins over the case
    make(case.parents[1], {"thrice.js": "function main(x) { return x * 3; }"})
    code, said = streamql("tests", "--function", "twice=thrice.js")
    assert (code, "found    60" in said) == (1, True), said


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("a.b", "a.b.jsonl"),
        ("a", "a.jsonl"),
        ("a.json", "a.json.json"),
        ("a/b", "a%2Fb.jsonl"),
        ("..", "%2E..jsonl"),
        ("größe", "größe.jsonl"),
        ("100%", "100%.jsonl"),
        ("100%", "100%25.jsonl"),
    ],
)
def test_an_output_and_an_input_may_have_any_name(case, output, file):
    (case / "inputs" / "entry.jsonl").rename(case / "inputs" / file)
    (case / "expected" / "alerts.jsonl").rename(case / "expected" / file)
    query = QUERY.replace("alerts", f"[{output}]").replace("entry", f"[{output}]")
    make(case, {"query.sql": query})
    assert streamql("tests")[0] == 0
    (case / "expected" / file).unlink()
    (case / "case.json").write_text("{}")
    assert streamql("tests", "--update")[0] == 0
    assert streamql("tests")[0] == 0
    assert len(list((case / "expected").iterdir())) == 1


def test_inputs_may_be_packed(case):
    packed = gzip.compress((case / "inputs" / "entry.jsonl").read_bytes())
    (case / "inputs" / "entry.jsonl").unlink()
    (case / "inputs" / "entry.jsonl.gz").write_bytes(packed)
    assert streamql("tests")[0] == 0


def test_nothing_to_run_is_a_usage_error(case):
    (case.parents[1] / "empty").mkdir()
    for args, sentence in [
        (("empty",), "no case in empty"),
        (("nowhere",), "no folder nowhere"),
        (("-k", "other"), "fits none of 1 cases"),
        (("-k", "not (a"), "it ends too early"),
        (("-k", "a b"), "found 'b'"),
    ]:
        code, said = streamql(*args)
        assert (code, sentence in said) == (2, True), said


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("late", "late-one late-two"),
        ("LATE and not two", "late-one"),
        ("one or early", "early late-one"),
        ("not (late or early)", ""),
        ("late and (one or early)", "late-one"),
    ],
)
def test_words_choose_cases(case, words, names):
    for name in ("late-one", "late-two", "early"):
        make(
            case.parent / name,
            {"query.sql": QUERY, "inputs/entry.jsonl": ENTRY, "expected/alerts.jsonl": ALERTS},
        )
    _, said = streamql("tests", "-k", f"({words}) and not fares")
    ran = [line.split()[1] for line in said.splitlines() if line.startswith("passed")]
    assert " ".join(ran) == names


UPDATES = [
    # expected before, and after; the rows are those of ALERTS
    ("", '{"id":1,"gross":40}\n{"id":3,"gross":61.0}\n'),
    ('{"gross": 61,  "id":3}\n', '{"gross": 61,  "id":3}\n{"id":1,"gross":40}\n'),
    ('{"id":1}\r\n{"gross":40,"id":1}\r\n', '{"gross":40,"id":1}\r\n{"id":3,"gross":61.0}\r\n'),
    ('[{"id":3,\n "gross":61}]', '[\n{"id":3,\n "gross":61},\n{"id":1,"gross":40}\n]\n'),
    ('{"id":3,"gross":61}{"id":1,"gross":40}', '{"id":3,"gross":61}{"id":1,"gross":40}'),
]


@pytest.mark.parametrize(("before", "after"), UPDATES)
def test_update_keeps_what_is_right(case, before, after):
    make(case, {"expected/alerts.jsonl": before})
    code, said = streamql("tests", "--update")
    assert code == 0
    assert ("updated fares: alerts.jsonl" in said) == (before != after)
    assert (case / "expected" / "alerts.jsonl").read_bytes().decode() == after


def test_update_makes_and_deletes_files(case):
    make(case, {"query.sql": QUERY.replace("alerts", "others"), "case.json": '{"ordered":true}'})
    assert streamql("tests", "--update")[0] == 0
    assert os.listdir(case / "expected") == ["others.jsonl"]
    lines = (case / "expected" / "others.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 3]


def test_update_leaves_a_case_alone_that_fails_to_run(case):
    make(case, {"query.sql": "SELECT"})
    assert streamql("tests", "--update")[0] == 1
    assert (case / "expected" / "alerts.jsonl").read_text() == ALERTS


def test_tolerance_holds_where_a_case_has_none(case):
    make(case, {"expected/alerts.jsonl": '{"id":1,"gross":40}{"id":3,"gross":61.01}'})
    assert streamql("tests")[0] == 1
    assert streamql("tests", "--tolerance", "0.001")[0] == 0
    make(case, {"case.json": '{"compare":{"float_rel_tol":1e-9,"float_abs_tol":0}}'})
    assert streamql("tests", "--tolerance", "0.001")[0] == 1


def test_batches_repeat_a_case(case):
    code, said = streamql("tests", "--batches", "all", "--batches", "one", "--batches", "restart")
    assert code == 0
    for name in ("passed  fares\n", "passed  fares [one]\n", "passed  fares [restart]\n"):
        assert name in said


def test_junit_tells_failures_from_errors(case):
    make(case, {"expected/alerts.jsonl": '{"id":"\\u0001"}'})
    make(case.parent / "broken", {"query.sql": "SELECT", "expected/o.jsonl": ""})
    assert streamql("tests", "--junit", "made/report.xml")[0] == 1
    suite = ET.parse("made/report.xml").getroot()[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "1",
    }
    said = {case.get("name"): case[0] for case in suite}
    assert said["fares"].tag == "failure"
    assert "output alerts" in said["fares"].get("message")
    assert said["broken"].tag == "error"


def test_lines_fit_a_terminal(case):
    from streamql.testing.execution import run_case
    from streamql.testing.folders import read_case
    from streamql.testing.report import failure_lines

    long = "x" * 300
    make(
        case,
        {
            "query.sql": f"SELECT id, '{long}y' AS text, 1 AS one INTO alerts FROM entry",
            "expected/alerts.jsonl": json.dumps({"id": 1, "text": long + "z", "one": 1}),
        },
    )
    lines = failure_lines(run_case(read_case(case, "fares")), 80)
    assert max(len(line.text) for line in lines) <= 80
    shown = [line.text for line in lines if "text  " in line.text]
    assert [text.rstrip('"')[-1] for text in shown] == ["z", "y"], "where they differ can be seen"


def test_calls_of_models_are_replayed_from_the_case(case):
    make(case, {"query.sql": "SELECT id, udf.score(fare) AS gross INTO alerts FROM entry"})
    make(
        case,
        {
            "score.py": "import json\n\n\ndef init():\n    pass\n\n\ndef run(data):\n    rows = json.loads(data)['data']\n    return [1.5 for _ in rows]\n"
        },
    )
    make(case, {"expected/alerts.jsonl": "".join(f'{{"id":{n},"gross":1.5}}' for n in (1, 2, 3))})
    flags = ("tests", "--function", f"score={case / 'score.py'}")
    assert streamql(*flags, "--set", "record_calls=calls.jsonl")[0] == 0
    Path("calls.jsonl").rename(case / "calls.jsonl")
    make(case, {"score.py": "def init():\n    raise SystemError\n\n\ndef run(data):\n    pass\n"})
    code, said = streamql(*flags)
    assert code == 0, said
