"""Findings of a check as data: tests/check_findings.txt, and the examples of docs/check.md.

A block of the file is a query, with comments that tell what is found: severity, line and column,
code, message.
"""

import json
import random
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from syntax_trees import all_texts

import streamql
from streamql.bind.script import bind_script
from streamql.cli import main
from streamql.errors import CompileError
from streamql.functions.registry import Volatility
from streamql.lint.assume import with_open_inputs
from streamql.lint.azure import DIFFERENCES
from streamql.lint.check import check
from streamql.lint.rules import RULES
from streamql.optimize.driver import optimize
from streamql.settings import Settings
from streamql.syntax.parser import parse
from streamql.syntax.recover import parse_all

ROOT = Path(__file__).parents[1]
FINDINGS = (ROOT / "tests" / "check_findings.txt").read_text().strip().split("\n\n")
PAGE = (ROOT / "docs" / "check.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
FOUND = re.compile(r"-- (\w+) (\d+):(\d+) ([\w-]+): (.*)")


@pytest.fixture(scope="module")
def engine():
    with streamql.Engine() as made:
        made.javascript("lottery", "function lottery(a) { return Math.random() * a; }")
        made.function(lambda a: a, name="score")
        yield made


def environment(engine):
    """What the engine knows, with udf.score as a model."""

    class Score(type(engine.functions.by_alias()["score"])):
        remote = True

    made = engine.environment()
    made.registry.udfs["score"] = Score("score", lambda a: a)
    return made


def found_in(engine, text, **options):
    return check(text, environment(engine), Settings(), **options)


def place(text, offset):
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


@pytest.mark.parametrize("block", FINDINGS, ids=[b.split("\n")[0][:60] for b in FINDINGS])
def test_all_findings_are_told_with_their_places(engine, block):
    expected = [m.groups() for m in map(FOUND.fullmatch, block.split("\n")) if m]
    found = found_in(engine, block)
    told = [(d.severity, *map(str, place(block, d.span.start)), d.code, d.message) for d in found]
    assert told == expected


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_get_the_warnings_they_say(engine, example):
    query, _, codes = example.partition("-- check: ")
    found = found_in(engine, query, checkpoints=True)
    assert [d.code for d in found] == ([] if codes.strip() == "nothing" else codes.split())


def test_the_page_has_an_example_of_each_rule():
    headings = set(re.findall(r"^### (.+)$", PAGE, re.MULTILINE))
    assert headings == {r.__name__.replace("_", "-") for r in RULES} | {"assumed-reference"}


def test_volatile_functions_matter_with_checkpoints_only(engine):
    assert engine.functions.by_alias()["lottery"].volatility is Volatility.VOLATILE
    assert found_in(engine, "SELECT udf.lottery(a) AS a FROM x") == []


AZURE = {
    "SELECT a INTO o FROM (SELECT a FROM x) s": ["a SELECT inside of FROM"],
    "SELECT udf.score(a) AS a INTO o FROM x": ["functions in Python"],
    "SELECT DATEADD(hours, 1, t) AS t INTO o FROM x": ["time units in the plural"],
    "SELECT a INTO o FROM x CROSS APPLY udf.rows(a) AS r": [
        "APPLY of a function",
        "functions in Python",
    ],
    "SELECT uda.total(a) AS a, uda.most(a) AS m INTO o FROM x GROUP BY TumblingWindow(hour, 1)": [
        "aggregates in Python",
        "the end of the input",
    ],
    "SELECT a FROM x": ["without INTO rows go to `output`"],
    "SELECT a INTO o FROM x TIMESTAMP BY t": ["no event is late or out of order"],
    "SELECT a INTO o FROM x PARTITION BY a INTO 4": ["INTO after PARTITION BY"],
    "SELECT a INTO o FROM x WHERE a LIKE 'a%'": ["texts compare by character"],
    "SELECT COUNT(*) AS n INTO o FROM x GROUP BY TumblingWindow(hour, 1)": ["the end of the input"],
    "SELECT ST_DISTANCE(a, b) AS d INTO o FROM x": ["geospatial functions"],
    "SELECT AnomalyDetection_SpikeAndDip(a, 95, 120, 'spikesanddips') OVER "
    "(LIMIT DURATION(hour, 1)) AS s INTO o FROM x": ["anomaly detection"],
    "SELECT * INTO o FROM x MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) MEASURES LAST(A.a) AS a "
    "AFTER MATCH SKIP TO NEXT ROW PATTERN (A{2}) DEFINE A AS A.a > 1) AS m": [
        "the end of the input",
        "the quantifiers",
    ],
    "WITH s AS (SELECT a FROM x) SELECT a INTO o FROM s UNION SELECT a FROM s": [],
}

MOST = """
function main() {
  this.init = function () { this.most = null; };
  this.accumulate = function (value) { if (!(value < this.most)) this.most = value; };
  this.computeResult = function () { return this.most; };
}
"""


class Total:
    """An aggregate in Python."""

    def init(self):
        self.sum = 0

    def accumulate(self, value):
        self.sum += value

    def result(self):
        return self.sum


@pytest.mark.parametrize("query", AZURE)
def test_what_azure_does_not_have_is_told_for_that_target(query):
    with streamql.Engine() as engine:
        engine.function(lambda a: a, name="score")
        engine.table_function(lambda a: [{"b": a}], name="rows")
        engine.aggregate(Total, name="total")
        engine.javascript("most", MOST)
        plain = check(query, engine.environment(), Settings())
        found = check(query, engine.environment(), Settings(), azure=True)
    told = [d.message.split(": ", 1)[1] for d in found if d.code.startswith("azure")]
    assert plain == []
    assert len(told) == len(AZURE[query])
    assert all(t.startswith(e) for t, e in zip(sorted(told), sorted(AZURE[query]), strict=True))


def test_each_row_of_the_table_of_azure_is_tried():
    tried = [e for expected in AZURE.values() for e in expected]
    for row in DIFFERENCES:
        assert any(row.message.startswith(e) for e in tried), row.message


WORDS = re.compile(r"'[^']*'|\w+|\s+|[^\w\s]")
LANGUAGE = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "language.md").read_text(), re.DOTALL)
INTRUDERS = [
    *("(", ")", ";", "'", '"', "[", "/*", "NULL", "x.y", "foo(", "COUNT(*)", "LAG(a)", "udf.f("),
    *("SELECT ", "\nSELECT ", "WITH", "AS", "UNION", "JOIN", "INTO o"),
]


