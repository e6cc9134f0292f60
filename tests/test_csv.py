"""CSV in and out, also damaged and hostile."""

import csv
import io
import random

import pyarrow as pa
import pytest
from format_values import COLUMNS, plain

from streamql.column import from_values, nulls
from streamql.errors import InputError, OutputError
from streamql.formats.csv import CsvDecoder
from streamql.formats.csv_write import CsvEncoder
from streamql.types import DATETIME_MARK


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
        (b"a,b\r1,2\r3,4\r", {}, ["a", "b"], [("1", "2"), ("3", "4")]),
    ],
)
def test_csv_reads(data, options, names, rows):
    assert decoded(CsvDecoder(**options), data)[:2] == (names, rows)
    for step in (1, 2, 5):
        assert decoded(CsvDecoder(**options), data, step)[:2] == (names, rows)


@pytest.mark.parametrize("data", [b"", b"a,b", b"a,b\n", b"\n\n", b"\xef\xbb\xbf", b"a"])
def test_csv_without_records_has_no_rows(data):
    assert decoded(CsvDecoder(), data)[1:] == ([], [], [])


def test_csv_bad_records_are_bad_events_with_their_numbers_and_lines():
    data = b'a,b\n1,2\n1,2,3\n"x\ny",2\nz\n\xff,1\nq,\xfe,\xff\n7,8\n'
    for step in (None, 1, 3, 8):
        _, rows, events, bad = decoded(CsvDecoder(), data, step)
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
    for _ in range(120):
        length = choose.randint(1, 40)
        data = b"h,i\n" + bytes(choose.choice(b'ab,"\n\r\xc3') for _ in range(length))
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
    _, rows, _, bad = decoded(CsvDecoder(), b'a,b\n1,2\n"open,3\n4,5\n')
    assert rows == [("1", "2")]
    assert [b[0] for b in bad] == [2]


@pytest.mark.parametrize("step", [1, 7, 100, 1000, 10_000])
@pytest.mark.parametrize("tail", ["", 'x"\n3\n', "\n5,6,7\n8\n"])
def test_csv_record_beyond_the_limit_is_one_bad_event_and_the_next_is_good(step, tail):
    data = b'a\n1\n"' + b"x\n" * 3000 + b"2\n" + tail.encode()
    _, rows, _, bad = decoded(CsvDecoder(event_bytes=1100), data, step)
    again = decoded(CsvDecoder(event_bytes=1100), data, 1)
    assert next(b[:2] for b in bad) == (2, "longer than 1,100 bytes; is a closing quote missing?")
    assert rows[0] == ("1",)
    assert rows[1:5] == [("x",)] * 4
    assert (rows, bad) == (again[1], again[3])


def test_csv_record_beyond_the_limit_is_not_kept():
    decoder = CsvDecoder(event_bytes=2000)
    decoder.feed(b'a\n"')
    for _ in range(100):
        decoder.feed(b"y" * 1000)
    assert decoder.place()["bytes"] >= 99_000
    assert [d.bad for d in decoder.feed(b"\n1\n")] == [()]


def test_csv_header_beyond_the_limit_is_refused():
    with pytest.raises(InputError, match="header is longer than 2,000 bytes"):
        decoded(CsvDecoder(event_bytes=2000), b"a" * 5000 + b"\n1\n", 100)


def test_csv_text_cannot_pass_for_a_datetime():
    rows = decoded(CsvDecoder(), f"a\n{DATETIME_MARK}2024-01-01\n".encode())[1]
    assert rows == [("\ufffd2024-01-01",)]


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
