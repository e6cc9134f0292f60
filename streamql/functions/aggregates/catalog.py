"""The built-in aggregates by name, with their documentation."""

from __future__ import annotations

from typing import Any

from ...errors import BindError
from ..aggregate import Aggregate, AggregateSpec, Example, Signature
from .collect import collect, collect_top, top_one
from .count import count
from .distinct import Distinct
from .extremes import extreme
from .percentile import percentile_cont, percentile_disc
from .sums import average, total
from .variance import deviation

_Rows = list[dict[str, Any]]
_DAY = "2024-05-01T00:00:"
_FARES: _Rows = [
    {"at": f"{_DAY}01Z", "zone": "A", "fare": 10, "tip": 2.5},
    {"at": f"{_DAY}02Z", "zone": "B", "fare": 30, "tip": None},
    {"at": f"{_DAY}03Z", "zone": "A", "fare": 20, "tip": 1.5},
    {"at": f"{_DAY}09Z", "zone": "A", "fare": 20, "tip": 2.0},
]
_READINGS: _Rows = [
    {"at": f"{_DAY}{second:02}Z", "v": v} for second, v in enumerate((2, 4, 4, 4, 5, 5, 7, 9), 1)
]


def _example(select: str, expected: dict[str, Any], rows: _Rows = _FARES) -> Example:
    """Return the example of one window of ten seconds over all rows."""
    query = f"SELECT {select}\nFROM input TIMESTAMP BY at\nGROUP BY TumblingWindow(second, 10)"
    return query, rows, [expected]


