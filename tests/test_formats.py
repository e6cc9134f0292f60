"""Formats: bytes to rows and rows to bytes, also for input that is damaged or hostile."""

import csv
import datetime
import decimal
import gzip
import io
import json
import random
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamql.column import Column, from_values, nulls
from streamql.errors import InputError, OutputError, UsageError
from streamql.formats.catalog import Format
from streamql.formats.compression import (
    BLOCK_BYTES,
    Compression,
    Decompressor,
    GzipCompressor,
    split_suffix,
)
from streamql.formats.csv import CsvDecoder
from streamql.formats.csv_write import CsvEncoder
from streamql.formats.json_write import (
    JsonArrayEncoder,
    encode_lines,
    encode_records,
)
from streamql.formats.parquet import ParquetEncoder, read_file
from streamql.formats.table import rows_from_arrow, to_arrow
from streamql.types import DATETIME_MARK, Type

UTC = datetime.UTC


def decoded(decoder, data, step=None):
    """Return (names, rows, event numbers, bad events) of data fed in pieces of `step` bytes."""
    step = step or max(1, len(data))
    found = [d for i in range(0, len(data), step) for d in decoder.feed(data[i : i + step])]
    found += decoder.finish()
    rows, events, bad = [], [], []
    for part in found:
        events += part.events.tolist()
        bad += [(b.event, b.reason, b.text, b.line) for b in part.bad]
        rows += list(zip(*(c.to_pylist() for c in part.rows.columns.values()), strict=True))
    return list(found[0].rows.columns) if found else None, rows, events, bad


# -- CSV in -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "options", "names", "rows"),
    [
        (b"a,b\n1,x\n2,y\n", {}, ["a", "b"], [("1", "x"), ("2", "y")]),
        (b"a;b\n1;x", {"delimiter": ";"}, ["a", "b"], [("1", "x")]),
        (b"a\tb\n1\tx", {"delimiter": "\t"}, ["a", "b"], [("1", "x")]),
        (b"a|b\n1|x", {"delimiter": "|"}, ["a", "b"], [("1", "x")]),
        (b"a b\n1 x", {"delimiter": " "}, ["a", "b"], [("1", "x")]),
        (b"1,2\n3,4\n", {"header": False}, ["column1", "column2"], [("1", "2"), ("3", "4")]),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", {}, ["a", "b"], [("1", "2")]),
        (b'"a,1","b\n2"\n"x\ny","p""q"\n', {}, ["a,1", "b\n2"], [("x\ny", 'p"q')]),
        (b'a,b\n,""\n', {}, ["a", "b"], [(None, "")]),
        (b"a,,b\n1,2,3\n", {}, ["a", "column2", "b"], [("1", "2", "3")]),
        (b"\n\na\n\n1\n\n2\n\n", {}, ["a"], [("1",), ("2",)]),
        (b'a,b\n5" pipe,"x,y"\n', {}, ["a", "b"], [('5" pipe', "x,y")]),
        (b"a,b\n\0,\0\0\n", {}, ["a", "b"], [("\0", "\0\0")]),
        ("a\nZürich 😀\n".encode(), {}, ["a"], [("Zürich 😀",)]),
        (b"a\rb,c\r", {}, ["a"], []),
    ],
)
def test_csv_reads(data, options, names, rows):
    assert decoded(CsvDecoder(**options), data)[:2] == (names, rows)
    if b"\r" not in data.replace(b"\r\n", b""):
        for step in (1, 2, 5):
            assert decoded(CsvDecoder(**options), data, step)[:2] == (names, rows)


@pytest.mark.parametrize("data", [b"", b"a,b", b"a,b\n", b"\n\n", b"\xef\xbb\xbf", b"a"])
def test_csv_without_records_has_no_rows(data):
    assert decoded(CsvDecoder(), data)[1:] == ([], [], [])


def test_csv_bad_records_are_bad_events_with_their_numbers_and_lines():
    data = b'a,b\n1,2\n1,2,3\n"x\ny",2\nz\n\xff,1\nq,\xfe,\xff\n7,8\n'
    for step in (None, 1, 3, 8):
        names, rows, events, bad = decoded(CsvDecoder(), data, step)
        assert rows == [("1", "2"), ("x\ny", "2"), ("7", "8")]
        assert events == [1, 3, 7]
        assert [b[0] for b in bad] == [2, 4, 5, 6]
        assert bad[0][1:] == ("3 fields where the header has 2", b"1,2,3", 3)
        assert bad[1][1:] == ("1 fields where the header has 2", b"z", 6)
        assert bad[2][1:3] == ("the text is not UTF-8", "\ufffd,1".encode())
        assert bad[3][3] == 8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b,a\n1,2,3\n", "two columns of the CSV header are named 'a'"),
        (b"\xff\xfea\0", "UTF-16"),
        (b"\xff\xff,b\n1,2\n", "header is not UTF-8"),
    ],
)
def test_csv_that_is_no_table_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        decoded(CsvDecoder(), data)


