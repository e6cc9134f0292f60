"""Jobs that would hold too much stop with a word about what holds most, before the system ends them."""

from __future__ import annotations

import itertools
import sys
import threading
import types

import numpy as np
import pyarrow as pa
import pytest

from streamql import Engine
from streamql.batch import Batch
from streamql.column import Column
from streamql.errors import RunError, UsageError, render
from streamql.grouping.keys import KeyTable
from streamql.instants import parse_one
from streamql.rows import ColumnRows
from streamql.runtime.held import Held, size_of
from streamql.runtime.limits import Limits, OutOfMemory, limit_of
from streamql.settings import Settings
from streamql.types import Type

BLOCK = 20_000
START = parse_one("2026-01-01T00:00:00Z") // 10_000_000


def blocks(step=1, *, keys=True):
    """Yield tables without end: seconds that go on by `step` from row to row, and ever new keys."""
    for number in itertools.count():
        first = number * BLOCK
        ids = np.arange(first, first + BLOCK)
        seconds = (START + ids * step).astype("datetime64[s]").astype("datetime64[us]")
        yield pa.table(
            {
                "k": [f"key {i}" for i in ids] if keys else ["one"] * BLOCK,
                "t": pa.array(seconds),
                "v": pa.array(ids),
            }
        )


EXPLOSIONS = {
    "ever new keys in one window": (
        "SELECT k, COUNT(*) AS n INTO o FROM a TIMESTAMP BY t GROUP BY k, TumblingWindow(day, 7)",
        {"out_of_order": "1s"},
        "GROUP BY TumblingWindow",
        "shorter windows",
    ),
    "a window that keeps its rows": (
        "SELECT PERCENTILE_CONT(0.5) OVER (ORDER BY v) AS p INTO o FROM a TIMESTAMP BY t "
        "GROUP BY HoppingWindow(day, 7, 1)",
        {"out_of_order": "1s"},
        "GROUP BY HoppingWindow",
        "shorter windows",
    ),
    "a session that does not end": (
        "SELECT COUNT(*) AS n INTO o FROM a TIMESTAMP BY t GROUP BY SessionWindow(day, 1, 7)",
        {"out_of_order": "1s"},
        "GROUP BY SessionWindow",
        "shorter windows",
    ),
    "a join over a week": (
        "SELECT a.v INTO o FROM a TIMESTAMP BY t JOIN b TIMESTAMP BY t "
        "ON a.k = b.k AND DATEDIFF(day, a, b) BETWEEN 0 AND 7",
        {"out_of_order": "1s"},
        "JOIN b",
        "a narrower DATEDIFF",
    ),
    "events that wait for older ones": (
        "SELECT k, LAG(v) OVER (LIMIT DURATION(second, 1)) AS w INTO o FROM a TIMESTAMP BY t",
        {"out_of_order": "7d"},
        "TIMESTAMP BY of a",
        "events wait until nothing older can come",
    ),
    "the past of a week": (
        "SELECT SUM(v) OVER (PARTITION BY k LIMIT DURATION(day, 7)) AS s INTO o "
        "FROM a TIMESTAMP BY t",
        {"out_of_order": "1s"},
        "OVER (...)",
        "a shorter LIMIT DURATION",
    ),
}


@pytest.mark.parametrize("name", EXPLOSIONS)
def test_a_job_stops_when_its_operators_hold_too_much(name, tmp_path):
    query, settings, clause, advice = EXPLOSIONS[name]
    engine = Engine(max_state="5MB", **settings)
    engine.register("a", blocks())
    engine.register("b", blocks())
    job = engine.job(query, default_output=str(tmp_path / "o.jsonl"))
    with pytest.raises(RunError, match=r"more than max_state \(5MB\)") as caught:
        job.run()
    error = caught.value
    assert f"most in {clause}: " in error.message
    assert " rows" in error.message or " keys" in error.message
    assert error.hint.startswith(advice)
    assert error.hint.endswith("--set max_state=SIZE allows more")
    assert error.exit_code == 3


def test_the_message_shows_the_place_in_the_query(tmp_path):
    query, settings, *_ = EXPLOSIONS["ever new keys in one window"]
    engine = Engine(max_state="5MB", **settings)
    engine.register("a", blocks())
    with pytest.raises(RunError) as caught:
        engine.sql(query).arrow()
    assert "COUNT(*)" in render(caught.value, query)