def broken(rng):
    """An example of the language page with some of its words gone, moved or replaced."""
    words = WORDS.findall(rng.choice(LANGUAGE))
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(words))
        words[at : at + rng.randint(0, 1)] = rng.choice(
            [[], [rng.choice(words)], [rng.choice(INTRUDERS)]]
        )
    return "".join(words)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_wrong_is_told_and_nothing_else(engine, seed):
    """A check finds an error exactly where compiling finds one, and every place is in the text."""
    rng = random.Random(seed)
    for _ in range(100):
        text = broken(rng)
        found = check(text, engine.environment(), Settings(), checkpoints=True, azure=True)
        for one in found:
            assert one.span is None or 0 <= one.span.start <= one.span.end <= len(text)
        assert any(d.severity == "error" for d in found) == (not compiles(text, engine)), text


def compiles(text, engine):
    try:
        script = parse(text)
        optimize(bind_script(script, with_open_inputs(script, engine.environment())[0]))
    except CompileError:
        return False
    return True


def run(*arguments, stdin=None):
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


def test_exit_codes(tmp_path):
    good, doubtful, bad = (tmp_path / f"{n}.sql" for n in ("good", "doubtful", "bad"))
    good.write_text("SELECT a FROM x")
    doubtful.write_text("SELECT a FROM x WHERE a = NULL")
    bad.write_text("SELECT foo(a) FROM x")
    assert run(str(good), str(doubtful)).exit_code == 0
    assert run(str(good), "--strict").exit_code == 0
    assert run(str(doubtful), "--strict").exit_code == 1
    assert run(str(good), str(bad)).exit_code == 1
    assert run(str(tmp_path / "none.sql")).exit_code == 2
    assert run().exit_code == 2


