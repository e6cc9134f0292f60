"""Arrays that are too long to be held at once, with a limit that is small."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from streamql import Engine
from streamql.column import Column, concat
from streamql.errors import DataError
from streamql.functions.aggregates import collect
from streamql.types import Type

WINDOWS = {
    "tumbling": "TumblingWindow(second, 7)",
    "hopping": "HoppingWindow(second, 12, 3)",
    "sliding": "SlidingWindow(second, 9)",
    "session": "SessionWindow(second, 1, 8)",
    "snapshot": "System.Timestamp()",
}
VALUES = {
    "collect": "COLLECT(v) AS x, COUNT(*) AS n",
    "top": "COLLECTTOP(3, v) OVER (ORDER BY v) AS x",
    "both": "COLLECT() AS x, COLLECTTOP(2) OVER (ORDER BY v DESC) AS y, SUM(v) AS s",
}


def stream():
    at = "2024-01-01T00:{:02}:{:02}Z".format
    return [
        {"k": "abc"[n % 3], "v": n * 37 % 101, "t": at(n // 2 // 60, n // 2 % 60)}
        for n in range(200)
    ]


def rows(window, values, over=""):
    with Engine() as engine:
        engine.register("i", stream())
        query = f"SELECT k, {values}, System.Timestamp() AS w FROM i TIMESTAMP BY t GROUP BY k, "
        return engine.sql(query + window).fetchall()


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("window", WINDOWS)
def test_windows_come_in_portions(window, values, monkeypatch):
    whole = rows(WINDOWS[window], VALUES[values])
    sizes = []
    original = collect.refuse_much
    monkeypatch.setattr(
        collect, "refuse_much", lambda name, size: (original(name, size), sizes.append(size))
    )
    monkeypatch.setattr(collect, "MOST_TEXT", 1_500)
    assert rows(WINDOWS[window], VALUES[values]) == whole
    assert sizes
    assert max(sizes) <= 1_500
    # what was too much came in several portions
    assert len(sizes) > 2 or sum(sizes) <= 2 * 1_500


def test_an_array_that_is_too_long_by_itself_is_an_error(monkeypatch):
    monkeypatch.setattr(collect, "MOST_TEXT", 60)
    with pytest.raises(
        DataError, match=r"Collect gives an array of \d+ bytes for \d+ values, "
    ) as e:
        rows("TumblingWindow(minute, 1)", VALUES["collect"])
    assert "at most 60 bytes" in e.value.message
    assert "window shorter" in e.value.hint
    assert e.value.event


def test_over_says_what_makes_it_less(monkeypatch):
    query = "SELECT COLLECT(v) OVER (LIMIT DURATION(second, 9)) AS x FROM i TIMESTAMP BY t"
    found = []
    for most, batch in ((1 << 30, 65_536), (1_500, 65_536), (1_500, 10)):
        monkeypatch.setattr(collect, "MOST_TEXT", most)
        with Engine(batch_rows=batch) as engine:
            engine.register("i", stream())
            try:
                found.append(engine.sql(query).fetchall())
            except DataError as error:
                found.append(error)
    assert found[0] == found[2]
    assert "gives arrays of" in found[1].message
    assert "batch_rows" in found[1].hint


def test_several_windows_at_once_are_refused(monkeypatch):
    windows = "Windows(TumblingWindow(second, 7), HoppingWindow(second, 12, 3))"
    assert rows(windows, VALUES["collect"])
    monkeypatch.setattr(collect, "MOST_TEXT", 1_500)
    with pytest.raises(DataError, match=r"windows of Windows\(\) that end together"):
        rows(windows, VALUES["collect"])


def test_texts_that_no_array_holds_together(monkeypatch):
    size = 1_100_000_000
    data = pa.py_buffer(np.zeros(size, np.uint8))  # pages that nobody touches
    offsets = pa.py_buffer(np.array([0, size], np.int32))
    half = Column(Type.TEXT, pa.StringArray.from_buffers(1, offsets, data))
    with pytest.raises(DataError, match="more than 2 GB of text") as caught:
        concat([half, half])
    assert "window shorter" in caught.value.hint