_SPECS = (
    AggregateSpec(
        "COUNT",
        count,
        (0, 1),
        documentation="""How many events or values there are, as bigint.

`COUNT(*)`, `COUNT()` and `COUNT(input)` count events, `COUNT(x)` the values that are not NULL,
`COUNT(DISTINCT x)` the different ones among these, and `COUNT(DISTINCT input)` different events.
Never NULL: without values the result is 0.""",
        example=_example(
            "COUNT(*) AS events, COUNT(tip) AS tips, COUNT(DISTINCT fare) AS fares",
            {"events": 4, "tips": 3, "fares": 3},
        ),
    ),
    AggregateSpec(
        "SUM",
        total,
        documentation="""The sum of the values that are not NULL; NULL if there are none.

The sum of bigints is a bigint and exact; one beyond 64 bits is an error, whatever the sums on the
way were. As soon as one value is a float the sum is a float. Numeric text counts as float, other
text is an error.""",
        example=_example("SUM(fare) AS fares, SUM(tip) AS tips", {"fares": 80, "tips": 6.0}),
    ),
    AggregateSpec(
        "AVG",
        average,
        documentation="""The mean of the values that are not NULL, as float; NULL if there are none.

The mean of bigints is a float as well: that of 1 and 2 is 1.5. Numeric text counts as float.""",
        example=_example("AVG(fare) AS fare, AVG(tip) AS tip", {"fare": 20.0, "tip": 2.0}),
    ),
    AggregateSpec(
        "MIN",
        extreme("MIN"),
        documentation="""The least of the values that are not NULL; NULL if there are none.

Takes bigint, float, datetime and bit; the result keeps the type of the value. Bigints and floats
are compared exactly. Text is read as a float, and an error if it is none; what is cast to
`nvarchar(max)` is compared as text, character by character, capitals first.""",
        example=_example(
            "MIN(fare) AS fare, MIN(CAST(zone AS nvarchar(max))) AS zone",
            {"fare": 10, "zone": "A"},
        ),
    ),
    AggregateSpec(
        "MAX",
        extreme("MAX"),
        documentation="""The greatest of the values that are not NULL; NULL if there are none.

Takes the same values as `MIN`, and compares them alike.""",
        example=_example(
            "MAX(fare) AS fare, MAX(CAST(zone AS nvarchar(max))) AS zone",
            {"fare": 30, "zone": "B"},
        ),
    ),
    AggregateSpec(
        "STDEV",
        deviation("STDEV", sample=True, root=True),
        documentation="""The standard deviation of a sample, as float: the root of `VAR`.

NULLs are left out; of fewer than two values the result is NULL.""",
        example=_example("STDEV(v) AS s", {"s": 2.138089935299395}, _READINGS),
    ),
    AggregateSpec(
        "STDEVP",
        deviation("STDEVP", sample=False, root=True),
        documentation="""The standard deviation of all values, as float: the root of `VARP`.

NULLs are left out; without values the result is NULL.""",
        example=_example("STDEVP(v) AS s", {"s": 2.0}, _READINGS),
    ),
    AggregateSpec(
        "VAR",
        deviation("VAR", sample=True, root=False),
        documentation="""The variance of a sample, as float: divided by the number of values - 1.

NULLs are left out; of fewer than two values the result is NULL.""",
        example=_example("VAR(v) AS s", {"s": 4.571428571428571}, _READINGS),
    ),
    AggregateSpec(
        "VARP",
        deviation("VARP", sample=False, root=False),
        documentation="""The variance of all values, as float: divided by the number of values.

NULLs are left out; without values the result is NULL.""",
        example=_example("VARP(v) AS s", {"s": 4.0}, _READINGS),
    ),
    AggregateSpec(
        "Collect",
        collect,
        (0, 1),
        whole=True,
        documentation="""An array of the values, or without argument of whole events as records.

Values stand in order of time, those of one instant in order of arrival. NULLs are left out: only
NULLs give an empty array. Over no events at all the result is NULL.""",
        example=_example("Collect(tip) AS tips", {"tips": [2.5, 1.5, 2.0]}),
    ),
    AggregateSpec(
        "CollectTop",
        collect_top,
        (1, 2),
        constants=1,
        ordered=True,
        whole=True,
        documentation="""An array of the first `n` values, or whole events, in the order of `OVER`.

Each is a record of its `rank`, from 1 on, and its `value`. Order by bigint, float or datetime; NULL
is the lowest. Equal ones stand in order of arrival and have ranks of their own.""",
        example=_example(
            "CollectTop(2, zone) OVER (ORDER BY fare DESC) AS best",
            {"best": [{"rank": 1, "value": "B"}, {"rank": 2, "value": "A"}]},
        ),
    ),
    AggregateSpec(
        "TopOne",
        top_one,
        (0, 1),
        ordered=True,
        whole=True,
        documentation="""The first value, or whole event as a record, in the order of `OVER`.

Order by bigint, float or datetime; NULL is the lowest, and of equal ones the first to arrive is
taken. The result has the type of the value; it is NULL if the value is.""",
        example=_example("TopOne(zone) OVER (ORDER BY fare DESC) AS best", {"best": "B"}),
    ),
    AggregateSpec(
        "PERCENTILE_CONT",
        percentile_cont,
        constants=1,
        ordered=True,
        analytic=False,
        documentation="""The value below which a share of the values lies, as float.

It stands at place `p * (n - 1)` of the `n` sorted values, and between two places it is that much of
the way from one value to the next. `p` is a number from 0 to 1. NULLs are left out; without values
the result is NULL.""",
        example=_example("PERCENTILE_CONT(0.5) OVER (ORDER BY v) AS m", {"m": 4.5}, _READINGS),
    ),
    AggregateSpec(
        "PERCENTILE_DISC",
        percentile_disc,
        constants=1,
        ordered=True,
        analytic=False,
        documentation="""The first of the sorted values up to which a share of at least `p` lies.

`p` is a number from 0 to 1. The result is one of the values, with its type (bigint, float or
datetime). NULLs are left out; without values the result is NULL.""",
        example=_example("PERCENTILE_DISC(0.5) OVER (ORDER BY v) AS m", {"m": 4}, _READINGS),
    ),
)

AGGREGATES: dict[str, AggregateSpec] = {spec.name.lower(): spec for spec in _SPECS}
"""Every built-in aggregate, by its name in lower case."""


def aggregate(spec: AggregateSpec, signature: Signature, distinct: bool) -> Aggregate:
    """Return the aggregate of a call, built-in or not.

    Raises BindError if the arguments do not fit, or DISTINCT has nothing it could apply to.
    """
    if not distinct:
        return spec.make(signature)
    if spec.ordered:
        raise BindError(f"{spec.name} takes no DISTINCT", signature.span)
    if not signature.types:
        raise BindError(
            f"{spec.name}(DISTINCT *) needs a value",
            signature.span,
            f"{spec.name}(DISTINCT input) takes different events, with the name of the input",
        )
    return Distinct(spec.make(signature))