def test_json_is_for_editors(tmp_path):
    file = tmp_path / "q.sql"
    file.write_bytes(b"\xef\xbb\xbfSELECT a,\r\n  foo(b) AS b\r\nFROM x WHERE c = NULL\r\n")
    result = run(str(file), "--json")
    assert json.loads(result.stdout) == [
        {
            "file": str(file), "line": 2, "column": 3, "end_line": 2, "end_column": 9,
            "severity": "error", "code": "bind", "message": "unknown function foo",
            "hint": "did you mean FLOOR?",
        },
        {
            "file": str(file), "line": 3, "column": 14, "end_line": 3, "end_column": 22,
            "severity": "warning", "code": "compare-with-null",
            "message": "a comparison with NULL is never true", "hint": "write IS NULL",
        },
    ]  # fmt: skip


def test_a_folder_stands_for_its_queries(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "one.sql").write_text("SELECT foo(a) FROM x")
    (tmp_path / "deep" / "two.asaql").write_text("SELECT bar(a) FROM x")
    (tmp_path / "other.txt").write_text("no query")
    result = run(str(tmp_path))
    assert "foo" in result.stdout
    assert "bar" in result.stdout
    assert "2 errors in 2 queries" in result.stderr
    (tmp_path / "empty").mkdir()
    assert "no queries in" in run(str(tmp_path / "empty")).stderr


def test_a_project_is_checked_with_what_is_its_own(tmp_path):
    (tmp_path / "plain.sql").write_text("SELECT foo(a) FROM x")
    result = run(str(tmp_path / "plain.sql"), str(ROOT / "samples" / "azure-project"))
    assert "unknown function foo" in result.stdout
    assert "1 error in 2 queries" in result.stderr


def test_a_path_may_be_written_as_on_windows(tmp_path, monkeypatch):
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "one.sql").write_text("SELECT foo(a) FROM x")
    monkeypatch.chdir(tmp_path)
    result = run("queries\\one.sql")
    assert result.exit_code == 1
    assert "queries\\one.sql:1:8: error" in result.stdout


@pytest.mark.parametrize("text", ["", "   \n", "-- only words\n", "/* no end", "\ufeff"])
def test_an_empty_query_is_one_error(text):
    result = run("-", stdin=text)
    assert result.exit_code == 1
    assert "1 error in 1 query" in result.stderr


def test_the_first_events_tell_which_columns_hold_times(tmp_path):
    file = tmp_path / "rides.jsonl"
    file.write_text('{"id": 1, "at": "2024-05-01T00:00:00Z"}\n{"id": 2, "at": null}\n')
    query = "SELECT COUNT(*) AS n FROM rides GROUP BY TumblingWindow(minute, 1)"
    for given in (f"rides={file}", str(file)):
        result = run("-q", query, "--input", given)
        assert "its column at holds a time" in result.stdout
    assert run("-q", query).stdout == ""


def test_a_long_line_is_cut_to_the_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    query = "SELECT " + ", ".join(f"column{n}" for n in range(50)) + ", foo(a) AS z, b FROM x"
    lines = run("-q", query).stdout.split("\n")
    assert max(map(len, lines[1:3])) <= 40
    at = lines[2].index("^")
    assert lines[1][at : at + 6] == "foo(a)"


def test_one_slip_is_one_error():
    """Where a clause is broken, what is told of the others is not a consequence of it."""
    rng = random.Random(4)
    texts = [t for t in all_texts() if len(t) < 400]
    several = []
    for _ in range(300):
        text = rng.choice(texts)
        at = rng.choice([m.start() for m in re.finditer(r"\S+", text)])
        broken = text[:at] + rng.choice(["== ", "foo bar ", ", , "]) + text[at:]
        errors = parse_all(broken).errors
        if len(errors) > 1:
            several.append((broken, [e.message for e in errors]))
    assert len(several) <= 3, several