def test_csv_gives_the_same_rows_however_it_is_cut():
    choose = random.Random(7)
    for _ in range(400):
        length = choose.randint(1, 40)
        data = b"h,i\n" + bytes(choose.choice(b'ab,"\n\xc3') for _ in range(length))
        whole = decoded(CsvDecoder(), data)
        for step in (1, 2, 3, 7):
            cut = decoded(CsvDecoder(), data, step)
            assert cut[1:3] == whole[1:3], data
            assert [b[:2] for b in cut[3]] == [b[:2] for b in whole[3]], data


def test_csv_reads_what_another_writer_wrote():
    choose = random.Random(3)
    rows = [
        [choose.choice(["", "x", 'q"q', "a,b", "l\nm", "é"]) + str(i), str(i)] for i in range(3000)
    ]
    text = io.StringIO()
    csv.writer(text).writerows([["a", "b"], *rows])
    got = decoded(CsvDecoder(), text.getvalue().encode(), 4096)
    assert [list(row) for row in got[1]] == rows
    assert got[2] == list(range(1, 3001))


def test_csv_takes_a_line_of_ten_megabytes():
    data = b"a,b\n" + b"x" * 10_000_000 + b",1\n2,3\n"
    rows = decoded(CsvDecoder(), data, 65_536)[1]
    assert [(len(a), b) for a, b in rows] == [(10_000_000, "1"), (1, "3")]


def test_csv_never_closed_quote_is_one_bad_event():
    names, rows, events, bad = decoded(CsvDecoder(), b'a,b\n1,2\n"open,3\n4,5\n')
    assert rows == [("1", "2")]
    assert [b[0] for b in bad] == [2]


def test_csv_record_without_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr("streamql.formats.records.MAX_RECORD_BYTES", 1000)
    with pytest.raises(InputError, match="longer than") as caught:
        decoded(CsvDecoder(), b'a\n1\n"' + b"x\n" * 2000, 100)
    assert caught.value.event == 2
    assert "quote" in caught.value.hint


def test_csv_text_cannot_pass_for_a_datetime():
    rows = decoded(CsvDecoder(), f"a\n{DATETIME_MARK}2024-01-01\n".encode())[1]
    assert rows == [("\ufffd2024-01-01",)]


# -- JSON out -----------------------------------------------------------------------------------

MOMENT = datetime.datetime(2024, 3, 5, 8, 15, 0, 123456, UTC)
COLUMNS = {
    "bigint": [1, None, 99_999, -7, 2**63 - 1],
    "small": [0, 9, 10, 9999, 10_000],
    "large": [99_999_999, 10_001, 0, 12_340_000, 5],
    "float": [1.5, None, -0.0, 1e300, 2.0],
    "cents": [0.1, 5.8, 12.34, 100.0, 99_999.9999],
    "text": ["a", "", 'q"\\\n\x01', None, "Zürich 😀"],
    "plain": ["a", "bc", "", "d e", "/"],
    "bit": [True, False, None, True, False],
    "datetime": [MOMENT, None, MOMENT, MOMENT, MOMENT],
    "moments": [MOMENT + datetime.timedelta(seconds=i * 61) for i in range(5)],
    "record": [{"b": 1, "a": None}, {}, None, {"c": {"d": [MOMENT]}}, {"x": "y"}],
    "array": [[1, 2.5, "x"], [], None, [None], [[]]],
    "mixed": [1, 2.5, "x", None, {"a": True}],
    "number": [13, 13.5, None, 14, 14.25],
    "null": [None, None, None, None, None],
}


def plain(value):
    """Return a value as JSON holds it."""
    match value:
        case datetime.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


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


