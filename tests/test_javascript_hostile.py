"""Files that change what is built in: they break themselves at most, and nothing of what carries
their values in and out. Each gives what the language makes of it, or an error of its own."""

import json

import pytest
from click.testing import CliRunner

from streamql.cli import main
from streamql.engine import Engine
from streamql.errors import CompileError

EACH = """
for (let keys = Reflect.ownKeys(OF), i = 0; i < keys.length; i++) {
  try { if (typeof OF[keys[i]] === 'function' && keys[i] !== 'constructor') WHAT; } catch {}
}
"""


def all_of(owner, by="function () { return 7; }"):
    return EACH.replace("WHAT", f"OF[keys[i]] = {by}").replace("OF", owner)


def setter(owner, key):
    return (
        f"Object.defineProperty({owner}, '{key}', {{ __proto__: null, configurable: true, get() {{ return 'x'; }}, "
        "set() { throw new Error('set'); } });"
    )


TO_JSON = "{}.prototype.toJSON = function () {{ return {}; }};"
PROXY = (
    "new Proxy({}, { get() { throw new Error('get'); }, has() { throw 1; }, set() { throw 2; } })"
)
HARMLESS = [
    *(TO_JSON.format("Array", value) for value in ("5", "'x'", "null", "undefined", "({})")),
    *(TO_JSON.format(kind, "5") for kind in ("String", "Number", "Boolean", "Error", "Function")),
    *(all_of(f"{kind}.prototype") for kind in ("Array", "String", "Number", "Function", "RegExp")),
    *(all_of(kind) for kind in ("Array", "Object", "JSON", "Reflect", "String", "Date", "BigInt")),
    all_of("Array.prototype", "function () { throw new Error('no'); }"),
    all_of("Object.getPrototypeOf(Int32Array).prototype"),
    EACH.replace("WHAT", "delete OF[keys[i]]").replace("OF", "Array.prototype"),
    "delete Array.prototype[Symbol.iterator]; delete String.prototype[Symbol.iterator];",
    *(setter("Array.prototype", key) for key in ("0", "1", "2")),
    *(setter("Object.prototype", key) for key in ("0", "functions", "message", "get", "value")),
    "Object.prototype.get = 1; Object.prototype.set = 2;",
    f"Object.setPrototypeOf(Array.prototype, {PROXY});",
    f"Object.setPrototypeOf(Function.prototype, {PROXY});",
    "Object.setPrototypeOf(Array.prototype, null);",
    "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis);",
    EACH.replace("WHAT", "delete OF[keys[i]]").replace("OF", "globalThis"),
]
"""None of this has a part in what the functions below do."""

PAIR = "function pair(a, b, at) { return { first: a, second: b, at: at.d }; }"
COUNT = """
function main() {
  this.init = function () { this.count = 0; };
  this.accumulate = function (value, timestamp) { this.count += 1; };
  this.computeResult = function () { return { count: this.count }; };
}
"""
QUERY = """
WITH s AS (SELECT a, b, CAST('2024-05-06T00:00:00Z' AS datetime) AS d FROM input)
SELECT udf.pair(a, b, s) AS p FROM s;
"""
COUNTED = "SELECT uda.counted(a) AS c FROM input GROUP BY TumblingWindow(second, 5)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "functions").mkdir()
    (tmp_path / "rows.jsonl").write_text('{"a":"x","b":"y"}\n')
    return tmp_path


@pytest.mark.parametrize("source", HARMLESS)
@pytest.mark.parametrize("helper", [False, True])
def test_what_changes_the_built_in_does_not_reach_what_carries_values(folder, source, helper):
    before = "" if helper else source
    (folder / "functions" / "_lib.js").write_text(source if helper else "")
    (folder / "functions" / "pair.js").write_text(f"{before}\n{PAIR}")
    (folder / "functions" / "counted.js").write_text(f"{before}\n{COUNT}")
    with Engine() as engine:
        engine.register("input", [{"a": "x", "b": "y"}, {"a": None, "b": "é"}])
        engine.functions_from(folder / "functions")
        pairs = [row["p"] for row in engine.sql(QUERY).fetchall()]
        assert [(p["first"], p["second"], p["at"].year) for p in pairs] == [
            ("x", "y", 2024),
            (None, "é", 2024),
        ]
        assert engine.sql(COUNTED).fetchall() == [{"c": {"count": 2}}]


@pytest.mark.parametrize("source", HARMLESS)
def test_another_file_with_a_mistake_is_told_with_its_place(source):
    with Engine() as engine:
        engine.javascript("pair", f"{source}\n{PAIR}")
        with pytest.raises(CompileError) as caught:
            engine.javascript("other", "function other(a) {\n  return 5 +;\n}")
    assert "other.js, line 2, column 13: SyntaxError: Unexpected token ';'" in str(caught.value)


OWN_DOING = [
    # what a record becomes is what JSON says of it, and JSON asks toJSON
    ("Object.prototype.toJSON = function () { return 5; };", '{"v":5}'),
    ("Date.prototype.toJSON = function () { return 'now'; };", '{"v":{"a":1,"d":"now"}}'),
]
REFUSED = [
    ("Object.prototype.toJSON = function () { return undefined; };", "toJSON gives nothing"),
    ("Object.prototype.toJSON = function () { throw 'no'; };", 'threw the text "no"'),
]
RECORD = "function f(x) { return { a: x, d: new Date(0) }; }"
ROW = '{"a":1}\n'


def run(*arguments, stdin=None):
    done = CliRunner().invoke(main, list(arguments), input=stdin, catch_exceptions=False)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("source", "found"), [*OWN_DOING, *REFUSED], ids=[s for s, _ in (*OWN_DOING, *REFUSED)]
)
def test_every_command_works_or_says_what_is_wrong(folder, source, found):
    good = (source, found) in OWN_DOING
    query = "SELECT udf.f(a) AS v FROM input"
    (folder / "functions" / "_lib.js").write_text(source)
    (folder / "functions" / "f.js").write_text(RECORD)
    (folder / "rows.jsonl").write_text(ROW)
    flags = ("--input", "rows.jsonl", "--functions", "functions")
    code, said = run("run", "-q", query, *flags, "--output", "out.jsonl")
    said += (folder / "out.jsonl").read_text()
    assert (code, found in said) == (0 if good else 3, True), said
    code, said = run("check", "-q", query, *flags)
    assert code == 0, said
    code, said = run("functions", "test", "f", "--args", "[1]")
    assert (code, ("udf.f" in said) != good) == (0 if good else 3, True), said
    code, said = run("repl", *flags, stdin=f"{query};")
    assert (code, ("udf.f:" in said or "udf.f returned" in said) != good) == (
        0 if good else 3,
        True,
    ), said
    case = folder / "cases" / "one"
    (case / "inputs").mkdir(parents=True)
    (case / "expected").mkdir()
    (case / "query.sql").write_text(query)
    (case / "inputs" / "input.jsonl").write_text(ROW)
    (case / "expected" / "output.jsonl").write_text(found if good else "")
    (case / "case.json").write_text(
        json.dumps({"functions": {"f": "f.js"}} | ({} if good else {"expect_error": "runtime"}))
    )
    (case / "f.js").write_text(f"{source}\n{RECORD}")
    code, said = run("test", "cases")
    assert code == 0, said
