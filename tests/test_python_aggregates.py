"""Aggregates and table functions in Python."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import streamql
from streamql.errors import BindError, FunctionError, UsageError
from streamql.runtime.state import from_bytes, to_bytes
from streamql.udf.python.aggregate import python_aggregate

ROWS = [{"id": i, "v": i % 7, "t": f"2024-03-05T08:00:{i % 60:02}Z"} for i in range(40)]


@pytest.fixture
def engine() -> Iterator[streamql.Engine]:
    with streamql.Engine() as made:
        made.register("input", ROWS)
        yield made


def results(engine: streamql.Engine, query: str) -> list[Any]:
    return [row["x"] for row in engine.sql(query).fetchall()]


# -- aggregates -----------------------------------------------------------------------------


class Spread:
    """Greatest minus least."""

    def init(self) -> None:
        self.seen: set[int] = set()

    def accumulate(self, value: int, factor: int = 1) -> None:
        self.seen.add(value * factor)

    def merge(self, other: Spread) -> None:
        self.seen |= other.seen

    def result(self) -> int | None:
        return max(self.seen) - min(self.seen) if self.seen else None


class Unmerged(Spread):
    merge = None  # type: ignore[assignment]


WINDOWS = [
    "TumblingWindow(second, 10)",
    "HoppingWindow(second, 10, 5)",
    "SlidingWindow(second, 5)",
    "SessionWindow(second, 2, 20)",
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("cls", [Spread, Unmerged])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_aggregates_agree_with_the_built_in_one(window: str, cls: type[Any], size: int) -> None:
    found = {}
    for name, expression in {
        "own": "uda.spread(id * 3)",
        "two": "uda.spread(id, 3)",
        "built in": "MAX(id * 3) - MIN(id * 3)",
    }.items():
        with streamql.Engine() as engine:
            engine.register("input", ROWS)
            engine.aggregate(cls, name="spread")
            engine.cut, engine.restart = iter([size] * 50), True
            found[name] = engine.sql(
                f"SELECT v, System.Timestamp() AS e, {expression} AS x "
                f"FROM input TIMESTAMP BY t GROUP BY v, {window}"
            ).fetchall()
    assert found["own"] == found["two"] == found["built in"]
    assert len(found["own"]) > 10


def test_over_and_the_time_of_events(engine: streamql.Engine) -> None:
    @engine.aggregate
    class Second:
        def init(self) -> None:
            self.at: datetime | None = None

        def accumulate(self, value: int, timestamp: datetime) -> None:
            self.at = timestamp

        def result(self) -> int:
            assert self.at is not None
            return self.at.second

    query = "SELECT uda.Second(v) OVER (LIMIT DURATION(second, 5)) AS x FROM input TIMESTAMP BY t"
    assert results(engine, query) == list(range(40))


def test_a_failing_aggregate_names_the_event_and_its_line(engine: streamql.Engine) -> None:
    @engine.aggregate
    class Bad(Spread):
        def accumulate(self, value: int, factor: int = 1) -> None:
            _ = 1 // (value - 3)

    with pytest.raises(FunctionError, match=r"uda\.Bad: ZeroDivisionError") as caught:
        results(engine, f"SELECT uda.Bad(id) AS x FROM input TIMESTAMP BY t GROUP BY {WINDOWS[0]}")
    assert caught.value.event == 4
    assert "test_python_aggregates.py, line" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([1, 2.5, "x", None, True], True),
        ({(1, "a"): {2, 3}}, True),
        (datetime(2024, 3, 5, tzinfo=UTC), True),
        (np.float64(1.5), True),
        (object(), False),
    ],
)
def test_states_in_snapshots(value: Any, kept: bool) -> None:
    class Holds(Spread):
        def accumulate(self, given: Any, factor: int = 1) -> None:
            self.held = value

        def result(self) -> Any:
            return self.held == value

    aggregate = python_aggregate("holds", Holds).make(None_signature())
    states = aggregate.accumulator()
    assert states is not None
    from streamql.column import from_values
    from streamql.grouping.ranges import Ranges

    slots = np.zeros(1, np.int64)
    states.add(slots, 1, [from_values([1])])
    if not kept:
        with pytest.raises(
            FunctionError, match="attribute held of its state holds a value of type"
        ):
            to_bytes(states.snapshot())
        return
    again = aggregate.accumulator()
    assert again is not None
    again.restore(from_bytes(to_bytes(states.snapshot())))
    assert again.result(slots, Ranges(slots, slots + 1)).to_pylist() == [True]


def None_signature() -> Any:
    from streamql.errors import Span
    from streamql.functions.aggregate import Signature
    from streamql.types import Type

    return Signature((), (Type.ANY,), (), (), False, Span(0, 1), (Span(0, 1),))


def test_classes_that_are_no_aggregates(engine: streamql.Engine) -> None:
    with pytest.raises(UsageError, match=r"uda\.C: C has no accumulate\(\)"):
        engine.aggregate(type("C", (), {"result": lambda _: 1}))
    engine.aggregate(Spread)
    with pytest.raises(BindError, match="takes"):
        engine.sql("SELECT uda.Spread(v, v, v) AS x FROM input GROUP BY TumblingWindow(second, 1)")


# -- table functions ------------------------------------------------------------------------

Point = namedtuple("Point", "word size")


@pytest.mark.parametrize(
    "make",
    [
        lambda text: [{"word": w, "size": len(w)} for w in text.split()],
        lambda text: [Point(w, len(w)) for w in text.split()],
        lambda text: ({"word": w, "size": len(w)} for w in text.split()),
    ],
)
@pytest.mark.parametrize("size", [1, 100])
def test_table_functions_make_rows(make: Any, size: int) -> None:
    with streamql.Engine() as engine:
        engine.register("input", [{"k": 1, "s": "a bc"}, {"k": 2, "s": ""}, {"k": 3, "s": "def"}])
        engine.table_function(make, name="words")
        engine.cut = iter([size] * 9)
        query = "SELECT k, e.word AS word, e.size * 2 AS size FROM input {} APPLY udf.words(s) AS e"
        expected = [("a", 2), ("bc", 4), ("def", 6)]
        rows = [
            {"k": k, "word": w, "size": n} for k, (w, n) in zip((1, 1, 3), expected, strict=True)
        ]
        assert engine.sql(query.format("CROSS")).fetchall() == rows
        rows.insert(2, {"k": 2, "word": None, "size": None})
        engine.cut = iter([size] * 9)
        assert engine.sql(query.format("OUTER")).fetchall() == rows


def test_columns_are_known_at_compile_time(engine: streamql.Engine) -> None:
    @engine.table_function(columns=("low", "high"))
    async def bounds(x: int) -> list[tuple[int, int]]:
        return [(x - 1, x + 1)] * (x % 2)

    query = "SELECT b.high - b.low AS x FROM input CROSS APPLY udf.bounds(id) AS b"
    assert results(engine, query) == [2] * 20
    assert engine.sql("SELECT b.* FROM input CROSS APPLY udf.bounds(id) AS b").fetchall()[0] == {
        "low": 0,
        "high": 2,
    }
    with pytest.raises(BindError, match="hihg"):
        engine.sql(query.replace("b.high", "b.hihg"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"a": 1}, "returned a value of type dict instead of rows"),
        ([1], "returned a value of type int as a row"),
        ([{"a": {1}}], "a value of type set"),
    ],
)
def test_results_that_are_no_rows(engine: streamql.Engine, made: Any, said: str) -> None:
    engine.table_function(lambda x: made if x == 8 else [], name="f")
    with pytest.raises(FunctionError, match=said) as caught:
        results(engine, "SELECT e.a AS x FROM input CROSS APPLY udf.f(id) AS e")
    assert caught.value.event == 9


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT udf.rows(id) AS x FROM input", "makes rows and stands only after CROSS APPLY"),
        ("SELECT 1 AS x FROM input CROSS APPLY udf.one(id) AS e", r"udf\.one gives one value"),
        ("SELECT 1 AS x FROM input CROSS APPLY udf.row(id) AS e", r"unknown function udf\.row"),
    ],
)
def test_where_table_functions_stand(engine: streamql.Engine, query: str, said: str) -> None:
    engine.table_function(lambda _: [], name="rows")
    engine.function(lambda x: x, name="one")
    with pytest.raises(BindError, match=said):
        engine.sql(query)
