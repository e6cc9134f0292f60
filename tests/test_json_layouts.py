"""JSON in other layouts than lines: arrays, pretty-printed and concatenated documents."""

from __future__ import annotations

import json

import pytest
from decoding import all_events, decode, rows_of

from streamql.errors import UsageError
from streamql.formats.json_read import JsonLinesDecoder

DOCUMENTS = [
    '{"a": 1,\n "b": {"c": ["}", "]"]}}',
    '{\n  "a": "\\"{[,",\n  "b": [\n 1,\n 2\n]\n}',
    '{"a":"\\\\"}',
    '{"a":null,\r\n"b":{}}',
]


@pytest.mark.parametrize("step", [0, 1, 3, 10, 64])
@pytest.mark.parametrize("between", ["\n", "", " \n\n"])
def test_events_of_several_lines(between: str, step: int) -> None:
    data = between.join(DOCUMENTS * 30).encode()
    found = all_events(decode(data, step), [("a",), ("b",)])
    assert [json.loads(text) for text, _ in found] == [json.loads(d) for d in DOCUMENTS * 30]


@pytest.mark.parametrize("step", [0, 1, 3, 10, 64])
@pytest.mark.parametrize("between", [",", ",\n", " ,\n  "])
@pytest.mark.parametrize("around", [("[", "]"), (" \n[\n ", "\n]\n"), ("\ufeff[", "] ")])
def test_an_array_of_events(around: tuple[str, str], between: str, step: int) -> None:
    data = (around[0] + between.join(DOCUMENTS * 30) + around[1]).encode()
    found = all_events(decode(data, step), [("a",), ("b",)])
    assert [json.loads(text) for text, _ in found] == [json.loads(d) for d in DOCUMENTS * 30]


BROKEN_ARRAYS = [
    (b"[]", 0, []),
    (b"[ \n ]", 0, []),
    (b'[{"a":1},{"a":2}]', 2, []),
    (b'[{"a":1},{"a":2},]', 2, [3]),
    (b'[{"a":1},,{"a":2}]', 2, [2]),
    (b'[,{"a":2}]', 1, [1]),
    (b'[ , , {"a":2}]', 1, [1, 2]),
    (b'[{"a":1},1,"x",[{"b":1},2],null]', 1, [2, 3, 4, 5]),
    (b'[{"a":1} {"a":2}]', 2, []),
    (b'[{"a":1}', 1, [2]),
    (b'[{"a":1},{"a"', 1, [2, 3]),
    (b"[", 0, [1]),
    (b'[{"a":1}}', 0, [1]),
    (b'[{"a":1}]x', 1, [2]),
    (b'[{"a":1}]\n{"a":2}\n', 2, []),
    (b'[{"a":"x\ny"},{"a":2}]', 1, [1]),
    (b'[{"a":[}]},{"a":2}]', 0, [1, 2]),  # the brackets close too early
]


@pytest.mark.parametrize("step", [0, 1, 2, 5])
@pytest.mark.parametrize(("data", "good", "wrong"), BROKEN_ARRAYS)
def test_arrays_with_bad_events(data: bytes, good: int, wrong: list[int], step: int) -> None:
    found = decode(data, step)
    assert sum(len(d) for d in found) == good
    assert [b.event for d in found for b in d.bad] == wrong


@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_bad_documents_among_good_ones(step: int) -> None:
    data = b'{\n"a":1}\n x {"a":2}\n}\n{"a":"\\q"}{"a":5\n}{"a":'
    found = decode(data, step)
    assert [e for d in found for e in d.events.tolist()] == [1, 5]
    assert [b.event for d in found for b in d.bad] == [2, 3, 4, 6]


@pytest.mark.parametrize("step", [0, 1, 7, 100])
def test_documents_over_the_limit(step: int) -> None:
    big = '{"a":"' + "x" * 500 + '"}'
    for data in (f'[{{"a":1}},{big},{{"a":3}},{big}]', f'{{"a":\n1}}{big}\n{{"a":3}}{big}'):
        found = decode(data.encode(), step, max_line_bytes=300)
        assert [e for d in found for e in d.events.tolist()] == [1, 3]
        assert [(b.event, b.reason) for d in found for b in d.bad] == [
            (2, "longer than 300 bytes"),
            (4, "longer than 300 bytes"),
        ]


def test_the_second_line_tells_documents_from_a_broken_line() -> None:
    assert rows_of(b'{"a":1,\n{"a":2}\n') == [{"a": 2}]
    assert rows_of(b'{"a":1,\n"b":2}\n') == [{"a": 1, "b": 2}]
    assert rows_of(b'{"a":1,\n"b":2}\n', layout="lines") == []
    assert rows_of(b'[1,\n{"a":2}\n', layout="lines") == [{"a": 2}]


def test_objects_without_any_line_end() -> None:
    data = b'{"a":"' + b"x" * 500 + b'"}'
    found = decode(data * 6000, 1 << 18)
    assert sum(len(d) for d in found) == 6000


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(UsageError, match="no JSON layout is called rows"):
        JsonLinesDecoder(layout="rows")
