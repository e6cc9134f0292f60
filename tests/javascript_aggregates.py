"""What the tests of JavaScript aggregates share: sources, and a way to call one over ranges."""

from datetime import UTC, datetime

import numpy as np
import pytest

from streamql.column import Column, from_values
from streamql.errors import FunctionError
from streamql.grouping.ranges import Ranges
from streamql.udf.javascript import (
    load_aggregate,
)

SECOND = 10_000_000
NEW = datetime(2024, 3, 5, 8, 15, tzinfo=UTC)


def main(accumulate, result, init="", rest=""):
    return f"""function main() {{
  this.init = function () {{ {init} }};
  this.accumulate = function (value, timestamp) {{ {accumulate} }};
  this.computeResult = function () {{ return {result}; }};
  {rest}
}}"""


TOTAL = main("this.t += value;", "this.t", "this.t = 0;")
SEEN = main("this.seen.push(value);", "this.seen", "this.seen = [];")
ROWS_OUT = "this.deaccumulate = function (value, timestamp) { this.t -= value; this.left++; };"
HOPS_OUT = "this.deaccumulateState = function (o) { this.t -= o.t; this.left += 1 + o.left; };"


def over(runtime, source, values, ranges, times=None):
    aggregate = load_aggregate(runtime, "f", source, "f.js").make(None)
    column = values if isinstance(values, Column) else from_values(values)
    if times is None:
        times = np.arange(len(column)) * SECOND
    starts, ends = zip(*ranges, strict=True) if ranges else ((), ())
    spans = Ranges(np.array(starts, np.int64), np.array(ends, np.int64))
    return aggregate.over([column], times, spans)


def failure(runtime, source, values, ranges):
    with pytest.raises(FunctionError) as caught:
        over(runtime, source, values, ranges)
    return caught.value
