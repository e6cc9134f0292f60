"""Deterministic JavaScript: time is that of the event, and chance does not depend on batches."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from streamql.engine import Engine

START = datetime(2024, 3, 5, 8, tzinfo=UTC)

BOUND = """function r(x) {
  var formats = new Intl.DateTimeFormat('en', { timeZone: 'UTC' });
  var now = new Date();
  return {
    chance: [Math.random(), Math.random()], now, later: Date.now() - now,
    same: [Date() === now.toString(), now instanceof Date, now.constructor === Date,
      new Date(2000, 1).getFullYear(), new Date(5).getTime(), Date.UTC(1970, 0), Date.length,
      class extends Date {}.name, new (class extends Date {})().getTime() === now.getTime()],
    day: formats.format(), parts: formats.formatToParts().length,
    instant: Temporal.Now.instant().epochMilliseconds - now,
    iso: Temporal.Now.plainDateTimeISO().toString(),
  };
}"""


def events(count):
    return [{"t": START + timedelta(seconds=i // 2), "x": i} for i in range(count)]


def results(cut, query, source=BOUND, count=60):
    with Engine(js_deterministic=True) as engine:
        engine.javascript("r", source)
        engine.cut = iter(cut) if cut else None
        engine.register("input", events(count))
        return engine.sql(query).fetchall()


def test_time_is_that_of_the_event_and_chance_does_not_depend_on_batches():
    query = "SELECT udf.r(x) AS r, x FROM input TIMESTAMP BY t WHERE x > 3"
    plain = results(None, query)
    assert len(plain) == 56
    assert plain == results([1, 2, 3] * 20, query)
    for row in plain:
        found, at = row["r"], START + timedelta(seconds=row["x"] // 2)
        assert found["now"] == at
        assert (found["later"], found["instant"]) == (0, 0)
        assert found["same"] == [True, True, True, 2000, 5, 0, 7, "", True]
        assert (found["day"], found["parts"]) == ("3/5/2024", 5)
        assert found["iso"] == at.strftime("%Y-%m-%dT%H:%M:%S")
    numbers = np.array([row["r"]["chance"] for row in plain]).ravel()
    assert len(set(numbers)) == 112
    assert 0 <= numbers.min() < 0.1
    assert 0.9 < numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.15


@pytest.mark.parametrize(
    "query",
    [
        "SELECT udf.r(COUNT(*)) AS r FROM input TIMESTAMP BY t GROUP BY x % 3, SlidingWindow(second, 5)",
        "SELECT udf.r(a.x) AS r FROM input a TIMESTAMP BY t JOIN input b TIMESTAMP BY t "
        "ON DATEDIFF(second, a, b) BETWEEN 0 AND 2 AND a.x % 2 = b.x % 2",
        "SELECT CASE WHEN x % 2 = 0 THEN udf.r(x) ELSE 0 END AS r, udf.r(1) AS s FROM input TIMESTAMP BY t",
    ],
    ids=["window", "join", "case"],
)
def test_chance_behind_other_steps_does_not_depend_on_batches(query):
    source = "function r(x) { return [x, Math.random(), new Date()]; }"
    plain = results(None, query, source)
    assert len(plain) > 40
    assert plain == results([1, 2, 3] * 20, query, source)


def test_other_functions_have_other_numbers():
    draws = []
    with Engine(js_deterministic=True) as engine:
        engine.register("input", events(5))
        for name in "ab":
            engine.javascript(name, "function main() { return Math.random(); }")
            rows = engine.sql(f"SELECT udf.{name}() AS r FROM input").fetchall()
            draws += [r["r"] for r in rows]
    assert len(set(draws)) == 10


@pytest.mark.parametrize("window", ["TumblingWindow(second, 9)", "HoppingWindow(second, 9, 2)"])
def test_chance_in_aggregates_does_not_depend_on_batches(window):
    source = """function main() {
      this.made = Math.random();
      this.init = function () { this.drawn = []; };
      this.accumulate = function (v, t) { this.drawn.push([v, Math.random(), Date.now() - t]); };
      this.computeResult = function () { return [this.made, this.drawn, Math.random(), new Date()]; };
    }"""
    query = f"SELECT uda.r(x) AS r FROM input TIMESTAMP BY t GROUP BY {window}"
    plain = results(None, query, source)
    assert plain == results([1, 2, 3] * 20, query, source)
    of_value = {}
    for row in plain:
        for value, chance, late in row["r"][1]:
            assert late == 0
            assert of_value.setdefault(value, chance) == chance
    assert len(set(of_value.values())) == 60


def test_without_the_setting_time_is_now():
    source = "function r() { return [new Date(), Math.random()]; }"
    with Engine() as engine:
        engine.javascript("r", source)
        engine.register("input", events(1))
        ((at, _),) = [r["r"] for r in engine.sql("SELECT udf.r() AS r FROM input").fetchall()]
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
