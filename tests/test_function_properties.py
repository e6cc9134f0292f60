"""Functions against plain Python definitions, on arbitrary values."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql.column import from_values
from streamql.errors import DataError
from streamql.functions.builtins import BUILTINS
from streamql.functions.conversion import cast_to
from streamql.functions.datetime import unit_function
from streamql.types import Type

bigints = (
    st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1])
)
floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.sampled_from("ab-é€😀 "), max_size=8)
fast = settings(max_examples=150)


def call(name, *values):
    columns = [from_values([None, value]) for value in values]
    return BUILTINS[name].call(columns, 2).to_pylist()[1]


def cut(text, start, end):
    """Return UTF-16 units start..end; halves of pairs are left out."""
    units = text.encode("utf-16-le")[2 * max(start, 0) : 2 * max(end, 0)]
    return units.decode("utf-16-le", "ignore") if units else ""


@fast
@given(bigints, bigints)
@pytest.mark.parametrize("sign", ["+", "-", "*", "/", "%"])
def test_bigint_arithmetic_is_exact_or_fails(sign, a, b):
    def exact():
        match sign:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if sign == "/" else a - b * quotient

    if (sign in "/%" and b == 0) or not -(2**63) <= exact() < 2**63:
        with pytest.raises(DataError) as raised:
            call(sign, a, b)
        assert raised.value.row == 1
    else:
        assert call(sign, a, b) == exact()


@fast
@given(bigints | floats, bigints | floats)
def test_numbers_compare_exactly(a, b):
    x, y = Fraction(a), Fraction(b)
    found = [call(sign, a, b) for sign in ("=", "<>", "<", "<=", ">", ">=")]
    assert found == [x == y, x != y, x < y, x <= y, x > y, x >= y]


@fast
@given(texts, st.integers(-3, 12), st.integers(0, 12))
def test_substring_counts_utf16_units(text, start, length):
    end = max(start - 1 + length, 0)
    assert call("substring", text, start, length) == cut(text, start - 1, end)
    assert call("left", text, length) == cut(text, 0, length)
    units = len(text.encode("utf-16-le")) // 2
    assert call("right", text, length) == cut(text, units - length, units)
    assert call("len", text) == len(text.rstrip(" ").encode("utf-16-le")) // 2


@fast
@given(texts, texts)
def test_charindex(text, needle):
    place = text.find(needle) if needle else -1
    expected = 0 if place < 0 else len(text[:place].encode("utf-16-le")) // 2 + 1
    assert call("charindex", needle, text) == expected


@fast
@given(texts, st.text(st.sampled_from("ab%_-é😀"), max_size=5))
def test_like(text, pattern):
    parts = [{"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern]
    expected = re.fullmatch("".join(parts), text, re.DOTALL) is not None
    assert call("like", text, pattern) is expected
    inside = re.search("".join(parts), text, re.DOTALL)
    place = 0 if inside is None else len(text[: inside.start()].encode("utf-16-le")) // 2 + 1
    assert (call("patindex", f"%{pattern}%", text) > 0) == (inside is not None)
    if not pattern.startswith("%"):
        assert call("patindex", f"%{pattern}%", text) == place


@fast
@given(floats)
def test_text_of_a_float_reads_back(value):
    text = cast_to(from_values([value]), Type.TEXT, lenient=False)
    assert cast_to(text, Type.FLOAT, lenient=False).to_pylist() == [value]
    assert "e" not in text.to_pylist()[0]
    assert not text.to_pylist()[0].endswith(".0")


moments = st.datetimes(timezones=st.just(UTC))


@fast
@given(moments, st.integers(-(10**6), 10**6))
def test_dateadd_agrees_with_python(moment, number):
    try:
        expected = moment + timedelta(hours=number)
    except OverflowError:
        expected = None
    function = unit_function("DATEADD", "hh")
    columns = [from_values([number]), from_values([moment])]
    if expected is None:
        with pytest.raises(DataError):
            function.call(columns, 1)
    else:
        assert function.call(columns, 1).to_pylist() == [expected]


@fast
@given(moments)
def test_dateparts_agree_with_python(moment):
    column = from_values([moment])
    found = {
        unit: unit_function("DATEPART", unit).call([column], 1).to_pylist()[0]
        for unit in ("year", "month", "day", "dayofyear", "weekday", "hour", "minute", "second")
    }
    assert found == {
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "dayofyear": moment.timetuple().tm_yday,
        "weekday": moment.isoweekday() % 7 + 1,
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
    }
    week = unit_function("DATEPART", "week").call([column], 1).to_pylist()[0]
    assert week == int(moment.strftime("%U")) + (moment.replace(month=1, day=1).isoweekday() != 7)
