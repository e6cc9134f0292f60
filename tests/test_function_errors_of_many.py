"""What `on_error` makes of aggregates and table functions that fail."""

from __future__ import annotations

import json

import pytest
from checkpointed import Run, Task, events
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql import Engine
from streamql.errors import BindError, FunctionError, UsageError
from streamql.runtime.coordinator import POINTS

BAD, ODD, LATE = -1, -2, -3
"""Fail in accumulate(); give a value without a type; fail in the result."""


class Total:
    """A sum; with merge() windows keep states of it."""

    def init(self):
        self.sum = 0

    def accumulate(self, value):
        if value == BAD:
            self.sum = None
            raise ValueError("no")
        self.sum += value

    def result(self):
        if self.sum % 100 == 97:
            raise KeyError("late")
        return object() if self.sum % 100 == 98 else self.sum

    def merge(self, other):
        self.sum += other.sum


class Rows(Total):
    merge = None


JAVASCRIPT = """function main() {
  this.init = function () { this.sum = 0; };
  this.accumulate = function (v) { if (v === -1) { this.sum = {}; throw new Error('no'); } this.sum += v; };
  SLIDES
  this.computeResult = function () {
    const rest = ((this.sum % 100) + 100) % 100;
    if (rest === 97) throw new Error('late');
    return rest === 98 ? () => 1 : this.sum;
  };
}"""
SLIDES = "this.deaccumulate = function (v) { this.sum -= v; };"
KINDS = {
    "merges": lambda made: made.aggregate(Total, name="f"),
    "rows": lambda made: made.aggregate(Rows, name="f"),
    "javascript": lambda made: made.javascript("f", JAVASCRIPT.replace("SLIDES", "")),
    "sliding javascript": lambda made: made.javascript("f", JAVASCRIPT.replace("SLIDES", SLIDES)),
}
WINDOWS = {
    "tumbling": "GROUP BY k, TumblingWindow(second, 4)",
    "hopping": "GROUP BY k, HoppingWindow(second, 6, 2)",
    "sliding": "GROUP BY k, SlidingWindow(second, 3)",
    "session": "GROUP BY k, SessionWindow(second, 2, 9)",
}
POLICIES = {"null": None, "default: 7": 7, 'default: "x"': "x", "default: [1]": [1]}


def model(values, instead):
    """What the aggregate is to give for a window with these values."""
    if BAD in values or sum(values) % 100 in (97, 98):
        return instead
    return sum(values)


