"""What `function_errors` and `on_error` make of rows for which user functions fail."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql import Engine
from streamql.errors import BindError, FunctionError, UsageError

BAD, ODD = -1, -2
JAVASCRIPT = f"""function main(a) {{
  if (a === {BAD}) throw new Error('no');
  return a === {ODD} ? () => 1 : a + 1;
}}"""
KINDS = ("javascript", "volatile javascript", "python", "vectorized", "coroutine")
GONE = object()
POLICIES = {"null": None, "default: 7": 7, 'default: "x"': "x", "skip": GONE, "dead_letter": GONE}


def plain(a):
    if a == BAD:
        raise ValueError("no")
    return object() if a == ODD else a + 1


async def coroutine(a):
    return plain(a)


def vectorized(values):
    return [plain(value) for value in values.to_pylist()]


def engine(kind, **options):
    made = Engine(**options)
    if kind == "javascript":
        made.javascript("f", JAVASCRIPT)
    elif kind == "volatile javascript":
        made.javascript("f", JAVASCRIPT.replace("{", "{ Math.random();", 1))
    elif kind == "python":
        made.function(plain, name="f")
    elif kind == "coroutine":
        made.function(coroutine, name="f")
    else:
        made.function(vectorized, name="f", vectorized=True)
    return made


def f(a, instead):
    """Model of a call: Python's ValueError stands for a row that leaves."""
    if a not in (BAD, ODD):
        return a + 1
    if instead is GONE:
        raise ValueError
    return instead


# a query, and what it gives for an event: a row, or None where WHERE leaves it out
QUERIES = {
    "select": ("SELECT a, udf.f(a) AS x FROM i", lambda a, d: {"a": a, "x": f(a, d)}),
    "two calls": (
        "SELECT a, udf.f(a) AS x, udf.f(b) AS y FROM i",
        lambda a, d: {"a": a, "x": f(a, d), "y": f(9 - a, d)},
    ),
    "where": (
        "SELECT a FROM i WHERE udf.f(a) IS NOT NULL",
        lambda a, d: {"a": a} if f(a, d) is not None else None,
    ),
    "guarded": (
        "SELECT a FROM i WHERE a > -2 AND udf.f(a) IS NOT NULL",
        lambda a, d: {"a": a} if a > -2 and f(a, d) is not None else None,
    ),
    "case": (
        f"SELECT a, CASE WHEN a = {BAD} THEN 0 ELSE udf.f(a) END AS x FROM i",
        lambda a, d: {"a": a, "x": 0 if a == BAD else f(a, d)},
    ),
    "constant": (
        f"SELECT a, CASE WHEN a > 4 THEN udf.f({BAD}) ELSE 1 END AS x FROM i",
        lambda a, d: {"a": a, "x": f(BAD, d) if a > 4 else 1},
    ),
    "nested": (
        "SELECT a, udf.f(udf.f(a) - 2) AS x FROM i WHERE a >= 0",
        lambda a, d: {"a": a, "x": f(f(a, d) - 2, d)} if a >= 0 else None,
    ),
}


def expected(name, values, instead):
    _, row = QUERIES[name]
    found = []
    for a in values:
        try:
            found.append(row(a, instead))
        except ValueError:
            continue
    return [one for one in found if one is not None]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(QUERIES)),
    policy=st.sampled_from(sorted(POLICIES)),
    values=st.lists(st.sampled_from([BAD, ODD, 0, 1, 2, 3, 5, 9, 10, 11]), max_size=60),
    rows=st.sampled_from([1, 2, 3, 7, 16, 65_536]),
)
def test_results_do_not_depend_on_how_rows_were_batched(
    tmp_path_factory, kind, name, policy, values, rows
):
    dead = tmp_path_factory.mktemp("dead") / "dead.jsonl"
    options = {"function_errors": policy, "batch_rows": rows, "dead_letters": str(dead)}
    with engine(kind, **options) as made:
        made.register("i", [{"a": a, "b": 9 - a} for a in values])
        got = made.sql(QUERIES[name][0]).fetchall()
    wanted = expected(name, values, POLICIES[policy])
    assert got == wanted
    letters = dead.read_text().splitlines() if dead.exists() else []
    if policy == "dead_letter" and name in ("select", "two calls", "case", "constant", "nested"):
        reached = [a for a in values if a >= 0] if name == "nested" else values
        assert len(letters) == len(reached) - len(wanted)
    elif policy != "dead_letter":
        assert letters == []