def test_what_operators_hold_is_shown(tmp_path):
    query, settings, *_ = EXPLOSIONS["a window that keeps its rows"]
    engine = Engine(**settings)
    seen, told = [], threading.Event()

    def some():
        yield from itertools.islice(blocks(), 3)
        assert told.wait(30)

    engine.register("a", some())

    def look(_status):
        found = {
            metric.name: dict(metric.values)[(("operator", "group by hopping"),)]
            for metric in views[0].metrics()
            if metric.name.startswith("streamql_state_") and metric.values
        }
        if found.get("streamql_state_rows", 0) > 2 * BLOCK:
            seen.append(found)
            told.set()

    views = []
    engine.job(query, default_output=str(tmp_path / "o.jsonl")).run(look, views.append)
    assert seen[0]["streamql_state_bytes"] >= 2 * BLOCK * 8
    assert seen[0]["streamql_state_keys"] == 1


# -- measuring ------------------------------------------------------------------------------


def test_a_slice_keeps_all_of_its_buffer_and_shared_buffers_count_once():
    numbers = pa.array(np.arange(1_000))
    assert size_of([numbers.slice(0, 1), numbers.slice(5, 1)]) == pytest.approx(8_000, abs=200)
    array = np.zeros(1_000)
    assert size_of([array[:1], array[5:]]) == pytest.approx(8_000, abs=200)


def test_long_lists_and_dictionaries_are_estimated_by_some_entries():
    texts = [f"{i:0100d}" for i in range(10_000)]
    real = sum(sys.getsizeof(text) for text in texts)
    assert size_of(texts) == pytest.approx(real + 80_000, rel=0.05)
    table = dict.fromkeys(texts)
    assert size_of(table) == pytest.approx(real + sys.getsizeof(table), rel=0.05)


def test_keys_and_batches_are_measured_with_what_they_hold():
    table = KeyTable(1)
    column = Column(Type.TEXT, pa.array([f"key {i}" for i in range(10_000)]))
    table.codes([column], 10_000)
    assert size_of(table) > 10_000 * 50
    rows = ColumnRows({"a": column}, 10_000)
    batch = Batch({"": rows}, np.zeros(10_000, np.int64), np.zeros(10_000, np.int64))
    assert size_of(batch) > 160_000 + column.values.nbytes


# -- limits ---------------------------------------------------------------------------------


class Holding:
    def __init__(self, *parts, rows=0):
        self.parts = parts
        self.rows = rows
        self.asked = 0

    def held(self):
        self.asked += 1
        return Held(self.rows, 0, self.parts)


def node(operator):
    return types.SimpleNamespace(operator=operator, plan=None)


def test_measuring_takes_one_part_in_a_hundred_of_the_time():
    ticks = itertools.count(step=0.001)  # each look at the clock takes a millisecond
    operator = Holding(bytes(10))
    limits = Limits({"a": node(operator)}, 10**6, seconds=lambda: next(ticks))
    for _ in range(1_000):
        limits.check()
    assert 5 <= operator.asked <= 12


def test_without_a_limit_and_without_anybody_who_looks_nothing_is_measured():
    operator = Holding(bytes(10))
    limits = Limits({"a": node(operator)})
    limits.check()
    assert operator.asked == 0


def test_a_pipeline_that_does_not_end_its_batch_is_stopped_where_it_is():
    limits = Limits({}, max_memory=1_000, resident=lambda: 1_001)

    def go_on():
        end = threading.Event()
        while not end.wait(0.01):
            pass

    with pytest.raises(RunError, match=r"more than max_memory \(1kB\)"), limits:
        go_on()


def test_a_pipeline_that_comes_round_is_stopped_there():
    limits = Limits({"a": node(Holding(bytes(10)))}, max_memory=1_000, resident=lambda: 1_001)

    def go_round():
        end = threading.Event()
        while not end.wait(0.01):
            limits.check()

    with pytest.raises(RunError, match=r"the process takes 1 kB of memory") as caught, limits:
        go_round()
    assert caught.value.hint == "--set max_memory=SIZE allows more"


@pytest.mark.parametrize("error", [MemoryError, pa.ArrowMemoryError, OutOfMemory])
def test_what_the_system_says_about_memory_is_a_runtime_failure(error):
    with pytest.raises(RunError, match="memory"), Limits({}):
        raise error


@pytest.mark.parametrize(
    ("text", "whole", "limit"),
    [
        ("2GB", None, 2 * 10**9),
        ("50%", 8 * 10**9, 4 * 10**9),
        ("50%", None, None),
        ("off", 8 * 10**9, None),
    ],
)
def test_limits_are_sizes_or_shares(text, whole, limit):
    assert limit_of(Settings.load(flags={"max_state": text}).max_state, whole) == limit


@pytest.mark.parametrize("text", ["1", "0%", "101%", "-1GB", "much"])
def test_what_is_no_limit(text):
    with pytest.raises(UsageError, match="max_state"):
        Settings.load(flags={"max_state": text})
