"""Types at bind time and at run time: casts, checks of calls, time units."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from streamql.column import constant, from_values
from streamql.errors import BindError, DataError, Span
from streamql.functions.builtins import BUILTINS
from streamql.functions.conversion import cast_to, castable
from streamql.functions.datetime import UNITS, unit_function
from streamql.types import Type

DAY = datetime(2024, 1, 1, tzinfo=UTC)
BIG = 2**53
MOST, LEAST = 2**63 - 1, -(2**63)


def function_named(name):
    return unit_function(*name.split(":")) if ":" in name else BUILTINS[name.lower()]


def same(found, expected):
    return found == expected and [type(f) for f in found] == [type(e) for e in expected]


def T(text):
    """Return the text of a datetime with seven digits."""
    return text + ".0000000Z"


MATRIX = [
    (Type.BIGINT, [1, -2.9, "5", " +7 ", True, None], [1, -2, 5, 7, 1, None]),
    (Type.BIGINT, ["1.5", "", "0x1F", "99999999999999999999", 1e19, {}, DAY], [None] * 7),
    (Type.BIGINT, [str(MOST), str(LEAST)], [MOST, LEAST]),
    (Type.FLOAT, [1, 2.5, "1e3", " .5", False, BIG + 1], [1.0, 2.5, 1000.0, 0.5, 0.0, float(BIG)]),
    (Type.FLOAT, ["NaN", "", "1e999", "x", [1], DAY], [None] * 6),
    (Type.TEXT, [12345678901.5, 1.7e12], ["12345678901.5", "1700000000000"]),
    (Type.TEXT, [75.0, 12.5, 1e14, 1e15, 1e20, 1e-4, 1e-5, -1.5e-7, 123456789012345680.0],
     ["75", "12.5", "100000000000000", "1E+15", "1E+20", "0.0001", "1E-05", "-1.5E-07",
      "1.2345678901234568E+17"]),
    (Type.TEXT, [7, True, DAY, {"a": [DAY]}, [1.0], None],
     ["7", "1", T("2024-01-01T00:00:00"), '{"a":["2024-01-01T00:00:00.0000000Z"]}', "[1.0]", None]),
    (Type.DATETIME, ["2024-03-05T10:15:00+02:00", "2024-03-05", DAY],
     [datetime(2024, 3, 5, 8, 15, tzinfo=UTC), datetime(2024, 3, 5, tzinfo=UTC), DAY]),
    (Type.DATETIME, ["2024-02-30T00:00:00Z", "soon", 1, True, {}], [None] * 5),
    (Type.BIT, [0, 5, 0.0, 1.5, "TRUE", "false", "0", True, None],
     [False, True, False, True, True, False, False, True, None]),
    (Type.BIT, ["2", "yes", DAY, []], [None] * 4),
    (Type.RECORD, [{"k": 2}, {}, [1], "p", 1], [{"k": 2}, {}, None, None, None]),
    (Type.ARRAY, [["p"], {}, "p", None], [["p"], None, None, None]),
]  # fmt: skip


@pytest.mark.parametrize(("want", "values", "expected"), MATRIX)
def test_cast(want, values, expected):
    found = cast_to(from_values(values), want, lenient=True)
    assert found.type in (want, Type.NULL)
    assert same(found.to_pylist(), expected)
    for value, result in zip(values, expected, strict=True):
        column = from_values([None, value])
        if result is not None or value is None:
            assert same(cast_to(column, want, lenient=False).to_pylist(), [None, result])
            continue
        with pytest.raises(DataError, match=f"of type '.*' to type '{want.value[:5]}") as raised:
            cast_to(column, want, lenient=False)
        assert raised.value.row == 1


def test_cast_of_a_mixed_column_fails_at_its_first_row():
    with pytest.raises(DataError, match="cannot cast 'x'") as raised:
        cast_to(from_values([1, "x", 1e19, DAY]), Type.BIGINT, lenient=False)
    assert raised.value.row == 1
    assert cast_to(constant("7", 4), Type.BIGINT, lenient=False).constant


def test_castable():
    assert castable(Type.TEXT, Type.DATETIME)
    assert castable(Type.ANY, Type.ARRAY)
    assert not castable(Type.BIGINT, Type.DATETIME)
    assert not castable(Type.RECORD, Type.ARRAY)


CHECKS = [
    ("+", (Type.BIGINT, Type.BIGINT), Type.BIGINT),
    ("+", (Type.BIGINT, Type.FLOAT), Type.FLOAT),
    ("+", (Type.ANY, Type.BIGINT), Type.ANY),
    ("-", (Type.TEXT, Type.BIGINT), Type.FLOAT),
    ("|", (Type.BIT, Type.BIGINT), Type.BIGINT),
    ("=", (Type.TEXT, Type.BIGINT), Type.BIT),
    ("UPPER", (Type.BIGINT,), Type.TEXT),
    ("NULLIF", (Type.FLOAT, Type.BIGINT), Type.FLOAT),
    ("DATEADD:mi", (Type.ANY, Type.TEXT), Type.DATETIME),
    ("+", (Type.TEXT, Type.BIGINT), "CAST one side"),
    ("&", (Type.FLOAT, Type.BIGINT), "there is bigint & bigint"),
    ("UPPER", (Type.RECORD,), "there is UPPER(nvarchar(max))"),
    ("SQRT", (Type.TEXT,), "CAST the argument"),
    ("CONCAT", (Type.TEXT,), "there is CONCAT(any, any, ...)"),
    ("DATEADD:mi", (Type.TEXT, Type.DATETIME), "DATEADD(minute, bigint, datetime)"),
]


@pytest.mark.parametrize(("name", "types", "expected"), CHECKS)
def test_check(name, types, expected):
    spans = [Span(i, i + 1) for i in range(len(types))]
    if isinstance(expected, Type):
        assert function_named(name).check(types, Span(0, 9), spans) is expected
        return
    with pytest.raises(BindError) as raised:
        function_named(name).check(types, Span(0, 9), spans)
    assert raised.value.span is not None
    assert expected in (raised.value.hint or "")


def test_time_units():
    assert UNITS["n"] == "minute"
    assert UNITS["m"] == "month"
    assert unit_function("dateadd", "MI") is unit_function("DATEADD", "minute")
    with pytest.raises(BindError, match="no time unit 'minuts'") as raised:
        unit_function("DATEADD", "minuts")
    assert "did you mean minute?" in (raised.value.hint or "")
    with pytest.raises(BindError, match="a time unit is missing"):
        unit_function("DATEADD", None)
