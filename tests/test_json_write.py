"""JSON out: the values of all types, by every way they are written."""

import json

import numpy as np
import pyarrow as pa
import pytest
from format_values import COLUMNS, plain

from streamql.column import Column, from_values
from streamql.formats.json_write import JsonArrayEncoder, encode_lines, encode_records
from streamql.types import DATETIME_MARK, Type


@pytest.mark.parametrize("repeat", [1, 30, 4000])
def test_json_lines_hold_the_values(repeat):
    names = list(COLUMNS)
    columns = [from_values(values * repeat) for values in COLUMNS.values()]
    lines = encode_lines(names, columns).to_pybytes().decode().splitlines()
    expected = [
        dict(zip(names, map(plain, row), strict=True))
        for row in zip(*COLUMNS.values(), strict=True)
    ]
    assert len(lines) == 5 * repeat
    assert [json.loads(line) for line in lines] == expected * repeat
    assert all(list(json.loads(line)) == names for line in lines[:5])


@pytest.mark.parametrize("name", list(COLUMNS))
@pytest.mark.parametrize("repeat", [1, 5000])
def test_json_lines_of_one_column(name, repeat):
    column = from_values(COLUMNS[name] * repeat)
    lines = encode_lines([name], [column]).to_pybytes().decode().splitlines()
    assert [json.loads(line)[name] for line in lines] == [plain(v) for v in COLUMNS[name]] * repeat


def test_json_floats_keep_their_fraction_and_bigints_have_none():
    columns = [from_values([2.0, 2.5] * 10_000), from_values([2, 3] * 10_000)]
    lines = encode_lines(["f", "i"], columns).to_pybytes().splitlines()
    assert lines[:2] == [b'{"f":2.0,"i":2}', b'{"f":2.5,"i":3}']


@pytest.mark.parametrize("count", [5, 20_000])
def test_json_floats_read_back_exactly(count):
    choose = np.random.default_rng(5)
    pools = [
        np.round(choose.random(count) * 10_000, 4),
        np.round(choose.random(count) * 1e8, 3),
        choose.random(count),
        choose.random(count) * 1e9,
    ]
    for values in pools:
        lines = encode_lines(["f"], [Column(Type.FLOAT, pa.array(values))]).to_pybytes()
        assert [json.loads(line)["f"] for line in lines.splitlines()] == values.tolist()


@pytest.mark.parametrize("count", [3, 30_000])
def test_json_has_no_nan(count):
    values = [float("nan"), float("inf"), 1.5] * (count // 3)
    lines = encode_lines(["f"], [Column(Type.FLOAT, pa.array(values))]).to_pybytes().splitlines()
    assert lines[:3] == [b'{"f":null}', b'{"f":null}', b'{"f":1.5}']


def test_json_datetimes_of_years_1_to_9999():
    ticks = [-621_355_968_000_000_000, 0, 2_534_023_007_999_999_999] * 4000
    column = Column(Type.DATETIME, pa.array(ticks, pa.int64()))
    for some in (column, column.slice(0, 3)):
        lines = encode_lines(["t"], [some]).to_pybytes().splitlines()
        assert lines[0] == b'{"t":"0001-01-01T00:00:00.0000000Z"}'
        assert lines[2] == b'{"t":"9999-12-31T23:59:59.9999999Z"}'


@pytest.mark.parametrize("step", [10_000_000, 1_000_000, 10_000, 1])
def test_json_datetimes_are_the_same_by_every_way(step):
    ticks = np.arange(12_000, dtype=np.int64) * step + 17_000_000_000_000_000
    column = Column(Type.DATETIME, pa.array(ticks))
    lines = encode_lines(["t"], [column]).to_pybytes().decode().splitlines()
    assert lines == ['{"t":' + text + "}" for text in column.to_json(marked=False).to_pylist()]


def test_json_of_slices():
    whole = [from_values(values * 10) for values in COLUMNS.values()]
    names = list(COLUMNS)
    part = encode_lines(names, [c.slice(7, 30) for c in whole]).to_pybytes().splitlines()
    assert part == encode_lines(names, whole).to_pybytes().splitlines()[7:37]


def test_json_records_go_out_as_they_are():
    texts = pa.array(['{"a":1}', f'{{"t":"{DATETIME_MARK}2024-01-01T00:00:00.0000000Z"}}'])
    expected = b'{"a":1}\n{"t":"2024-01-01T00:00:00.0000000Z"}\n'
    assert encode_records(texts).to_pybytes() == expected
    assert encode_records(texts.slice(0, 0)).to_pybytes() == b""


@pytest.mark.parametrize("count", [0, 1, 40])
def test_json_array_is_one_array(count):
    encoder = JsonArrayEncoder()
    parts = [encoder.columns(["a"], [from_values(list(range(count)))]) for _ in range(2)]
    parts.append(encoder.records(pa.array(['{"b":1}'] * count, pa.string())))
    text = b"".join([*map(bytes, parts), encoder.end()])
    rows = [{"a": i} for i in range(count)]
    assert json.loads(text) == rows + rows + [{"b": 1}] * count
