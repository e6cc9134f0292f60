"""How many rows a second go through JavaScript functions: columns in, one V8 call, columns out.

    python benchmarks/micro_javascript.py [seconds per case]

Prints millions of rows per second (the best of several batches, after a warm-up) for batches of
65,536 and 22,000 rows, and the goals.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pyarrow as pa

from streamql.column import Column, from_values
from streamql.types import Type
from streamql.udf.javascript import JavaScriptRuntime, load_function

CASES = [
    ("number to number", 5.0, "function f(x) { return x * 2 + 1; }", "n"),
    ("string to number", 5.0, "function f(x) { return parseInt(x, 16); }", "s"),
    ("string to string", 0.0, "function f(x) { return x + '!'; }", "s"),
    ("5 strings to array", 1.0, "function f(a, b, c, d, e) { return [a, b, c, d, e]; }", "sssss"),
    ("record to record", 0.4, "function f(r) { return { id: r.id, fare: r.fare * 2 }; }", "r"),
    ("array to number", 0.0, "function f(a) { return a.length; }", "a"),
    ("datetime to datetime", 0.0, "function f(t) { return new Date(+t + 1000); }", "d"),
    ("non-ASCII to itself", 0.0, "function f(x) { return x; }", "u"),
]


def column(kind: str, count: int) -> Column:
    numbers = np.arange(count)
    match kind:
        case "n":
            return Column(Type.FLOAT, pa.array(numbers * 1.5))
        case "s":
            return Column(Type.TEXT, pa.array([f"{i * 2654435761 % 2**32:08x}" for i in numbers]))
        case "u":
            return Column(Type.TEXT, pa.array([f"Zürich {i} ☃ 😀" for i in numbers]))
        case "d":
            return Column(Type.DATETIME, pa.array(1_700_000_000_0000000 + numbers * 10_000_000))
        case "a":
            return from_values([[1, 2, int(i)] for i in numbers])
        case _:
            return from_values(
                [{"id": int(i), "fare": i + 0.5, "zone": "north", "tip": None} for i in numbers]
            )


def rate(source: str, kinds: str, count: int, seconds: float) -> float:
    runtime = JavaScriptRuntime()
    function = load_function("f", source, "f.js", runtime)
    columns = [column(k, count) for k in kinds]
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function.call(columns, count)
        best = min(best, time.perf_counter() - start)
    runtime.close()
    return count / best / 1e6


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    lines = ["million rows/s          65,536 rows  22,000 rows  goal"]
    for name, goal, source, kinds in CASES:
        rates = [rate(source, kinds, count, seconds) for count in (65_536, 22_000)]
        wanted = f"{goal:4.1f}" if goal else ""
        lines.append(f"{name:24}{rates[0]:10.2f}{rates[1]:13.2f}   {wanted}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
