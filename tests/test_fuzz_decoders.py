"""Damaged bytes: our errors and nothing else, and the good events around the damage survive."""

from __future__ import annotations

import gzip
import io
import itertools
import json
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing import damaged, examples, flipped, refusal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamql.errors import InputError
from streamql.formats.compression import BLOCK_BYTES, Compression, Decompressor
from streamql.formats.csv import CsvDecoder
from streamql.formats.json_read import JsonLinesDecoder
from streamql.formats.parquet import read_file

SEEDS = st.integers(0, 2**32)
fuzz = settings(max_examples=examples(150))


def event(draw, number):
    """An event of one of a few forms, so that templates are made and left."""
    return [
        {"id": number, "name": "x" * draw.randrange(5), "fare": draw.random()},
        {"id": number, "name": 'äö"\\', "fare": None},
        {"id": number, "tags": [1, {"a": [2]}], "fare": -0.0},
        {"id": number},
    ][draw.choice([0, 0, 0, 0, 1, 2, 3])]


def decode(decoder, data, draw):
    """Return the records of the good events by number, and the bad ones, however data are cut."""
    good, bad, at = {}, {}, 0
    found = []
    while at < len(data):
        step = draw.choice([1, 10, 1000, 100_000])
        found += decoder.feed(data[at : at + step])
        at += step
    for block in found + decoder.finish():
        records = block.rows.record().to_pylist()
        assert len(records) == len(block.rows) == len(block.events)
        good |= dict(zip(block.events.tolist(), records, strict=True))
        for wrong in block.bad:
            assert wrong.reason
            bad[wrong.event] = wrong
    assert sorted([*good, *bad]) == list(range(1, len(good) + len(bad) + 1))
    return good, bad


def survivors(found, wanted):
    """Tell whether all wanted ones were found, in their order."""
    left = iter(found)
    return all(any(one == other for other in left) for one in wanted)


@fuzz
@given(SEEDS)
def test_json_lines_around_damaged_ones(seed):
    draw = Random(seed)
    events = [event(draw, n) for n in range(draw.choice([3, 50, 300]))]
    lines = [json.dumps(e, ensure_ascii=False).encode() for e in events]
    hit = set(draw.sample(range(len(lines)), draw.randrange(1, 4)))
    for number in hit:
        lines[number] = damaged(draw, lines[number], draw.randrange(1, 6)).replace(b"\n", b"")
    data = b"".join(line + b"\n" for line in lines)
    good, _ = decode(JsonLinesDecoder(layout="lines"), data, draw)
    kept = [e for n, e in enumerate(events) if n not in hit]
    assert survivors([good[n] for n in sorted(good)], kept)


@fuzz
@given(SEEDS)
def test_json_of_any_layout(seed):
    draw = Random(seed)
    events = [event(draw, n) for n in range(draw.choice([1, 3, 100]))]
    text = draw.choice(
        [
            "\n".join(json.dumps(e) for e in events),
            json.dumps(events),
            json.dumps(events, indent=1),
            " ".join(json.dumps(e) for e in events),
        ]
    )
    data = damaged(draw, text.encode(), draw.randrange(6))
    first = decode(JsonLinesDecoder(), data, draw)
    assert decode(JsonLinesDecoder(), data, draw) == first


@fuzz
@given(SEEDS)
def test_csv_around_damaged_records(seed):
    draw = Random(seed)
    rows = [
        (str(n), draw.choice(["x", "a,b", 'q"q', "äö", "two\nlines"]))
        for n in range(draw.choice([3, 60]))
    ]
    records = [f'{n},"{t.replace(chr(34), chr(34) * 2)}"'.encode() for n, t in rows]
    hit = set(draw.sample(range(len(records)), draw.randrange(1, 3)))
    for number in hit:
        plain = f"{number},x".encode()
        wrong = damaged(draw, plain, draw.randrange(1, 5))
        records[number] = bytes(b for b in wrong if b not in b'"\r\n')
    data = b"id,t\r\n" + b"".join(record + b"\r\n" for record in records)
    good, _ = decode(CsvDecoder(), data, draw)
    kept = [{"id": n, "t": t} for k, (n, t) in enumerate(rows) if k not in hit]
    assert survivors([good[n] for n in sorted(good)], kept)


@fuzz
@given(SEEDS)
def test_csv_with_anything_in_it(seed):
    draw = Random(seed)
    text = "id,t\n" + "".join(f'{n},"x\n{n}"\n' for n in range(draw.choice([1, 40])))
    data = damaged(draw, text.encode(), draw.randrange(1, 8))
    options = {"header": draw.random() < 0.5, "event_bytes": draw.choice([40, 1 << 20])}
    try:
        first = decode(CsvDecoder(**options), data, draw)
    except InputError:
        return
    again = decode(CsvDecoder(**options), data, draw)
    assert [*again[0].items()] == [*first[0].items()]
    assert [(b.event, b.reason) for b in again[1].values()] == [
        (b.event, b.reason) for b in first[1].values()
    ]


def parquet():
    table = pa.table(
        {"id": range(500), "t": ["x" * (n % 7) for n in range(500)], "l": [[n] for n in range(500)]}
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=100, compression="zstd")
    return file.getvalue()


PARQUET = parquet()


@fuzz
@given(SEEDS)
@example(824)  # a bit of the schema makes numbers durations, which have no SQL type
def test_parquet(seed):
    draw = Random(seed)
    data = draw.choice([damaged, flipped])(draw, PARQUET, draw.randrange(1, 6))

    def read():
        for block in read_file(io.BytesIO(data), 50):
            block.rows.record().to_pylist()

    error = refusal(InputError, read)
    told = ("the parquet file cannot be read", "column '", "two columns are named")
    assert error is None or error.message.startswith(told)


@fuzz
@given(SEEDS)
def test_gzip(seed):
    draw = Random(seed)
    text = "".join(f'{{"id":{n}}}\n' for n in range(500)).encode()
    data = gzip.compress(text, 1, mtime=0)
    start = draw.randrange(len(data))
    data = data[:start] + damaged(draw, data[start:], draw.randrange(1, 4))
    unpacker = Decompressor(Compression.GZIP)

    def unpack():
        for block in itertools.chain(unpacker.feed(data), unpacker.finish()):
            assert len(block) <= BLOCK_BYTES

    error = refusal(InputError, unpack)
    assert error is None or "gzip" in error.message


def test_parquet_with_a_text_that_is_no_utf8():
    """Found by fuzzing: such a text came as far as the output."""
    wrong = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xc3\x28")]
    )
    file = io.BytesIO()
    pq.write_table(pa.table({"t": wrong}), file)
    with pytest.raises(InputError, match="the parquet file cannot be read: "):
        list(read_file(io.BytesIO(file.getvalue())))


def test_parquet_with_a_name_that_is_no_utf8():
    """Found by fuzzing: the library tells it with an error of Python's."""
    file = io.BytesIO()
    pq.write_table(pa.table({"namename": [1]}), file, store_schema=False)
    data = file.getvalue().replace(b"namename", b"name\xffame")
    with pytest.raises(InputError, match="cannot be read: a column's name is no UTF-8"):
        list(read_file(io.BytesIO(data)))