@pytest.mark.parametrize("bad", [0, 1, 10, 1_000])
def test_few_calls_are_made_around_the_rows_that_fail(bad):
    calls = []

    def counted(values):
        calls.append(len(values))
        return vectorized(values)

    count = 20_000
    fails = {place * (count // bad) for place in range(bad)} if bad else set()
    with Engine(function_errors="null") as made:
        made.function(counted, name="f", vectorized=True)
        made.register("i", [{"a": BAD if n in fails else n} for n in range(count)])
        rows = made.sql("SELECT udf.f(a) AS x FROM i").fetchall()
    assert [n for n, row in enumerate(rows) if row["x"] is None] == sorted(fails)
    if not bad:
        assert calls == [count]
    # what finds the row at fault in a batch of arrays halves it, and so do the pieces after it
    assert len(calls) <= 1 + bad * 3 * count.bit_length()


def test_a_dead_letter_tells_the_call(tmp_path):
    dead = tmp_path / "dead.jsonl"
    (tmp_path / "i.jsonl").write_text('{"a":1}\n{"a":-1}\n{"a":-2}\n')
    with engine("javascript", function_errors="dead_letter", dead_letters=str(dead)) as made:
        made.register("i", str(tmp_path / "i.jsonl"))
        out = str(tmp_path / "o.jsonl")
        summary = made.job("SELECT udf.f(a) AS x INTO o FROM i", outputs={"o": out}).run()
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    assert all(letter.pop("time").endswith("Z") for letter in letters)
    assert letters == [
        {
            "kind": "function",
            "function": "f",
            "event": event,
            "reason": reason,
            "text": text,
        }
        for event, reason, text in [
            (2, "udf.f: Error: no", "[-1]"),
            (3, letters[1]["reason"], "[-2]"),
        ]
    ]
    assert letters[1]["reason"].endswith("which has no SQL type")
    assert summary.failed_calls == {"f": 2}
    assert "2 calls of udf.f failed: on_error decided" in summary.sentences()
    assert summary.accounts()["i"].missing == 0
    assert summary.figures()["failed_calls"] == 2


def test_a_function_has_a_policy_of_its_own():
    own = {"functions": {"f": {"on_error": "default: 5"}}}
    with engine("javascript", function_errors="null", **own) as made:
        made.javascript("g", JAVASCRIPT)
        made.register("i", [{"a": BAD}])
        assert made.sql("SELECT udf.f(a) AS x, udf.g(a) AS y FROM i").fetchall() == [
            {"x": 5, "y": None}
        ]
    with engine("python", function_errors="null", functions={"f": {"on_error": "fail"}}) as made:
        made.register("i", [{"a": BAD}])
        with pytest.raises(FunctionError, match="ValueError"):
            made.sql("SELECT udf.f(a) AS x FROM i").fetchall()


LOOP = "function main(a) { while (a === -1); return a; }"


def test_a_row_that_runs_out_of_time_by_itself_is_to_blame():
    with Engine(function_errors="null", js_timeout="300ms") as made:
        made.javascript("f", LOOP)
        made.register("i", [{"a": a} for a in (1, 2, BAD, 3)])
        rows = made.sql("SELECT udf.f(a) AS x FROM i").fetchall()
    assert [row["x"] for row in rows] == [1, 2, None, 3]


def test_a_batch_that_runs_out_of_time_without_a_row_to_blame_ends_the_job():
    # the second call in a row is the one that never ends: alone no row does
    looping = "let n = 0; function main(a) { n += 1; while (n === 2); return a; }"
    with Engine(function_errors="null", js_timeout="300ms") as made:
        made.javascript("f", looping)
        made.register("i", [{"a": 1}, {"a": 2}, {"a": 3}])
        with pytest.raises(FunctionError, match=r"no end after 0\.3 s") as caught:
            made.sql("SELECT udf.f(a) AS x FROM i").fetchall()
    assert caught.value.event == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT i.a FROM i JOIN i j ON DATEDIFF(second, i, j) BETWEEN 0 AND 1 "
            "AND udf.f(j.a) = 1",
            "a function cannot stand in ON when its on_error drops rows",
        ),
    ],
)
def test_rows_cannot_be_dropped_everywhere(query, message):
    with engine("javascript", function_errors="skip") as made:
        made.register("i", [{"a": 1}])
        with pytest.raises(BindError, match=message):
            made.sql(query).fetchall()


def test_policies_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="function_errors takes fail, null"):
        Engine(function_errors="ignore")
    with pytest.raises(UsageError, match="needs a place for the dead letters"):
        Engine(function_errors="dead_letter")
    for value, message in (("ignore", "f.on_error takes"), ("dead_letter", "needs a place")):
        with pytest.raises(UsageError, match=message):
            engine("javascript", functions={"f": {"on_error": value}})


SCORE = """import json
def init(): pass
def run(data):
    if any(row == -1 for row in json.loads(data)["data"]): raise ValueError("no")
    return [1 for row in json.loads(data)["data"]]
"""


def test_the_policy_of_the_job_holds_for_models_without_their_own(tmp_path):
    script = tmp_path / "score.py"
    script.write_text(SCORE)
    for own, instead in ({}, 7), ({"on_error": "null"}, None):
        with Engine(function_errors="default: 7") as made:
            made.model("m", str(script), **own)
            made.register("i", [{"a": 1}, {"a": BAD}, {"a": 2}])
            rows = made.sql("SELECT udf.m(a) AS x FROM i").fetchall()
        assert [row["x"] for row in rows] == [1, instead, 1]
