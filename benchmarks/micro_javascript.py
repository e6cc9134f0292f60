"""How many rows a second go through JavaScript functions: columns in, one V8 call, columns out.

    python benchmarks/micro_javascript.py [seconds per case] [--markdown]

Prints millions of rows per second (the best of several batches, after a warm-up) for batches of
65,536 and 22,000 rows, and the goals: 0.4 at least for each way in which values travel. With
--markdown the table of docs/javascript.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from figures import Figure, tell, words

from streamql.column import Column, from_values
from streamql.errors import Span
from streamql.functions.aggregate import Signature
from streamql.grouping.ranges import Ranges
from streamql.types import Type
from streamql.udf.javascript import JavaScriptRuntime, load_aggregate, load_function

MIXING = "function f(x) { return x % 3 == 0 ? x > 9 : x % 3 == 1 ? 's' + x : null; }"
CASES = [
    ("number to number", 5.0, "function f(x) { return x * 2 + 1; }", "n"),
    ("integer to integer", 0.4, "function f(x) { return x + 1; }", "i"),
    ("integers and fractions to themselves", 0.4, "function f(x) { return x; }", "x"),
    ("string to number", 5.0, "function f(x) { return parseInt(x, 16); }", "s"),
    ("string to string", 0.4, "function f(x) { return x + '!'; }", "s"),
    ("number to string", 0.4, "function f(x) { return 'n' + x; }", "n"),
    ("string to bit", 0.4, "function f(x) { return x < '8'; }", "s"),
    ("number to bit, string or NULL", 0.4, MIXING, "i"),
    ("5 strings to array", 1.0, "function f(a, b, c, d, e) { return [a, b, c, d, e]; }", "sssss"),
    ("record to record", 0.4, "function f(r) { return { id: r.id, fare: r.fare * 2 }; }", "r"),
    ("record to string", 0.4, "function f(r) { return r.zone + r.id; }", "r"),
    ("number and string to record", 0.4, "function f(n, s) { return { n, s }; }", "ns"),
    ("record of 12 fields to one of them", 0.4, "function f(r) { return r.c7; }", "l"),
    ("record in a record to the inner one", 0.4, "function f(r) { return r.at; }", "o"),
    ("record with a datetime to datetime", 0.4, "function f(r) { return r.at; }", "w"),
    ("array to number", 0.4, "function f(a) { return a.length; }", "a"),
    ("array to array", 0.4, "function f(a) { return a.map((x) => x + 1); }", "a"),
    ("array of strings to itself", 0.4, "function f(a) { return a; }", "t"),
    ("array of records to array", 0.4, "function f(a) { return a.map((r) => r.id); }", "g"),
    ("bit to bit", 0.4, "function f(b) { return !b; }", "b"),
    ("mixed types to themselves", 0.4, "function f(x) { return x; }", "m"),
    ("NULL every other row to number", 0.4, "function f(x) { return x === null ? 0 : x; }", "z"),
    ("datetime to datetime", 0.4, "function f(t) { return new Date(+t + 1000); }", "d"),
    ("non-ASCII to itself", 0.4, "function f(x) { return x; }", "u"),
    ("random number by event", 0.4, "function f(x) { return Math.random(); }", "n"),
]
LEAST = 0.4
AGGREGATE = """function main() {
  this.init = function () { this.sum = 0; };
  this.accumulate = function (value, timestamp) { this.sum += value; };
  this.computeResult = function () { return this.sum; };
}"""


START = datetime(2024, 1, 1, tzinfo=UTC)
VALUES: dict[str, Callable[[int], object]] = {
    "x": lambda i: i if i % 2 else i + 0.5,
    "m": lambda i: (i, f"text {i}", [i])[i % 3],
    "r": lambda i: {"id": i, "fare": i + 0.5, "zone": "north", "tip": None},
    "w": lambda i: {"id": i, "at": START + timedelta(0, i)},
    "l": lambda i: {f"c{k}": i * k for k in range(12)},
    "o": lambda i: {"id": i, "at": {"x": 0.5, "y": i}},
    "a": lambda i: [1, 2, i],
    "t": lambda i: ["north", f"zone {i}"],
    "g": lambda i: [{"id": i}, {"id": 7}],
}


def column(kind: str, count: int) -> Column:
    numbers = np.arange(count)
    match kind:
        case "n":
            return Column(Type.FLOAT, pa.array(numbers * 1.5))
        case "i":
            return Column(Type.BIGINT, pa.array(numbers))
        case "s":
            return Column(Type.TEXT, pa.array([f"{i * 2654435761 % 2**32:08x}" for i in numbers]))
        case "u":
            return Column(Type.TEXT, pa.array([f"Zürich {i} ☃ 😀" for i in numbers]))
        case "d":
            return Column(Type.DATETIME, pa.array(1_700_000_000_0000000 + numbers * 10_000_000))
        case "b":
            return Column(Type.BIT, pa.array(numbers % 3 == 0))
        case "z":
            return Column(Type.FLOAT, pa.array(numbers * 0.5, mask=numbers % 2 == 0))
        case _:
            return from_values([VALUES[kind](i) for i in range(count)])


def rate(source: str, kinds: str, count: int, seconds: float) -> float:
    runtime = JavaScriptRuntime(deterministic="random" in source)
    function = load_function("f", source, "f.js", runtime)
    columns = [column(k, count) for k in kinds]
    if function.by_event:
        columns += [column("d", count), Column(Type.BIGINT, pa.array(np.arange(count)))]
    # the text of arrays is written when it is asked for
    found = best(lambda: function.call(columns, count).values, count, seconds)
    runtime.close()
    return found


def aggregate_rate(count: int, seconds: float) -> float:
    runtime = JavaScriptRuntime()
    here = Span(0, 0)
    spec = load_aggregate(runtime, "f", AGGREGATE, "f.js")
    made = spec.make(Signature((), (Type.FLOAT,), (), (), False, here, (here,)))
    values, times = [column("n", count)], np.arange(count) * 10_000_000
    ranges = Ranges(np.arange(0, count, 100), np.minimum(np.arange(100, count + 100, 100), count))
    found = best(lambda: made.over(values, times, ranges), count, seconds)
    runtime.close()
    return found


def best(call: Callable[[], object], count: int, seconds: float) -> float:
    """Return millions of rows per second in the best of all calls within some seconds."""
    least = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return count / least / 1e6


def figures(rows: list[tuple[str, float, list[float]]]) -> list[Figure]:
    """Return the lower rate of each way, and the lowest of all, for which the common goal is."""
    found = [(name, goal if goal > LEAST else None, min(rates)) for name, goal, rates in rows]
    name, _, slowest = min(found, key=lambda one: one[2])
    found.append((f"the slowest of {len(rows)} ways ({name})", LEAST, slowest))
    return [Figure(name, rate, goal, True, " M rows/s") for name, goal, rate in found]


def _shown(rate: float) -> str:
    """Return a rate to two digits: more are another day's."""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}"


def main() -> list[Figure]:
    seconds = float((words() or ["1.5"])[0])
    sizes = (65_536, 22_000)
    rows = [
        (name, goal, [rate(source, kinds, count, seconds) for count in sizes])
        for name, goal, source, kinds in CASES
    ]
    rows.append(("aggregate of 100 numbers", LEAST, [aggregate_rate(n, seconds) for n in sizes]))
    lines = [f"{'million rows/s':36}65,536 rows  22,000 rows  goal"]
    lines += [
        f"{name:36}{big:11.2f}{small:13.2f}  {goal:4.1f}" for name, goal, (big, small) in rows
    ]
    if "--markdown" in sys.argv:
        lines = ["| from and to | 65,536 rows | 22,000 rows |", "|---|---:|---:|"]
        lines += [f"| {name} | {_shown(big)} | {_shown(small)} |" for name, _, (big, small) in rows]
    sys.stdout.write("\n".join(lines) + "\n")
    return figures(rows)


if __name__ == "__main__":
    tell(main())
