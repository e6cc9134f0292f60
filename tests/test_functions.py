"""What built-in functions and operators give: by row, by batch, by constant, and when they fail."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from streamql.column import Column, constant, from_values, nulls
from streamql.errors import DataError
from streamql.functions.array import get_array_elements
from streamql.functions.builtins import BUILTINS
from streamql.functions.conversion import cast_to
from streamql.functions.datetime import unit_function
from streamql.functions.record import get_record_properties
from streamql.types import Type

MIXED = [1, 2.5, "a", None]
DAY = datetime(2024, 1, 1, tzinfo=UTC)
BIG = 2**53
MOST, LEAST = 2**63 - 1, -(2**63)


def function_named(name):
    return unit_function(*name.split(":")) if ":" in name else BUILTINS[name.lower()]


def call(name, *arguments):
    """Call a function; a list is a column, anything else a constant."""
    count = max(len(a) if isinstance(a, list) else 1 for a in arguments)
    columns = [from_values(a) if isinstance(a, list) else constant(a, count) for a in arguments]
    result = function_named(name).call(columns, count)
    assert len(result) == count
    if result.type is Type.DATETIME:
        result = cast_to(result, Type.TEXT, lenient=False)
    return result.to_pylist()


def same(found, expected):
    return found == expected and [type(f) for f in found] == [type(e) for e in expected]


def T(text):
    """Return the text of a datetime with seven digits."""
    return text + ".0000000Z"


CASES = [
    # arithmetic
    ("+", [1, None, 3], 2, [3, None, 5]),
    ("+", [1, 2.5, None], 2, [3, 4.5, None]),
    ("+", [1, 2.5], [0.5, 1], [1.5, 3.5]),
    ("+", ["a", "b", None], "c", ["ac", "bc", None]),
    ("-", ["5", 7, 1.5], 1, [4.0, 6, 0.5]),
    ("*", [3, 1.5], ["2", 2], [6.0, 3.0]),
    ("/", [7, -7, 7.0], 2, [3, -3, 3.5]),
    ("/", [None, 1], [0, 1], [None, 1]),
    ("/", [4, LEAST], [2, 1], [2, LEAST]),
    ("%", [17, -17, 5.5, None], [5, 5, 2, 0], [2, -2, 1.5, None]),
    ("%", [LEAST], -1, [0]),
    ("-", [MOST], 1, [MOST - 1]),
    ("negate", [MOST, 1.5, "2", None], [-MOST, -1.5, -2.0, None]),
    # bits
    ("&", [204, None], 105, [72, None]),
    ("|", [True, False, None], [6, 6, 6], [7, 6, None]),
    ("|", [True, False], [False, False], [True, False]),
    ("^", [True, 204], [True, 105], [False, 165]),
    ("~", [True, 170, None], [False, -171, None]),
    # comparison
    ("=", MIXED, 1, [True, False, False, None]),
    ("<>", MIXED, 1, [False, True, True, None]),
    ("<", MIXED, 2, [True, False, None, None]),
    ("=", [BIG + 1, BIG, 1.5], float(BIG), [False, True, False]),
    ("<", float(BIG), [BIG + 1, BIG, BIG - 1], [True, False, False]),
    (">", [MOST], 2.0**63, [False]),
    ("<", [LEAST, 1], [-(2.0**63), 1.5], [False, True]),
    ("=", ["a", "A", "é"], "a", [True, False, False]),
    ("<", ["Z", "é", "\uffff"], ["a", "z", "😀"], [True, False, True]),
    ("=", [DAY, DAY], ["2024-01-01", "2024-01-01T01:00+01:00"], [True, True]),
    ("<", ["2023-12-31T23:59:59.9999999Z"], [DAY], [True]),
    ("=", [True, False, None], 1, [True, False, None]),
    ("=", [True, False], [1.0, 0.0], [True, True]),
    ("=", [True, True], ["true", {"a": 1}], [False, False]),
    ("=", [{"a": 1, "b": [2]}], [{"b": [2.0], "a": 1}], [True]),
    ("=", [[1, True], [1]], [[1, 1], [1, 2]], [False, False]),
    ("<", [[1]], [[2]], [None]),
    (">=", [{"a": 1}], 1, [None]),
    ("<>", [{"a": 1}], 1, [True]),
    ("NULLIF", [3, -1, None, 2.5, "x"], -1, [3, None, None, 2.5, "x"]),
    ("NULLIF", [1, 2], [None, 2], [1, None]),
    ("NULLIF", [1, 1], 1.0, [None, None]),
    ("NULLIF", ["2024-01-01", "x"], "x", ["2024-01-01", None]),
    # text
    ("CONCAT", MIXED, "-", [True, 75.0, 1e20, 1e-5], ["1-1", "2.5-75", "a-1E+20", "-1E-05"]),
    ("CONCAT", [{"a": DAY}], [[1]], ['{"a":"2024-01-01T00:00:00.0000000Z"}[1]']),
    ("CONCAT_WS", [",", None], ["a", "b"], ["c", None], 1, ["a,c,1", "b1"]),
    ("CONCAT_WS", "|", [None, "a", None], [None, None, "b"], ["", "a", "b"]),
    ("JSON_PARSE", ['{"a": 1.0}', "[1,\n2]", "7", "{k:", 17, None],
     [{"a": 1.0}, [1, 2], None, None, None, None]),
    ("LEFT", ["héllo", "a😀b", "", None], [2, 3, 5, 1], ["hé", "a😀", "", None]),
    ("LEFT", ["a😀b"], 2, ["a"]),
    ("LEFT", [12.5, 300], 2, ["12", "30"]),
    ("RIGHT", ["héllo", "a😀b", "x"], [3, 1, None], ["llo", "b", None]),
    ("RIGHT", ["a😀b"], 2, ["b"]),
    ("LEN", ["  ab   ", "a😀", "é", "\t", None, 75.0], [4, 3, 1, 1, None, 2]),
    ("UPPER", ["bay-7c", "straße é", None, 1.5], ["BAY-7C", "STRAßE É", None, "1.5"]),
    ("LOWER", ["Bay-7C", "É", None, True], ["bay-7c", "é", None, "1"]),
    ("TRIM", ["\t\u00a0 in ner\n\u3000", "x", "", None], ["in ner", "x", "", None]),
    ("LTRIM", ["\t a ", None], ["a ", None]),
    ("RTRIM", [" a \u2028", None], [" a", None]),
    ("NCHAR", [937, 1114112, -1, 0x1F600, 0xD800, None], ["Ω", None, None, "😀", None, None]),
    ("UNICODE", ["Ωmega", "😀", "", None], [937, 0x1F600, None, None]),
    ("REPLICATE", ["ab", "c", "", None, "d"], [2, -1, 2**62, 1, None],
     ["abab", None, "", None, None]),
    ("SPACE", [2, 0, -1, None], ["  ", "", None, None]),
    ("REVERSE", ["drawer", "aé😀", "", None], ["reward", "😀éa", "", None]),
    ("STUFF", ["telemetry", "abc", "a😀b", None], [5, 9, 2, 1], [2, 1, 2, 1], "-",
     ["tele-try", "", "a-b", None]),
    ("STUFF", ["abc", "abc", "abc"], [0, 2, 3], [2, 99, 0], ["Z", "Z", None], ["Zc", "aZ", None]),
    ("SUBSTRING", ["conveyor", "é😀x", "abc", None], [4, 2, 9, 1], [3, 2, 2, 1],
     ["vey", "😀", "", None]),
    ("SUBSTRING", ["abc"] * 5, [-1, 0, 2, 2, MOST], [3, 2, MOST, 0, MOST],
     ["a", "a", "bc", "", ""]),
    ("TRANSLATE", ["a-b_é", "abc", None], "-_", "..", ["a.b.é", "abc", None]),
    ("TRANSLATE", ["abc", "aé"], ["ab", "é"], ["bc", "e"], ["bcc", "ae"]),
    ("TRANSLATE", ["aab"], "aa", "xy", ["xxb"]),
    ("REPLACE", ["a-b-c", "-", None], "-", "", ["abc", "", None]),
    ("REPLACE", ["abc", "abc", "abc"], ["b", "", None], ["é", "x", "y"], ["aéc", "abc", None]),
    ("CHARINDEX", "an", ["banana", "😀an", "zz", None], [2, 3, 0, None]),
    ("CHARINDEX", ["a", "b", "", None], ["xa", "😀b", "c", "d"], [2, 3, 0, None]),
    ("CHARINDEX", "an", ["banana", "banana", "an😀an", None], [3, -4, 2, 1], [4, 2, 5, None]),
    ("PATINDEX", "%b_d%", ["the bad bed", "😀bad", "x", None], [5, 3, 0, None]),
    ("PATINDEX", ["%a", "a%", "[0-9]%", "%[^a]%"], ["ba", "ba", "1x", "aab"], [2, 0, 1, 3]),
    ("REGEXMATCH", ["unit-42", "😀X42", None, 142], "[4x]", [6, 3, None, 2]),
    ("REGEXMATCH", ["UNIT", "a", "b", "a\nb"], ["unit$", "(", None, "a.b"], [1, 0, None, 1]),
    ("REGEXMATCH", ["xabab", "😀foobar", None], r"(ab)\1|foo(?=bar)", [2, 3, None]),
    ("LIKE", ["K-12-7", "K7", "K71", "xK7", None], "K%7", [True, True, False, False, None]),
    ("LIKE", ["", "a", "50%"], "%", [True, True, True]),
    ("LIKE", ["", "a", "é", "ab"], "_", [False, True, True, False]),
    ("LIKE", ["a.b", "axb", "a\nb"], ["a.b", "a.b", "a_b"], [True, False, True]),
    ("LIKE", ["b", "d", "-", "^", "]"], ["[a-c]", "[^a-c]", "[a-]", "[a^]", "[]]"], [True] * 5),
    ("LIKE", ["a[", r"a\%"], ["a[", r"a\[%]"], [False, True]),
    ("LIKE", [12, "12", 1.5], "1%", [True, True, True]),
    # mathematics
    ("ABS", [-5, -2.5, None], [5, 2.5, None]),
    ("CEILING", [2.1, -2.1, 7], [3.0, -2.0, 7]),
    ("FLOOR", [2.1, -2.1, 7], [2.0, -3.0, 7]),
    ("SIGN", [-5, 0, 3.5], [-1, 0, 1.0]),
    ("SQRT", [49, 2.25, None], [7.0, 1.5, None]),
    ("SQUARE", [49, 1.5], [2401.0, 2.25]),
    ("POWER", [2, 2.5, -3, -2, 1, None], [10, 2, 3, 63, -7, 1], [1024, 6.25, -27, LEAST, 1, None]),
    ("POWER", [2, -1, 9, 3], [-1, -3, 0.5, 39], [0, -1, 3, 3**39]),
    ("ROUND", [2.5, -2.5, 0.49999999999999994, 12, 1e300], 0, [3.0, -3.0, 0.0, 12, 1e300]),
    ("ROUND", 1847.25, [1, -2, -9, 4, 400, -400], [1847.3, 1800.0, 0.0, 1847.25, 1847.25, 0.0]),
    ("ROUND", [1250, -1250, 1249, MOST, 5], [-2, -2, -2, -2, -20], [1300, -1300, 1200,
     9223372036854775800, 0]),
    ("ROUND", [7.126, None, 1.5], [2, 1, None], [7.13, None, None]),
    # dates
    ("DATEADD:month", [1, -1, 13, None], "2024-01-31T12:00:00Z",
     [T("2024-02-29T12:00:00"), T("2023-12-31T12:00:00"), T("2025-02-28T12:00:00"), None]),
    ("DATEADD:q", 1, ["2024-01-31", None], [T("2024-04-30T00:00:00"), None]),
    ("DATEADD:yy", [1, -2023], "2024-02-29", [T("2025-02-28T00:00:00"), T("0001-02-28T00:00:00")]),
    ("DATEADD:n", [1.9, -1.9, 1], [DAY, "2024-01-01", DAY],
     [T("2024-01-01T00:01:00"), T("2023-12-31T23:59:00"), T("2024-01-01T00:01:00")]),
    ("DATEADD:mcs", [1], DAY.isoformat(), ["2024-01-01T00:00:00.0000010Z"]),
    ("DATEADD:wk", 1, ["2024-02-28"], [T("2024-03-06T00:00:00")]),
    ("DATEDIFF:ss", "2024-03-05T08:00:00.4Z", ["2024-03-05T08:00:01.1Z", None], [1, None]),
    ("DATEDIFF:year", ["2024-12-31", "2025-01-01"], ["2025-01-01", "2024-12-31"], [1, -1]),
    ("DATEDIFF:month", "2024-01-31", ["2024-02-01", "2023-12-01"], [1, -1]),
    ("DATEDIFF:week", "2024-01-06", ["2024-01-07", "2024-01-06", "2023-12-30"], [1, 0, -1]),
    ("DATEDIFF:day", "1969-12-31T23:59:59Z", ["1970-01-01", "1969-12-31"], [1, 0]),
    ("DATEPART:weekday", ["2024-11-10", "2024-11-09", None], [1, 7, None]),
    ("DATEPART:week", ["2024-01-01", "2024-01-07", "2023-12-31", "2000-12-31"], [1, 2, 53, 54]),
    ("DATEPART:dy", ["2024-12-31", "1969-12-31"], [366, 365]),
    ("DATEPART:mcs", ["2024-12-29T01:02:03.4567891Z", "1969-12-31T23:59:59.5Z"], [456789, 500000]),
    ("DATENAME:month", ["2024-11-09", None], ["November", None]),
    ("DATENAME:dw", ["2024-11-09"], ["Saturday"]),
    ("DATENAME:hour", ["2024-11-09T07:00:00Z"], ["7"]),
    ("DAY", ["2024-12-31T23:30:00-02:00", DAY], [1, 1]),
    ("YEAR", ["0001-01-01", "9999-12-31", None], [1, 9999, None]),
    ("DATETIMEFROMPARTS", 2024, [2, None], 29, 23, 59, 59, 999,
     ["2024-02-29T23:59:59.9990000Z", None]),
    # arrays and records
    ("GetArrayElement", [["p", 4, {"k": 1}], [], None, [1.0]], 0, ["p", None, None, 1.0]),
    ("GetArrayElement", [["p", MOST]] * 4, [1, -1, 2, None], [MOST, None, None, None]),
    ("GetArrayLength", [[1, None, 3], [], None], [3, 0, None]),
    ("GetRecordPropertyValue", [{"K": 1}, {"k": "x", "K": 2}, {}, None], "k", [1, "x", None, None]),
    ("GetRecordPropertyValue", [{"K": 1.0}, {"b": None}, {"b": 1}], ["k", "b", None],
     [1.0, None, None]),
    ("GetType", [1, 1.0, "x", DAY, True, {}, [], None],
     ["bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array", None]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[-1]!r}"[:60])
def test_result(case):
    name, *arguments, expected = case
    assert same(call(name, *arguments), expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[-1]!r}"[:60])
def test_result_does_not_depend_on_the_batch(case):
    name, *arguments, expected = case
    rows = [[a[i : i + 1] if isinstance(a, list) else a for a in arguments]
            for i in range(len(expected))]  # fmt: skip
    assert same([call(name, *row)[0] for row in rows], expected)
    every = [a * 5 if isinstance(a, list) else [a] * len(expected) * 5 for a in arguments]
    assert same(call(name, *every), expected * 5)
    constants = [[a[0] if isinstance(a, list) else a for a in row] for row in rows]
    if not any(isinstance(a, dict | list | datetime) for row in constants for a in row):
        columns = [[constant(a, 3) for a in row] for row in constants]
        found = [function_named(name).call(c, 3) for c in columns]
        assert [len(f) for f in found] == [3] * len(expected)
        assert all(f.constant for f in found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[-1]!r}"[:60])
def test_null_and_no_rows(case):
    name, *arguments, _ = case
    function = function_named(name)
    assert len(function.call([nulls(0) for _ in arguments], 0)) == 0
    if name not in ("CONCAT", "CONCAT_WS"):
        assert function.call([nulls(2) for _ in arguments], 2).to_pylist() == [None, None]


FAILURES = [
    ("+", [1, MOST], 1, 1, "the result of 9223372036854775807 + 1 is no bigint"),
    ("-", [LEAST], 1, 0, "is no bigint"),
    ("*", [2, 2**62], 2, 1, "is no bigint"),
    ("/", [None, LEAST], -1, 1, "is no bigint"),
    ("/", [1, 2, 3], [1, None, 0], 2, "division by zero: 3 / 0"),
    ("/", [1.5, 2.5], [1, 0], 1, "division by zero: 2.5 / 0"),
    ("%", [5], 0, 0, "division by zero: 5 % 0"),
    ("*", [1.0, 1e200], 1e200, 1, "no finite float"),
    ("-", [1, "x"], 1, 1, "cannot convert 'x' to float"),
    ("+", ["a", 1], 1, 0, "+ does not take ('nvarchar(max)', 'bigint')"),
    ("+", [1, DAY], 1, 1, "the left side of + is 'datetime'"),
    ("negate", [LEAST], 0, "is no bigint"),
    ("&", [1, 1.5], 1, 1, "the left side of & is 'float'; allowed: 'bigint', 'bit'"),
    ("=", [DAY, DAY], ["2024-01-01", "x"], 1, "cannot convert 'x' to datetime"),
    ("LEFT", ["a", "b"], [1, -1], 1, "LEFT: the length is -1"),
    ("SUBSTRING", ["a", None, "b"], 1, [1, -2, -2], 2, "SUBSTRING: the length is -2"),
    ("STUFF", ["a"], 1, -1, "x", 0, "STUFF: the length is -1"),
    ("UPPER", ["a", {"k": 1}], 1, "the 1st argument of UPPER has the invalid type 'record'"),
    ("TRANSLATE", [None, "a"], "ab", "c", 1, "same number of characters"),
    ("TRANSLATE", ["a", "a"], ["a", "ab"], "c", 1, "same number of characters"),
    ("REPLICATE", ["ab"], 2**62, 0, "too long"),
    ("ROUND", [1.234, "NaN"], 2, 1, "the 1st argument of ROUND has the invalid type"),
    ("ABS", [1, LEAST], 1, "is no bigint"),
    ("SQRT", [1, -4], 1, "SQRT: -4.0 is negative"),
    ("EXP", [1, 1000], 1, "no finite float"),
    ("POWER", [2, 2], [62, 63], 1, "POWER(2, 63) is no bigint"),
    ("POWER", [1, 0], -1, 1, "division by zero"),
    ("POWER", [-8.0], 0.5, 0, "no finite float"),
    ("ROUND", [MOST], -1, 0, "is no bigint"),
    ("DATEADD:day", [1, 10**18], "2024-01-01", 1, "out of the years 1 to 9999"),
    ("DATEADD:year", 1, ["9999-01-01"], 0, "out of the years"),
    ("DATEPART:day", ["2024-01-01", "soon"], 1, "cannot convert 'soon' to datetime"),
    ("DATEPART:day", [1], 0, "the 2nd argument of DATEPART has the invalid type 'bigint'"),
    ("DATETIMEFROMPARTS", 2023, [1, 2], 29, 0, 0, 0, 0, 1, "(2023, 2, 29, 0, 0, 0, 0) is no date"),
    ("GetArrayLength", [[1], {"a": 1}], 1, "invalid type 'record'; allowed: 'array'"),
]


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: f"{case[0]}-{case[-1]}"[:60])
def test_failure_names_the_row(case):
    name, *arguments, row, message = case
    with pytest.raises(DataError) as raised:
        call(name, *arguments)
    assert message in raised.value.message
    assert raised.value.row == row


def test_earliest_row_fails_first():
    with pytest.raises(DataError) as raised:
        call("LEFT", ["a", {"k": 1}, [1]], [-1, 1, 1])
    assert raised.value.row == 0


def test_array_elements():
    parents, index, value = get_array_elements(from_values([["a", 1], [], None, [None, 1.0]]))
    assert parents.tolist() == [0, 0, 3, 3]
    assert index.to_pylist() == [0, 1, 0, 1]
    assert same(value.to_pylist(), ["a", 1, None, 1.0])
    assert [len(part) for part in get_array_elements(nulls(2))] == [0, 0, 0]
    with pytest.raises(DataError, match="cannot cast value of type 'record' to type 'array'") as e:
        get_array_elements(from_values([[1], {"a": 1}]))
    assert e.value.row == 1


def test_record_properties():
    parents, name, value = get_record_properties(from_values([{"b": 1, "a": [DAY]}, {}, None]))
    assert parents.tolist() == [0, 0]
    assert name.to_pylist() == ["b", "a"]
    assert value.to_pylist() == [1, [DAY]]
    with pytest.raises(DataError, match="cannot cast value of type 'array' to type 'record'"):
        get_record_properties(from_values([[1]]))


def test_sliced_and_taken_columns():
    texts = from_values(["xx", "héllo", "a😀b", "wörld", None]).slice(1, 4)
    left = BUILTINS["left"].call([texts, constant(3, 4)], 4)
    assert left.to_pylist() == ["hél", "a😀", "wör", None]
    assert BUILTINS["translate"].call(
        [texts, constant("l", 4), constant("L", 4)], 4
    ).to_pylist() == ["héLLo", "a😀b", "wörLd", None]
    numbers = from_values([1, 2.5, None, 4]).take(np.array([3, 1, 2]))
    assert same(BUILTINS["+"].call([numbers, constant(1, 3)], 3).to_pylist(), [5, 3.5, None])


def test_number_columns_compare_without_a_split():
    numbers = from_values([1, 2.5])
    assert numbers.type is Type.NUMBER
    floats = Column(Type.FLOAT, from_values([1.0, 2.0]).values)
    assert BUILTINS["="].call([numbers, floats], 2).to_pylist() == [True, False]
