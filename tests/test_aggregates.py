"""The built-in aggregates over ranges, against a plain oracle."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from aggregate_oracle import (
    MIXTURES,
    ORACLE,
    as_number,
    expected,
    make,
    over,
    running,
    same,
    some_ranges,
    some_values,
)

import streamql
from streamql.column import Column, from_values
from streamql.errors import BindError, DataError
from streamql.functions.aggregates.catalog import AGGREGATES
from streamql.grouping.ranges import Ranges
from streamql.types import Type

DAY = datetime(2024, 5, 1, tzinfo=UTC)
BIG = 2**63 - 1


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("kinds", MIXTURES, ids="+".join)
@pytest.mark.parametrize("name", [*ORACLE, "count"])
def test_ranges_against_the_oracle(name, kinds, distinct):
    r, values = some_values(len(kinds) + 7 * len(name), kinds)
    ranges = some_ranges(r, len(values))
    found = over(make(name, distinct=distinct), [from_values(values)], ranges)
    for (start, end), result in zip(ranges, found, strict=True):
        wanted = expected(name, values[start:end], distinct)
        if name.startswith(("var", "stdev")) and "near" in kinds and wanted is not None:
            assert abs(result - wanted) < 16  # squares are 8e31, and floats are 2 apart here
            continue
        assert same(result, wanted), (start, end)


@pytest.mark.parametrize("name", ["min", "max", "count", "collect"])
def test_datetimes_and_bits(name):
    moments = [None if i % 5 == 2 else DAY + timedelta(seconds=i * 7 % 11) for i in range(20)]
    bits = [None, True, False, True, None, False]
    for values in (moments, bits):
        ranges = some_ranges(np.random.default_rng(3), len(values))
        found = over(make(name), [from_values(values)], ranges)
        for (start, end), result in zip(ranges, found, strict=True):
            known = [v for v in values[start:end] if v is not None]
            if name in ("min", "max"):
                wanted = {"min": min, "max": max}[name](known) if known else None
            else:
                wanted = expected(name, values[start:end])
            assert result == wanted


def test_count_star_counts_events_and_count_distinct_compares_by_value():
    values = [{"a": 1, "b": 2}, {"b": 2, "a": 1.0}, {"a": 1}, None, {"a": 1}]
    ranges = [(0, 5), (0, 2), (3, 4), (2, 2)]
    starts, ends = np.array(ranges).T
    star = make("count", types=(), star=True)
    assert star.over([], np.arange(5), Ranges(starts, ends)).to_pylist() == [5, 2, 1, 0]
    assert over(make("count", distinct=True), [from_values(values)], ranges) == [2, 1, 0, 0]


DISTINCT = [
    ([0.0, -0.0, 1.5, None], 2),
    ([1, 1.0, True, "1", None], 3),
    (["a", "A", "a", ""], 3),
    ([DAY, str(DAY), DAY], 2),
]


@pytest.mark.parametrize(("values", "wanted"), DISTINCT)
def test_distinct_values_are_those_that_differ_as_keys(values, wanted):
    column = from_values(values)
    assert over(make("count", distinct=True), [column], [(0, len(values))]) == [wanted]


def test_text_is_compared_as_text_only_where_the_query_says_so():
    values = ["9", "10", "é", None, "Z", "\U0001f600", "\uffff"]
    texts = make("max", types=(Type.TEXT,))
    assert over(texts, [from_values(values)], [(0, 2), (0, 7), (3, 4)]) == ["9", "\U0001f600", None]
    assert over(make("min", types=(Type.TEXT,)), [from_values(values)], [(0, 7)]) == ["10"]
    assert over(make("max"), [from_values(values[:2])], [(0, 2)]) == [10.0]


SUMS = [
    # values, result (None: not a bigint)
    ([BIG, 1, -1], BIG),
    ([BIG, BIG, -BIG, -BIG, 5], 5),
    ([-BIG - 1, BIG, 1], 0),
    ([BIG, 1], None),
    ([-BIG - 1, -1], None),
    ([BIG] * 8, None),
    ([-BIG - 1], -BIG - 1),
    ([2**61] * 9, None),
    ([2**61] * 9 + [-(2**61)] * 8, 2**61),
]


@pytest.mark.parametrize(("values", "wanted"), SUMS)
def test_sums_of_large_bigints_are_exact_or_refused(values, wanted):
    column = from_values(values)
    ways = [
        lambda f: over(f, [column], [(0, len(values))])[0],
        lambda f: running(f, [(np.zeros(len(values), np.int64), column)], [[0]])[0],
        lambda f: running(
            f, [(np.array([0]), column.slice(i, 1)) for i in range(len(values))], [[0]]
        )[0],
        lambda f: running(
            f, [(np.array([i]), column.slice(i, 1)) for i in range(len(values))],
            [list(range(len(values)))],
        )[0],
    ]  # fmt: skip
    for way in ways:
        if wanted is None:
            with pytest.raises(DataError, match="no bigint"):
                way(make("sum"))
        else:
            assert way(make("sum")) == wanted
        assert way(make("avg")) == pytest.approx(float(Fraction(sum(values), len(values))))


def test_floats_beyond_the_largest_are_refused_but_infinity_passes():
    with pytest.raises(DataError, match="no finite float"):
        over(make("sum"), [from_values([1e308, 1e308])], [(0, 2)])
    with pytest.raises(DataError, match="no finite float"):
        running(make("sum"), [(np.zeros(2, np.int64), from_values([1e308, 1e308]))], [[0]])
    odd = Column(Type.FLOAT, pa.array([math.inf, 1.0]))
    assert over(make("sum"), [odd], [(0, 2), (1, 2)]) == [math.inf, 1.0]
    assert running(make("sum"), [(np.zeros(2, np.int64), odd)], [[0]]) == [math.inf]


# -- errors -------------------------------------------------------------------------------------

FAULTS = [
    # aggregate, values, the row to blame, what the message says
    ("sum", [1, "x", 2], 1, "cannot convert 'x' to float"),
    ("avg", [None, DAY], 1, "AVG takes bigint and float, found datetime"),
    ("var", [1, True], 1, "VAR takes bigint and float, found bit"),
    ("sum", [1, [2]], 1, "found array"),
    ("min", [1, {"a": 1}], 1, "found record"),
    ("max", [2, "3", "x"], 2, "cannot convert 'x' to float"),
    ("max", [2, None, DAY], 2, "cannot compare a number with a datetime"),
    ("min", [True, 1.5], 1, "cannot compare a bit with a number"),
]


@pytest.mark.parametrize(("name", "values", "row", "message"), FAULTS)
def test_a_value_that_does_not_fit_is_an_error_with_its_row(name, values, row, message):
    column = from_values(values)
    with pytest.raises(DataError, match=message) as caught:
        over(make(name), [column], [(0, len(values))])
    assert caught.value.row == row
    with pytest.raises(DataError, match=message) as caught:
        running(make(name), [(np.zeros(len(values), np.int64), column)], [[0]])
    assert caught.value.row == row
    # outside of all ranges nothing is wrong
    over(make(name), [column], [(0, row)])
    with pytest.raises(DataError) as caught:
        over(make(name, distinct=True), [column], [(0, len(values))])
    assert caught.value.row == row


MISUSES = [
    # the call, the place of the error, what the message says
    ({"name": "sum", "types": (Type.DATETIME,)}, 0, "SUM takes bigint and float, found datetime"),
    ({"name": "stdev", "types": (Type.BIT,)}, 0, "STDEV takes"),
    ({"name": "min", "types": (Type.RECORD,)}, 0, "found record"),
    ({"name": "max", "types": (Type.ARRAY,)}, 0, "found array"),
    ({"name": "collecttop", "constants": (0,), "order": (Type.ANY,)}, 0, "from 1 on, found 0"),
    ({"name": "collecttop", "constants": (1.5,), "order": (Type.ANY,)}, 0, "found 1.5"),
    ({"name": "collecttop", "constants": ("3",), "order": (Type.ANY,)}, 0, "found '3'"),
    ({"name": "collecttop", "constants": (3,), "order": (Type.TEXT,)}, 90, "ORDER BY"),
    ({"name": "topone", "order": (Type.BIGINT, Type.RECORD)}, 90, "found record"),
    ({"name": "percentile_cont", "constants": (1.01,), "order": (Type.ANY,)}, 0, "0 to 1"),
    ({"name": "percentile_disc", "constants": (-0.1,), "order": (Type.ANY,)}, 0, "0 to 1"),
    ({"name": "percentile_disc", "constants": (None,), "order": (Type.ANY,)}, 0, "0 to 1"),
    ({"name": "percentile_cont", "constants": (1,), "order": (Type.DATETIME,)}, 90, "datetime"),
    ({"name": "percentile_cont", "constants": (1,), "order": (Type.ANY,) * 2}, 90, "one value"),
    ({"name": "count", "types": (), "star": True, "distinct": True}, 90, "needs a value"),
    ({"name": "topone", "order": (Type.ANY,), "distinct": True}, 90, "takes no DISTINCT"),
]


@pytest.mark.parametrize(("call", "place", "message"), MISUSES)
def test_what_can_never_fit_is_refused_when_compiling(call, place, message):
    with pytest.raises(BindError, match=message) as caught:
        make(**call)
    assert caught.value.span.start == place


STATIC = [
    ("sum", Type.BIGINT, Type.BIGINT),
    ("sum", Type.TEXT, Type.FLOAT),
    ("sum", Type.NUMBER, Type.ANY),
    ("avg", Type.BIGINT, Type.FLOAT),
    ("min", Type.DATETIME, Type.DATETIME),
    ("max", Type.TEXT, Type.TEXT),
    ("max", Type.ANY, Type.ANY),
    ("collect", Type.FLOAT, Type.ARRAY),
    ("count", Type.RECORD, Type.BIGINT),
]


@pytest.mark.parametrize(("name", "given", "result"), STATIC)
def test_static_types(name, given, result):
    assert make(name, types=(given,)).type is result
    assert make(name, types=(given,)) == make(name, types=(given,))


# -- ordered aggregates -------------------------------------------------------------------------


def rank_key(value, descending):
    """Return a sort key: NULL is the lowest value."""
    known = value is not None
    key = (known, Fraction(value) if isinstance(value, int | float) else value)
    if not known:
        return (0, 0) if not descending else (1, 0)
    return (1, key[1]) if not descending else (0, -key[1])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kinds", [k for k in MIXTURES if "text" not in k], ids="+".join)
def test_top_against_the_oracle(kinds, descending):
    r, keys = some_values(11, kinds)
    _, second = some_values(12, ("bigint",))
    second = [None if v is None else v % 3 for v in second]
    coarse = [None if k is None else k // 8 * 8 for k in keys]
    labels = [f"v{i}" if i % 7 else None for i in range(len(keys))]
    ranges = some_ranges(r, len(keys))
    columns = [from_values(c) for c in (labels, coarse, second)]
    flags = (descending, not descending)
    top = make("collecttop", constants=(4,), order=(Type.ANY,) * 2, descending=flags)
    one = make("topone", order=(Type.ANY,) * 2, descending=flags)
    tops, ones = over(top, columns, ranges), over(one, columns, ranges)
    for (start, end), several, single in zip(ranges, tops, ones, strict=True):
        rows = sorted(
            range(start, end),
            key=lambda i: (rank_key(coarse[i], flags[0]), rank_key(second[i], flags[1])),
        )
        wanted = [{"rank": n, "value": labels[i]} for n, i in enumerate(rows[:4], 1)]
        assert several == (wanted or None)
        assert single == (labels[rows[0]] if rows else None)


def test_order_by_datetime_and_what_has_no_order():
    moments = [DAY, None, DAY + timedelta(days=1), DAY - timedelta(days=1)]
    labels = from_values([1, 2.5, "three", {"n": 4}])
    one = make("topone", order=(Type.ANY,), descending=(True,))
    assert over(one, [labels, from_values(moments)], [(0, 4), (0, 2), (1, 2), (3, 4)]) == [
        "three", 1, 2.5, {"n": 4},
    ]  # fmt: skip
    mixed = from_values([1, DAY, 2.5, None])
    assert over(one, [labels, mixed], [(0, 1), (1, 2), (2, 4)]) == [1, 2.5, "three"]
    with pytest.raises(DataError, match="numbers and datetimes") as caught:
        over(one, [labels, mixed], [(0, 1), (1, 3)])
    assert caught.value.row == 2
    with pytest.raises(DataError, match=r"ORDER BY of TopOne .* found nvarchar") as caught:
        over(one, [labels, from_values([1, "2", 3, 4])], [(0, 4)])
    assert caught.value.row == 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("share", [0, 0.07, 0.2, 0.21, 0.5, 0.7, 0.9, 1])
@pytest.mark.parametrize("kinds", MIXTURES[:-1], ids="+".join)
def test_percentiles_against_the_oracle(kinds, share, descending):
    r, values = some_values(5, kinds, 130)
    ranges = some_ranges(r, len(values))
    common = {"constants": (share,), "order": (Type.ANY,), "descending": (descending,)}
    columns = [from_values(values)]
    cont = over(make("percentile_cont", **common), columns, ranges)
    disc = over(make("percentile_disc", **common), columns, ranges)
    for (start, end), between, member in zip(ranges, cont, disc, strict=True):
        known = [as_number(v) for v in values[start:end] if v is not None]
        known.sort(reverse=descending)
        if not known:
            assert between is None
            assert member is None
            continue
        place = Fraction(str(share)) * (len(known) - 1)
        low, high = (Fraction(known[f(place)]) for f in (math.floor, math.ceil))
        assert same(between, float(low + (high - low) * (place % 1)))
        first = math.ceil(Fraction(str(share)) * len(known))
        assert same(member, known[max(first, 1) - 1])


@pytest.mark.parametrize(("share", "place"), [(0.07, 7), (0.14, 14), (0.29, 29), (0.57, 57)])
def test_the_share_counts_and_not_the_rounded_product(share, place):
    disc = make("percentile_disc", constants=(share,), order=(Type.BIGINT,))
    assert over(disc, [from_values(list(range(1, 101)))], [(0, 100)]) == [place]


def test_percentiles_of_datetimes():
    moments = [DAY + timedelta(seconds=s) for s in (3, 1, 2)]
    disc = make("percentile_disc", constants=(0.5,), order=(Type.DATETIME,))
    assert over(disc, [from_values(moments)], [(0, 3), (0, 1)]) == [moments[2], moments[0]]
    cont = make("percentile_cont", constants=(0.5,), order=(Type.ANY,))
    with pytest.raises(DataError, match="found datetime") as caught:
        over(cont, [from_values(moments)], [(0, 3)])
    assert caught.value.row == 0


def test_collect_keeps_whole_events_and_types():
    events = [{"a": 1, "t": DAY}, {"a": None}]
    whole = make("collect", types=(Type.RECORD,), star=True)
    assert over(whole, [from_values(events)], [(0, 2), (1, 2)]) == [events, events[1:]]
    values = [1, 1.0, 'a"b', True, [1], DAY, None]
    assert over(make("collect"), [from_values(values)], [(0, 7), (6, 7), (7, 7)]) == [
        values[:6], [], None,
    ]  # fmt: skip


def test_results_of_many_overlapping_ranges_are_computed_in_portions(monkeypatch):
    monkeypatch.setattr("streamql.functions.aggregates.collect._MOST_BYTES", 300)
    values = [i if i % 3 else None for i in range(50)]
    ranges = [(i, min(i + 20, 50)) for i in range(50)]
    found = over(make("collect"), [from_values(values)], ranges)
    assert found == [[v for v in values[a:b] if v is not None] for a, b in ranges]


# -- in queries ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AGGREGATES)
def test_examples_give_what_they_say(name):
    spec = AGGREGATES[name]
    assert spec.documentation
    query, rows, wanted = spec.example
    assert spec.name.lower() in query.lower()
    with streamql.Engine() as engine:
        engine.register("input", rows)
        assert engine.sql(query).fetchall() == wanted
