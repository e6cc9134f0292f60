"""Explanations as data: tests/explanations/NAME.sql and, beside it, the text of it, NAME.txt."""

import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import validate

import streamql
from streamql.cli import main
from streamql.explain.titles import KINDS

FOLDER = Path(__file__).parent / "explanations"
QUERIES = sorted(FOLDER.glob("*.sql"))
SCHEMA = {
    "type": "object",
    "required": ["version", "steps"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": 1},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["number", "kind", "title", "reads", "line", "facts"],
                "additionalProperties": False,
                "properties": {
                    "number": {"type": "integer", "minimum": 1},
                    "kind": {"enum": sorted(KINDS.values())},
                    "title": {"type": "string"},
                    "reads": {"type": "array", "items": {"type": "integer"}},
                    "line": {"type": ["integer", "null"]},
                    "facts": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["label", "text"],
                            "additionalProperties": False,
                            "properties": {
                                "label": {"type": "string"},
                                "text": {"type": "string"},
                            },
                        },
                    },
                    "measured": {
                        "type": "object",
                        "required": [
                            "rows_in",
                            "rows_out",
                            "seconds",
                            "cpu_seconds",
                            "state_bytes",
                        ],
                        "additionalProperties": {"type": "number", "minimum": 0},
                    },
                },
            },
        },
    },
}


@pytest.fixture
def functions(tmp_path):
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "lottery.js").write_text("function lottery(a) { return Math.random() * a; }")
    model = ["--function", "score=http://127.0.0.1:9/score?code=hidden"]
    return ["--functions", str(folder), *model, "--set", "score.max_batch_count=50"]


def run(*arguments, **options):
    return CliRunner().invoke(main, ["explain", *arguments], **options)


def explained(query, functions, *arguments):
    settings = re.findall(r"^-- set (\S+)$", query.read_text(), re.MULTILINE)
    given = [part for setting in settings for part in ("--set", setting)]
    return run(str(query), *given, *functions, *arguments)


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_a_plan_is_told_step_by_step(monkeypatch, query, functions):
    monkeypatch.setenv("COLUMNS", "100")
    result = explained(query, functions)
    assert result.exit_code == 0, result.output
    assert result.stdout == query.with_suffix(".txt").read_text()


def test_all_kinds_of_steps_are_explained():
    texts = "".join(q.with_suffix(".txt").read_text() for q in QUERIES)
    shown = set(re.findall(r"^ *\d+  ([a-z]+)", texts, re.MULTILINE))
    named = {"cross": "apply", "left": "join"}
    kinds = {named.get(word, word) for word in shown} | (
        {"lookup"} if "reference" in texts else set()
    )
    assert kinds == set(KINDS.values())


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_the_text_fits_the_terminal(monkeypatch, query, functions, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for line in explained(query, functions).stdout.split("\n"):
        assert len(line) <= columns or " " not in line[24:].strip(), line


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_json_keeps_its_schema(query, functions):
    found = json.loads(explained(query, functions, "--format", "json").stdout)
    validate(found, SCHEMA)
    for step in found["steps"]:
        assert all(source < step["number"] for source in step["reads"])


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_mermaid_is_a_flowchart_of_the_same_graph(query, functions):
    steps = json.loads(explained(query, functions, "--format", "json").stdout)["steps"]
    head, *lines = explained(query, functions, "--format", "mermaid").stdout.rstrip().split("\n")
    assert head == "flowchart TD"
    boxes, edges = [], []
    for line in lines:
        if edge := re.fullmatch(r"    s(\d+) --> s(\d+)", line):
            edges.append((int(edge[1]), int(edge[2])))
            continue
        box = re.fullmatch(r'    s(\d+)(\[\("|\(\["|\[")([^"]*)("\)\]|"\]\)|"\])', line)
        assert box, line
        assert not re.search(r"[<>&`]", re.sub(r"</?b>|<br/>", "", box[3])), line
        assert not re.search(r"#(?!\d+;|quot;|lt;|gt;|amp;)", box[3]), line
        boxes.append(int(box[1]))
    assert boxes == [s["number"] for s in steps]
    assert sorted(edges) == sorted((r, s["number"]) for s in steps for r in s["reads"])


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q.stem)
def test_the_boxes_of_the_drawing_do_not_overlap(tmp_path, query, functions):
    file = tmp_path / "plan.svg"
    assert explained(query, functions, "--format", "svg", "-o", str(file)).exit_code == 0
    root = ET.fromstring(file.read_text())
    name = "{http://www.w3.org/2000/svg}"
    boxes = [
        tuple(float(box.get(side)) for side in ("x", "y", "width", "height"))
        for box in root.iterfind(f"{name}g/{name}rect")
    ]
    steps = json.loads(explained(query, functions, "--format", "json").stdout)["steps"]
    assert len(boxes) == len(steps)
    width, height = float(root.get("width")), float(root.get("height"))
    for number, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for ox, oy, ow, oh in boxes[:number]:
            assert x >= ox + ow or ox >= x + w or y >= oy + oh or oy >= y + h
    assert "http" not in file.read_text().replace("http://www.w3.org/2000/svg", "").replace(
        "http://127.0.0.1", ""
    )