def stream(values):
    at = "2024-01-01T00:{:02}:{:02}Z".format
    return [
        {"k": "ab"[n % 2], "a": a, "t": at(n // 3 // 60, n // 3 % 60)} for n, a in enumerate(values)
    ]


VALUES = st.lists(st.sampled_from([BAD, 0, 1, 2, 5, 31, 66, 98, 97]), max_size=50)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(
    window=st.sampled_from(sorted(WINDOWS)),
    policy=st.sampled_from(sorted(POLICIES)),
    values=VALUES,
    rows=st.sampled_from([1, 3, 7, 65_536]),
    restart=st.booleans(),
)
def test_a_window_that_fails_has_the_value_instead(kind, window, policy, values, rows, restart):
    with Engine(function_errors=policy, batch_rows=rows) as made:
        made.restart = restart
        KINDS[kind](made)
        made.register("i", stream(values))
        query = f"SELECT COLLECT(a) AS all, uda.f(a) AS x FROM i TIMESTAMP BY t {WINDOWS[window]}"
        found = made.sql(query).fetchall()
        failed = made.functions.failed_calls({})
    wanted = [model(row["all"], POLICIES[policy]) for row in found]
    assert [row["x"] for row in found] == wanted
    count = sum(model(row["all"], "failed") == "failed" for row in found)
    assert failed == ({"uda.f": count} if count else {})


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(values=VALUES, rows=st.sampled_from([1, 5, 65_536]))
def test_over_a_duration(kind, values, rows):
    with Engine(functions={"f": {"on_error": "default: -5"}}, batch_rows=rows) as made:
        KINDS[kind](made)
        made.register("i", stream(values))
        over = "OVER (PARTITION BY k LIMIT DURATION(second, 3))"
        found = made.sql(
            f"SELECT COLLECT(a) {over} AS all, uda.f(a) {over} AS x FROM i TIMESTAMP BY t"
        ).fetchall()
    assert [row["x"] for row in found] == [model(row["all"], -5) for row in found]


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_policy_a_failure_ends_the_job(kind):
    with Engine() as made:
        KINDS[kind](made)
        made.register("i", stream([1, BAD]))
        result = made.sql("SELECT uda.f(a) AS x FROM i GROUP BY TumblingWindow(second, 4)")
        with pytest.raises(FunctionError, match="no"):
            result.fetchall()


@pytest.mark.parametrize("policy", ["skip", "dead_letter"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_cannot_be_dropped_for_an_aggregate(kind, policy, tmp_path):
    dead = {"dead_letters": str(tmp_path / "dead")}
    made = Engine(functions={"f": {"on_error": policy}}, **dead)
    with made, pytest.raises(UsageError, match="is made of many"):
        KINDS[kind](made)
    with Engine(function_errors=policy, **dead) as made:
        KINDS[kind](made)
        made.function(lambda a: a, name="g")
        made.register("i", stream([1, BAD]))
        made.sql("SELECT udf.g(a) AS x FROM i").fetchall()  # it is in nobody's way
        with pytest.raises(BindError, match=f"{policy} cannot drop a row for uda.f") as caught:
            made.sql("SELECT uda.f(a) AS x FROM i GROUP BY TumblingWindow(second, 4)")
        assert "f.on_error=null" in caught.value.hint
    with Engine(function_errors=policy, functions={"f": {"on_error": "null"}}, **dead) as made:
        KINDS[kind](made)
        made.register("i", stream([BAD]))
        found = made.sql("SELECT uda.f(a) AS x FROM i GROUP BY TumblingWindow(second, 4)")
        assert found.fetchall() == [{"x": None}]


def test_states_that_failed_are_in_the_checkpoint(tmp_path):
    task = Task(
        "SELECT key, uda.f(v) AS x, COUNT(*) AS n INTO o FROM a TIMESTAMP BY t "
        "GROUP BY key, TumblingWindow(second, 30)",
        {"a": [{**e, "v": BAD if e["id"] % 20 == 3 else e["v"]} for e in events(150)]},
        {"out_of_order": "4s", "function_errors": "default: 0"},
        functions=KINDS["merges"],
    )
    whole = Run(task, tmp_path / "whole")
    whole.run(checkpoint=False)
    wanted = whole.rows()
    values = [json.loads(line)["x"] for line in wanted["o"].splitlines()]
    assert 0 in values
    assert any(values)
    for point in POINTS:
        for number in (1, 3):
            run = Run(task, tmp_path / f"{point} {number}")
            assert run.crash(point, number)
            run.run()
            assert run.rows() == wanted


# -- table functions ------------------------------------------------------------------------------


def parts(a):
    if a == BAD:
        raise ValueError("no")
    return object() if a == ODD else [{"p": n} for n in range(a)]


def lazily(a):
    for n in range(max(a, 0)):
        yield {"p": n}
    if a < 0:
        yield {"p": 0}
        raise ValueError("no") if a == BAD else KeyError("odd")


async def slowly(a):
    return parts(a)


def named(a):
    return [(n,) for n in range(a)] if a >= 0 else parts(a)


TABLES = {
    "list": lambda made: made.table_function(parts, name="f"),
    "generator": lambda made: made.table_function(lazily, name="f"),
    "coroutine": lambda made: made.table_function(slowly, name="f"),
    "columns": lambda made: made.table_function(named, name="f", columns=["p"]),
}
ROWS = {
    "null": [],
    'default: {"p": 9}': [{"p": 9}],
    'default: [{"p": "x"}, {"p": null}]': [{"p": "x"}, {"p": None}],
    "default: []": [],
    "skip": None,
    "dead_letter": None,
}


def expanded(values, instead, outer):
    found = []
    for n, a in enumerate(values):
        if a >= 0:
            rows = [{"p": m} for m in range(a)]
        elif instead is None:
            continue
        else:
            rows = instead
        if outer and not rows:
            rows = [{"p": None}]
        found += [{"n": n, "p": row["p"]} for row in rows]
    return found


@pytest.mark.parametrize("kind", TABLES)
@settings(max_examples=30, deadline=None)
@given(
    policy=st.sampled_from(sorted(ROWS)),
    values=st.lists(st.sampled_from([BAD, ODD, 0, 1, 2, 3]), max_size=40),
    rows=st.sampled_from([1, 2, 7, 65_536]),
    outer=st.booleans(),
)
def test_a_row_that_fails_has_the_rows_instead(tmp_path_factory, kind, policy, values, rows, outer):
    dead = tmp_path_factory.mktemp("dead") / "dead.jsonl"
    with Engine(function_errors=policy, batch_rows=rows, dead_letters=str(dead)) as made:
        TABLES[kind](made)
        made.register("i", [{"n": n, "a": a} for n, a in enumerate(values)])
        how = "OUTER" if outer else "CROSS"
        result = made.sql(f"SELECT i.n, e.p FROM i {how} APPLY udf.f(i.a) AS e")
        found = result.fetchall()
        failed = made.functions.failed_calls({})
    assert found == expanded(values, ROWS[policy], outer)
    bad = [n for n, a in enumerate(values) if a < 0]
    assert failed == ({"f": len(bad)} if bad else {})
    letters = [json.loads(line) for line in dead.read_text().splitlines()] if dead.exists() else []
    if policy != "dead_letter":
        assert letters == []
        return
    assert [letter["event"] for letter in letters] == [n + 1 for n in bad]
    for letter in letters:
        assert json.loads(letter["text"]) == [values[letter["event"] - 1]]
        assert (letter["kind"], letter["function"]) == ("function", "f")
        assert letter["reason"].startswith("udf.f")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("default: 3", "takes default: ROWS for a table function, found 3"),
        ("default: [3]", r"takes default: ROWS for a table function, found \[3\]"),
        ('default: {"q": 3}', "has a row with 'q'; the columns of f are p"),
    ],
)
def test_a_default_is_made_of_rows(value, said):
    made = Engine(functions={"f": {"on_error": value}})
    with made, pytest.raises(UsageError, match=said):
        TABLES["columns"](made)


def test_settings_of_files(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "class Total:\n"
        "    def init(self): self.s = 0\n"
        "    def accumulate(self, v): self.s += 1 // v\n"
        "    def result(self): return self.s\n"
        "def parts(a):\n    yield {'p': 1 // a}\n"
    )
    given = {"t": {"on_error": "default: 0"}, "p": {"on_error": "null"}}
    with Engine(functions=given) as made:
        made.function_from("t", f"{file}:Total")
        made.function_from("p", f"{file}:parts")
        made.register("i", [{"a": 0, "k": 1}, {"a": 1, "k": 2}])
        out = tmp_path / "o.jsonl"
        query = "SELECT k, uda.t(a) AS x INTO o FROM i GROUP BY k, TumblingWindow(hour, 1)"
        summary = made.job(query, outputs={"o": str(out)}).run()
        assert out.read_text() == '{"k":1,"x":0}\n{"k":2,"x":1}\n'
        assert "1 call of uda.t failed: on_error decided" in summary.sentences()
        rows = made.sql("SELECT i.k, e.p FROM i CROSS APPLY udf.p(i.a) AS e").fetchall()
        assert rows == [{"k": 2, "p": 1}]