# -- CSV out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeat", [1, 4000])
def test_csv_writes_what_the_standard_reader_reads(repeat):
    names = [n for n in COLUMNS if n not in ("record", "array", "mixed")]
    columns = [from_values(COLUMNS[name] * repeat) for name in names]
    text = bytes(CsvEncoder().columns(names, columns)).decode()
    header, *rows = csv.reader(io.StringIO(text))
    assert header == names
    for name, *values in zip(names, *rows[:5], strict=True):
        for value, given in zip(values, COLUMNS[name], strict=True):
            if given is None:
                assert value == ""
            elif isinstance(given, bool):
                assert value == str(given).lower()
            elif isinstance(given, (int, float)):
                assert type(given)(value) == given
            else:
                assert value == plain(given)
    assert rows == rows[:5] * repeat


def test_csv_out_and_in_again_keeps_null_and_empty_text():
    names = ["a", "b"]
    columns = [from_values([None, "", "x,y", 'q"', "l\nm"]), from_values([1, None, 3, 4, 5])]
    for delimiter in ",;\t| ":
        encoder = CsvEncoder(delimiter=delimiter)
        text = bytes(encoder.columns(names, columns)) + bytes(encoder.columns(names, columns))
        got = decoded(CsvDecoder(delimiter=delimiter), text)
        rows = [(None, "1"), ("", None), ("x,y", "3"), ('q"', "4"), ("l\nm", "5")]
        assert got[:2] == (names, rows * 2)


def test_csv_writes_nested_values_as_words():
    columns = [from_values(COLUMNS[name]) for name in ("record", "array", "mixed")]
    text = bytes(CsvEncoder(header=False).columns(["r", "a", "m"], columns)).decode()
    assert text.splitlines() == [
        "Record,Array,1",
        "Record,Array,2.5",
        ",,x",
        "Record,Array,",
        "Record,Array,Record",
    ]


def test_csv_of_one_column_has_no_blank_lines():
    assert bytes(CsvEncoder().columns(["a"], [nulls(2)])) == b'a\n""\n""\n'
    assert bytes(CsvEncoder().columns(["a"], [from_values([None, "x"])])) == b'a\n""\nx\n'


def test_csv_header_is_the_law():
    encoder = CsvEncoder()
    encoder.columns(["a", "b"], [from_values([1]), from_values([2])])
    fitting = encoder.records(pa.array(['{"b":5}', '{"b":6,"a":7}']))
    assert bytes(fitting) == b",5\n7,6\n"
    with pytest.raises(OutputError, match="'c' is not in the CSV header"):
        encoder.records(pa.array(['{"c":5}']))


# -- Arrow tables and parquet -------------------------------------------------------------------

ARROW = {
    "int8": (pa.array([1, None], pa.int8()), Type.BIGINT, [1, None]),
    "uint64": (pa.array([2**63 - 1, None], pa.uint64()), Type.BIGINT, [2**63 - 1, None]),
    "float32": (pa.array([1.5, None], pa.float32()), Type.FLOAT, [1.5, None]),
    "float16": (pa.array(np.array([1.5, 2], np.float16)), Type.FLOAT, [1.5, 2.0]),
    "nan": (pa.array([float("nan"), float("inf")]), Type.FLOAT, [None, None]),
    "decimal": (pa.array([decimal.Decimal("1.25"), None]), Type.FLOAT, [1.25, None]),
    "string": (pa.array(["x", None]), Type.TEXT, ["x", None]),
    "large": (pa.array(["x", None], pa.large_string()), Type.TEXT, ["x", None]),
    "view": (pa.array(["x", None], pa.string_view()), Type.TEXT, ["x", None]),
    "dictionary": (pa.array(["x", None]).dictionary_encode(), Type.TEXT, ["x", None]),
    "bit": (pa.array([True, None]), Type.BIT, [True, None]),
    "null": (pa.nulls(2), Type.NULL, [None, None]),
    "naive": (
        pa.array([datetime.datetime(2024, 3, 5, 8, 15, 0, 123456), None], pa.timestamp("ns")),
        Type.DATETIME,
        [MOMENT, None],
    ),
    "zone": (
        pa.array([MOMENT, None], pa.timestamp("us", "Europe/Zurich")),
        Type.DATETIME,
        [MOMENT, None],
    ),
    "date": (
        pa.array([datetime.date(2024, 3, 5), None]),
        Type.DATETIME,
        [datetime.datetime(2024, 3, 5, tzinfo=UTC), None],
    ),
    "binary": (pa.array([b"\0a", None]), Type.TEXT, ["AGE=", None]),
    "time": (pa.array([datetime.time(1, 2, 3), None]), Type.TEXT, ["01:02:03.000000", None]),
    "struct": (
        pa.array([{"a": 1, "b": {"c": [1.5, None]}}, None]),
        Type.RECORD,
        [{"a": 1, "b": {"c": [1.5, None]}}, None],
    ),
    "map": (
        pa.array([[("k", 1), ("l", None)], None], pa.map_(pa.string(), pa.int32())),
        Type.RECORD,
        [{"k": 1, "l": None}, None],
    ),
    "list": (pa.array([["a", None], []]), Type.ARRAY, [["a", None], []]),
    "fixed": (pa.array([[1, 2], None], pa.list_(pa.int8(), 2)), Type.ARRAY, [[1, 2], None]),
    "moments": (pa.array([[MOMENT], None]), Type.ARRAY, [[MOMENT], None]),
}


