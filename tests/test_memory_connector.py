"""Values of the calling program as inputs."""

import asyncio
import datetime
import queue

import pandas as pd
import pyarrow as pa
import pytest

from streamql.connectors.memory import MemorySource
from streamql.errors import InputError, UsageError
from streamql.types import Type

DICTS = [{"n": 1, "t": "x"}, {"n": 2, "t": "y"}, {"n": 3, "t": "z"}]
TABLE = pa.Table.from_pylist(DICTS)


async def later(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


MAKERS = {
    "list": lambda: DICTS,
    "tuple": lambda: tuple(DICTS),
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": lambda: TABLE.to_reader(),
    "pandas": lambda: pd.DataFrame(DICTS, index=[7, 8, 9]),
    "generator": lambda: (d for d in DICTS),
    "batches": lambda: iter(TABLE.to_batches(1)),
    "list of tables": lambda: [TABLE.slice(0, 2), TABLE.slice(2)],
    "mixed": lambda: iter([DICTS[0], TABLE.slice(1, 1), DICTS[2]]),
    "async": lambda: later(DICTS),
    "async tables": lambda: later([TABLE]),
}


def drain(reader):
    records, events, bad = [], [], []
    while (blocks := reader.read()) is not None:
        for block in blocks:
            records += block.rows.record().to_pylist()
            events += block.events.tolist()
            bad += block.bad
    reader.close()
    return records, events, bad


@pytest.mark.parametrize("name", list(MAKERS))
def test_all_kinds_of_data(name):
    assert drain(MemorySource(MAKERS[name]()).open()) == (DICTS, [1, 2, 3], [])
    rest = drain(MemorySource(MAKERS[name]()).open(position={"events": 2}))
    assert rest == (DICTS[2:], [3], [])


@pytest.mark.parametrize("data", [[], (), TABLE.slice(3), iter([]), later([]), pa.table({})])
def test_no_data(data):
    assert drain(MemorySource(data).open()) == ([], [], [])


def test_dicts_keep_their_keys_and_order():
    rows = [{"b": 1, "a": 2}, {"a": 3}, {"a": None, "b": {"c": [1, 2.5, "x"]}}, {}]
    records = drain(MemorySource(rows).open())[0]
    assert [list(r.items()) for r in records] == [list(r.items()) for r in rows]


def test_columns_have_the_types_of_their_values():
    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    row = {"i": 1, "f": 1.5, "b": True, "t": "x", "d": moment, "r": {}, "a": [], "z": None}
    (block,) = MemorySource([row, row]).open().read()
    kinds = [block.rows.field((name,)).type for name in row]
    assert kinds == [
        Type.BIGINT,
        Type.FLOAT,
        Type.BIT,
        Type.TEXT,
        Type.DATETIME,
        Type.RECORD,
        Type.ARRAY,
        Type.NULL,
    ]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (5, "a int is no event"),
        (None, "a NoneType is no event"),
        ({1: 2}, "the key 1 is no text"),
        ({"n": {1, 2}}, "field 'n': a value of type set has no SQL type"),
        ({"n": 2**70}, "does not fit into bigint"),
        ({"n": object()}, "field 'n': a value of type object"),
    ],
)
def test_what_is_no_event_is_bad(item, reason):
    records, events, bad = drain(MemorySource([{"n": 1}, item, {"n": 3}]).open())
    assert (records, events) == ([{"n": 1}, {"n": 3}], [1, 3])
    assert bad[0].event == 2
    assert reason in bad[0].reason


def test_not_a_number_is_null():
    rows = [{"n": float("nan")}, {"n": 1.5}]
    assert drain(MemorySource(rows).open())[0] == [{"n": None}, {"n": 1.5}]
    assert drain(MemorySource(pd.DataFrame(rows)).open())[0] == [{"n": None}, {"n": 1.5}]


@pytest.mark.parametrize("data", ["text", b"bytes", {"n": [1]}, 5, None])
def test_data_that_hold_no_events(data):
    with pytest.raises(UsageError, match="holds no events"):
        MemorySource(data)


@pytest.mark.parametrize("is_async", [False, True])
def test_an_iterator_that_fails(is_async):
    def items():
        yield {"n": 1}
        raise RuntimeError("the sensor is gone")

    async def async_items():
        for item in items():
            yield item

    reader = MemorySource(async_items() if is_async else items(), "rides").open()
    (block,) = reader.read()
    assert len(block) == 1
    with pytest.raises(InputError, match="rides failed after 1 events: RuntimeError: the sensor"):
        reader.read()
    reader.close()


def test_an_iterator_gives_its_rows_at_once():
    source: queue.Queue = queue.Queue()
    reader = MemorySource(iter(source.get, None)).open()
    for n in range(3):
        source.put({"n": n})
        (block,) = reader.read()
        assert block.rows.record().to_pylist() == [{"n": n}]
    source.put(None)
    assert reader.read() is None
    reader.close()


def test_an_endless_iterator_is_not_taken_ahead(monkeypatch):
    monkeypatch.setattr("streamql.connectors.pump.LIMIT", 10)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield {"n": taken}

    reader = MemorySource(endless()).open()
    seen = sum(len(b) for _ in range(20) for b in reader.read())
    reader.close()
    assert 20 <= seen <= 200
    assert taken <= seen + 12


def test_a_stream_of_batches_is_read_as_it_is_needed():
    batch = TABLE.to_batches()[0]
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            if taken > 5:
                raise RuntimeError("the sensor is gone")
            yield batch

    stream = pa.RecordBatchReader.from_batches(batch.schema, endless())
    reader = MemorySource(stream, "rides").open()
    for number in range(1, 6):
        (block,) = reader.read()
        assert block.events.tolist() == [3 * number - 2, 3 * number - 1, 3 * number]
        assert taken == number
    with pytest.raises(InputError, match="rides failed after 15 events"):
        reader.read()
    reader.close()


@pytest.mark.parametrize("count", [200_000])
def test_large_lists_come_in_chunks(count):
    reader = MemorySource([{"n": 1}] * count).open()
    sizes = []
    while (blocks := reader.read()) is not None:
        sizes += [len(b) for b in blocks]
    assert sum(sizes) == count
    assert max(sizes) == 65_536
