"""Formats: bytes to rows and rows to bytes, also for input that is damaged or hostile."""

import datetime
import decimal
import gzip
import io
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from format_values import COLUMNS, MOMENT, UTC

from streamql.column import from_values, nulls
from streamql.errors import InputError, OutputError, UsageError
from streamql.formats.catalog import Format
from streamql.formats.compression import (
    BLOCK_BYTES,
    Compression,
    Decompressor,
    GzipCompressor,
    split_suffix,
)
from streamql.formats.parquet import ParquetEncoder, read_file
from streamql.formats.table import rows_from_arrow, to_arrow
from streamql.types import Type

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
        pa.array([MOMENT.replace(tzinfo=None), None], pa.timestamp("ns")),
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
    with pytest.raises(InputError, match="the parquet file cannot be read: "):
        list(read_file(io.BytesIO(b"PAR1 this is no parquet PAR1")))


# -- compression --------------------------------------------------------------------------------

TEXT = b"".join(b"line %d\n" % i for i in range(5000))
RAW = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": (Compression.GZIP, gzip.compress(TEXT, mtime=0)),
    "members": (
        Compression.GZIP,
        gzip.compress(TEXT[:999], mtime=0) + gzip.compress(TEXT[999:], mtime=0) + b"\0" * 9,
    ),
    "noticed": (Compression.NONE, gzip.compress(TEXT, mtime=0)),
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
        (Compression.GZIP, gzip.compress(TEXT, mtime=0)[:-20], "the gzip data end too early"),
        (Compression.DEFLATE, zlib.compress(TEXT)[:-20], "the deflate data end too early"),
        (
            Compression.GZIP,
            b"this is no gzip",
            "these are no gzip data: they begin with 'this is no gzip'",
        ),
        (Compression.GZIP, gzip.compress(TEXT, mtime=0) + b"garbage", "the gzip data are damaged"),
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