@pytest.mark.parametrize("layout", ["text", "mermaid", "svg", "json"])
def test_each_example_of_the_language_page_can_be_explained(layout):
    page = (FOLDER.parents[1] / "docs" / "language.md").read_text()
    examples = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    explained = 0
    for query in examples[::4]:
        result = run("-q", query, "--format", layout)
        assert result.exit_code in (0, 2), result.output
        explained += result.exit_code == 0
    assert explained > 15


def test_statements_with_other_columns_share_an_output():
    result = run("-q", "SELECT a INTO o FROM x; SELECT b INTO o FROM y")
    assert re.search(r"columns +each statement has others", result.stdout)


@pytest.mark.parametrize("layout", ["text", "mermaid", "svg", "json"])
def test_no_secret_is_shown(functions, layout):
    query = "SELECT udf.score(a) AS s INTO o FROM x"
    target = "postgresql://me:hidden@127.0.0.1:1/db?table=t"
    result = run("-q", query, "--output", f"o={target}", "--format", layout, *functions)
    assert result.exit_code == 0, result.output
    assert "hidden" not in result.output
    assert "exactly once" in result.stdout


RIDES = [
    {"id": n, "zone": "ab"[n % 2], "fare": n, "at": f"2024-05-01T00:00:{n:02}Z"} for n in range(60)
]
RUN = """\
WITH paid AS (SELECT id, zone, fare FROM rides TIMESTAMP BY at WHERE fare >= 10)
SELECT zone, COUNT(*) AS n INTO counts FROM paid GROUP BY zone, TumblingWindow(second, 30);
SELECT id INTO ids
FROM paid
WHERE zone = 'a'
"""


@pytest.fixture
def rides(tmp_path):
    file = tmp_path / "rides.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in RIDES))
    return ["--input", f"rides={file}"]


def test_a_run_adds_the_rows_of_each_step(rides):
    result = run("-q", RUN, *rides, "--run", "--format", "json")
    found = json.loads(result.stdout)
    validate(found, SCHEMA)
    rows = [
        (s["title"], s["measured"]["rows_in"], s["measured"]["rows_out"]) for s in found["steps"]
    ]
    paid = sum(r["fare"] >= 10 for r in RIDES)
    ids = sum(r["fare"] >= 10 and r["zone"] == "a" for r in RIDES)
    told = Counter(rows)
    assert told["input rides", 60, 60] == 1
    assert told["filter", 60, paid] == 1
    assert told["filter", paid, ids] == 1
    assert told["group by tumbling 30 s", paid, 4] == 1
    assert told["output counts", 4, 4] == 1
    assert told["output ids", ids, ids] == 1
    group = next(s["measured"] for s in found["steps"] if s["kind"] == "group")
    assert group["seconds"] > 0
    assert group["state_bytes"] > 0


def test_the_query_stands_beside_the_rows_of_its_lines(rides):
    lines = run("-q", RUN, *rides, "--run").stdout.split("rows out")[1].split("\n")[1:]
    told = [line.split()[0] if line.strip()[0].isdigit() else "" for line in lines[:5]]
    assert told == ["50", "4", "25", "", "25"]


@pytest.mark.parametrize(
    ("uri", "promise"),
    [
        ("-", "at least once"),
        ("new.jsonl", "exactly once"),
        ("new.parquet", "exactly once"),
        ("/dev/null", "at least once"),
        ("sqlite:///x.db?table=t", "exactly once"),
        ("https://127.0.0.1:1/rows", "at least once"),
    ],
)
def test_the_output_decides_about_the_delivery(tmp_path, monkeypatch, uri, promise):
    monkeypatch.chdir(tmp_path)
    shown = run("-q", "SELECT a FROM x", "--output", uri).stdout
    assert re.search(rf"delivery +{promise}, with checkpoints", shown)
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_data_is_refused():
    result = run("-q", "SELECT a FROM x", "--run")
    assert result.exit_code == 2
    assert "unknown input x" in result.stderr


def test_a_broken_query_is_told_with_its_place():
    result = run("-q", "SELECT foo(a) FROM x")
    assert result.exit_code == 2
    assert "line 1, column 8" in result.stderr
    assert result.stdout == ""


def test_jobs_that_nobody_measures_are_not_wrapped(rides):
    wrapped = []
    with streamql.Engine() as engine:
        engine.register("rides", RIDES)
        engine.job(RUN, default_output="/dev/null").run(
            None,
            lambda view: wrapped.extend("on_batch" in vars(n.operator) for n in view.graph.nodes),
        )
    assert wrapped
    assert not any(wrapped)