@pytest.mark.parametrize("name", list(ARROW))
def test_arrow_types_become_sql_types(name):
    values, kind, expected = ARROW[name]
    column = rows_from_arrow(pa.record_batch({"c": values})).columns["c"]
    assert column.type is kind
    assert column.to_pylist() == expected
    tail = rows_from_arrow(pa.record_batch({"c": values}).slice(1)).columns["c"]
    assert tail.to_pylist() == expected[1:]
    empty = rows_from_arrow(pa.record_batch({"c": values}).slice(2)).columns["c"]
    assert empty.to_pylist() == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pa.array([2**63], pa.uint64()), r"column 'c' \(uint64\) does not fit"),
        (pa.array([2**60], pa.timestamp("s")), "years 1 to 9999"),
        (pa.array([datetime.timedelta(1)]), "column 'c': the Arrow type duration"),
    ],
)
def test_arrow_values_without_a_sql_type_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        rows_from_arrow(pa.record_batch({"c": values}))


def test_columns_become_an_arrow_table():
    table = to_arrow({name: from_values(values) for name, values in COLUMNS.items()})
    kinds = {field.name: field.type for field in table.schema}
    assert kinds["bigint"] == pa.int64()
    assert kinds["float"] == kinds["number"] == pa.float64()
    assert kinds["datetime"] == pa.timestamp("us", "UTC")
    assert kinds["array"] == kinds["mixed"] == pa.string()
    assert pa.types.is_struct(kinds["record"])
    assert table["datetime"].to_pylist() == COLUMNS["datetime"]
    assert table["mixed"].to_pylist() == ["1", "2.5", '"x"', None, '{"a":true}']
    assert to_arrow({"l": from_values([[1, 2], None])})["l"].to_pylist() == [[1, 2], None]


def test_parquet_there_and_back():
    names = [n for n in COLUMNS if n not in ("record", "array", "mixed")]
    columns = [from_values(COLUMNS[name]) for name in names]
    encoder = ParquetEncoder()
    data = encoder.columns(names, columns) + encoder.columns(names, columns) + encoder.end()
    parts = list(read_file(io.BytesIO(data), batch_rows=4))
    assert [part.events.tolist() for part in parts] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    for name in names:
        values = [v for part in parts for v in part.rows.columns[name].to_pylist()]
        assert values == COLUMNS[name] * 2


def test_parquet_keeps_nested_values():
    encoder = ParquetEncoder()
    columns = [from_values([{"a": [1, 2]}, None]), from_values([{}, {}]), from_values([[], []])]
    data = encoder.columns(["r", "e", "l"], columns) + encoder.end()
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [
        {"r": {"a": [1, 2]}, "e": "{}", "l": "[]"},
        {"r": None, "e": "{}", "l": "[]"},
    ]


def test_parquet_schema_is_that_of_the_first_group(monkeypatch):
    monkeypatch.setattr("streamql.formats.parquet.GROUP_ROWS", 2)
    encoder = ParquetEncoder()
    data = encoder.columns(["a", "b"], [from_values([1.5, 2]), nulls(2)])
    data += encoder.columns(["a", "b"], [from_values([3, 4]), from_values([5, 6])])
    with pytest.raises(OutputError, match="'a' is double in the parquet file"):
        encoder.columns(["a", "b"], [from_values(["x", "y"]), nulls(2)])
    with pytest.raises(OutputError, match="'c' is not in the parquet file"):
        encoder.columns(["c"], [from_values([1, 2])])
    data += encoder.end()
    table = pq.read_table(io.BytesIO(data))
    assert table.to_pydict() == {"a": [1.5, 2.0, 3.0, 4.0], "b": [None, None, "5", "6"]}


def test_parquet_without_rows_is_a_file():
    assert pq.read_table(io.BytesIO(ParquetEncoder().end())).num_rows == 0


def test_parquet_damaged_is_refused():
    with pytest.raises(InputError, match="the parquet file cannot be read after 0 rows"):
        list(read_file(io.BytesIO(b"PAR1 this is no parquet PAR1")))


# -- compression --------------------------------------------------------------------------------

TEXT = b"".join(b"line %d\n" % i for i in range(5000))
RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": (Compression.GZIP, gzip.compress(TEXT)),
    "members": (
        Compression.GZIP,
        gzip.compress(TEXT[:999]) + gzip.compress(TEXT[999:]) + b"\0" * 9,
    ),
    "noticed": (Compression.NONE, gzip.compress(TEXT)),
    "zlib": (Compression.DEFLATE, zlib.compress(TEXT)),
    "raw": (Compression.DEFLATE, RAW.compress(TEXT) + RAW.flush()),
    "none": (Compression.NONE, TEXT),
}


def unpacked(kind, data, step):
    unpacker = Decompressor(kind)
    blocks = [b for i in range(0, len(data), step) for b in unpacker.feed(data[i : i + step])]
    return b"".join([*blocks, *unpacker.finish()])


@pytest.mark.parametrize("name", list(PACKED))
@pytest.mark.parametrize("step", [1, 1000, 10**6])
def test_unpacks(name, step):
    kind, data = PACKED[name]
    assert unpacked(kind, data, step) == TEXT


@pytest.mark.parametrize("data", [b"", b"x"])
def test_nothing_to_unpack(data):
    assert unpacked(Compression.NONE, data, 1) == data
    assert unpacked(Compression.GZIP, b"", 1) == b""


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (Compression.GZIP, gzip.compress(TEXT)[:-20], "the gzip data end too early"),
        (Compression.DEFLATE, zlib.compress(TEXT)[:-20], "the deflate data end too early"),
        (Compression.GZIP, b"this is no gzip", "the gzip data are damaged"),
        (Compression.GZIP, gzip.compress(TEXT) + b"garbage", "the gzip data are damaged"),
        (Compression.DEFLATE, zlib.compress(TEXT) + b"garbage", "follow the end"),
        (Compression.GZIP, b"x", "one byte is no gzip stream"),
    ],
)
def test_damaged_streams_are_refused(kind, data, message):
    with pytest.raises(InputError, match=message):
        unpacked(kind, data, 4096)


def test_a_small_file_that_unpacks_to_much_comes_in_blocks():
    data = gzip.compress(b"0" * 30_000_000)
    sizes = [len(block) for block in Decompressor(Compression.GZIP).feed(data)]
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= BLOCK_BYTES


def test_packs():
    packer = GzipCompressor()
    data = packer.pack(TEXT[:100]) + packer.flush()
    assert zlib.decompressobj(31).decompress(data) == TEXT[:100]
    assert gzip.decompress(data + packer.pack(TEXT[100:]) + packer.end()) == TEXT


# -- the catalog --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name", "compression", "delimiter"),
    [
        ("a.jsonl", "lines", "none", ","),
        ("a.NDJSON.GZ", "lines", "gzip", ","),
        ("a.json.deflate", "json", "deflate", ","),
        ("a.csv", "csv", "none", ","),
        ("a.tsv.gz", "csv", "gzip", "\t"),
        ("a.parquet", "parquet", "none", ","),
        ("a.log", "json", "none", ","),
        ("", "json", "none", ","),
    ],
)
def test_a_name_tells_the_format(path, name, compression, delimiter):
    found = Format().of_file(path)
    assert (found.name, found.compression.value, found.delimiter) == (name, compression, delimiter)


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"fromat": "csv"}, "no option 'fromat'", "did you mean format?"),
        ({"format": "cvs"}, "no format 'cvs'", "did you mean csv?"),
        ({"format": "xml"}, "no format 'xml'", "json, lines, array, csv, parquet"),
        ({"compression": "gz"}, "no compression 'gz'", "gzip"),
        ({"delimiter": "x"}, "no CSV delimiter 'x'", "semicolon"),
        ({"header": "maybe"}, "option header is 'maybe'", "true or false"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        Format.of_options(options)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", [";", "semicolon"])
def test_delimiters_have_names(text):
    assert Format.of_options({"delimiter": text}).delimiter == ";"


def test_a_packed_parquet_file_is_refused():
    with pytest.raises(UsageError, match="packed as a whole"):
        Format().of_file("a.parquet.gz")


def test_suffixes():
    assert split_suffix("x.jsonl.gz") == ("x.jsonl", Compression.GZIP)
    assert split_suffix("x.jsonl") == ("x.jsonl", Compression.NONE)
