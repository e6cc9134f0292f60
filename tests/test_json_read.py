"""The JSON decoder: the same events, values and types whichever way a line is read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from decoding import all_events, bad, decode, many
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql.formats import json_read
from streamql.formats.decoded import SAMPLE_BYTES
from streamql.formats.json_lines import TemplateRows
from streamql.formats.json_read import JsonLinesDecoder
from streamql.formats.json_single import ParsedRows
from streamql.formats.merged import MergedRows


def test_a_block_of_one_form_is_read_by_its_template() -> None:
    lines = "".join(f'{{"a":"x{i}","b":{i},"c":{{"d":{i}.5}}}}\n' for i in range(300))
    (decoded,) = decode(lines.encode())
    assert isinstance(decoded.rows, TemplateRows)
    assert decoded.events.tolist() == list(range(1, 301))
    assert decoded.rows.field(("a",)).values[7].as_py() == "x7"
    assert decoded.rows.field(("B",)).to_pylist() == list(range(300))
    assert decoded.rows.field(("c", "d")).to_pylist()[3] == 3.5
    assert decoded.rows.field(("c",)).values[3].as_py() == '{"d":3.5}'
    assert decoded.rows.field(("c", "no")).to_pylist() == [None] * 300
    assert decoded.rows.field(("a", "no")).to_pylist() == [None] * 300
    assert decoded.rows.field(("no",)).to_pylist() == [None] * 300


def test_rows_in_any_order() -> None:
    lines = "".join(
        f'{{"a":{i}}}\n' if i % 3 else f'{{"a":{i},"b":"\\n{i}"}}\n' for i in range(300)
    )
    (decoded,) = decode(lines.encode())
    assert isinstance(decoded.rows, MergedRows)
    chosen = np.array([7, 3, 3, 299, 0])
    taken = decoded.rows.take(chosen)
    assert taken.field(("a",)).to_pylist() == chosen.tolist()
    assert taken.field(("b",)).to_pylist() == [None, "\n3", "\n3", None, "\n0"]
    again = taken.take(np.array([1, 0]))
    assert again.field(("a",)).to_pylist() == [3, 7]
    assert again.record().to_pylist() == [{"a": 3, "b": "\n3"}, {"a": 7}]


BAD_LINES = [
    (b"[1]", "expected an object, found an array"),
    (b"12", "expected an object, found a number"),
    (b"1.5", "expected an object, found a number"),
    (b'"x"', "expected an object, found a string"),
    (b"true", "expected an object, found true or false"),
    (b"null", "expected an object, found null"),
    (b'{"a":9223372036854775808}', "the integer 9223372036854775808 does not fit into 64 bits"),
    (b'{"a":-9223372036854775809}', "the integer -9223372036854775809 does not fit into 64 bits"),
    (b'{"a":[{"b":99999999999999999999999}]}', "does not fit into 64 bits"),
    (b'{"a":1e999}', "not valid JSON"),
    (b'{"a":NaN}', "(byte 6 of the line)"),
    (b'{"a":Infinity}', "not valid JSON"),
    (b'{"a":01}', "not valid JSON"),
    (b'{"a":+1}', "not valid JSON"),
    (b'{"a":.5}', "not valid JSON"),
    (b'{"a":5.}', "not valid JSON"),
    (b'{"a":1.2.3}', "not valid JSON"),
    (b'{"a":-}', "not valid JSON"),
    (b'{"a":1-2}', "not valid JSON"),
    (b'{"a":}', "not valid JSON"),
    (b'{"a":tru}', "not valid JSON"),
    (b'{"a":[1,]}', "not valid JSON"),
    (b'{"a":1,}', "not valid JSON"),
    (b'{"a":1', "not valid JSON"),
    (b'{"a":1}}', "not valid JSON"),
    (b'{"a":1}x', "not valid JSON"),
    (b'{"a":1} ]', "not valid JSON"),
    (b'{"a":"x\ty"}', "not valid JSON"),
    (b'{"a":"x\0y"}', "not valid JSON"),
    (b'\0{"a":1}', "not valid JSON"),
    (b'{"a":"\xff"}', "not valid UTF-8 (byte 7 of the line)"),
    (b'{"a":"\xed\xa0\x80"}', "not valid UTF-8"),
    (b'{"a":"\\ud800"}', "not valid JSON"),
    (b'{"a":"\\x"}', "not valid JSON"),
    (b"{'a':1}", "not valid JSON"),
    (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
    (b'{"a":' + b"[" * 600 + b"]" * 600 + b"}", "nested 601 levels deep"),
    (b"[" * 100_000, "not valid JSON"),
    (b'{"a":' * 100_000, "not valid JSON"),
]


@pytest.mark.parametrize("around", [1, 200])
@pytest.mark.parametrize(("line", "reason"), BAD_LINES)
def test_bad_lines(line: bytes, reason: str, around: int) -> None:
    good = b'{"a":1}\n' * around
    found = decode(good + line + b"\n" + good, layout="lines")
    (wrong,) = [b for d in found for b in d.bad]
    assert (wrong.event, wrong.line) == (around + 1, around + 1)
    assert reason in wrong.reason
    assert wrong.text == line[:SAMPLE_BYTES]
    assert sum(len(d) for d in found) == 2 * around
    assert found[-1].events[-1] == 2 * around + 1


GOOD_VALUES = [
    "1", "0", "-0", "-7", "0.5", "-0.0", "1.0", "1e3", "1E+2", "1.5e-3", "1e-999", "null", "true",
    "false", "9223372036854775807", "-9223372036854775808", "12345678901234567890.5", "[]", "{}",
    "[1,2]", '["a"]', '{"x":1}', '{"x":1.50}', '{"x": 1}', '[{"a":1,"a":2}]', '{"x":{"y":[null]}}',
    '"text"', '""', '"\\u00e9"', '"é"', '"😀"', '"\\ufdd0x"', '"\ufdd0x"', '"\\\\ufdd0"', '"a b"',
    '"a\\\\"', '"\\"q\\""', '{"x":"\\u0041\\/"}', '["\\n","\\\\"]', "9007199254740993",
    "123456789012345678", "0.00001", "1e16", '{"x":1e16,"y":0.000001}',
    '{"x":123456789012345678.5}', "[-0]", '{"x":"1.50}"}', '"2024-01-01T00:00:00Z"', '"\x7f"',
]  # fmt: skip


@pytest.mark.parametrize("value", GOOD_VALUES)
@pytest.mark.parametrize("form", ['{"a":%s,"b":"x"}', '{"b":"x","a":%s}', ' {"a": %s, "b" : 2} '])
def test_both_ways_give_the_same_value(value: str, form: str) -> None:
    line = form % value
    paths = [("a",), ("b",), ("a", "x"), ("a", "x", "y"), ("A",)]
    single = all_events(decode(line.encode()), paths)
    block = all_events(decode(many(line)), paths)
    assert block == single * 200


@pytest.mark.parametrize("first", ["1", "1.5", "null", "[1]", '"x"', "-3", "true"])
def test_a_column_of_many_kinds(first: str) -> None:
    lines = [f'{{"k":"v","a":{value}}}' for value in [first, *GOOD_VALUES] * 7]
    paths = [("a",), ("k",), ("a", "x")]
    data = "\n".join(lines).encode()
    assert all_events(decode(data), paths) == all_events(decode(data, 61), paths)


def test_values_are_of_their_own_types() -> None:
    column = decode(b'{"a":1}\n{"a":1.0}\n{"a":1e3}\n{"a":"1"}\n')[0].rows.field(("a",))
    assert column.types().to_pylist() == ["bigint", "float", "float", "nvarchar(max)"]


KEYS = st.sampled_from(["a", "b", "A", "key", "é", "x y", ""])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "x", "é\u2028", 'q"', "back\\", "\ufdd0", "1", "a,b", "}{", "\x7f"]),
    st.text(max_size=4),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
PATHS: list[tuple[str, ...]] = [("a",), ("B",), ("a", "b"), ("key",), ("é",), ("",), ("A", "key")]


@settings(max_examples=60)
@given(
    st.lists(OBJECTS, min_size=1, max_size=12),
    st.integers(1, 97),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]),
)
def test_any_objects_any_cuts(
    objects: list[dict[str, Any]], step: int, blanks: bool, ascii_only: bool, end: str
) -> None:
    separators = (", ", ": ") if blanks else (",", ":")
    lines = [json.dumps(o, separators=separators, ensure_ascii=ascii_only) for o in objects]
    try:
        data = end.join(lines).encode()
    except UnicodeEncodeError:  # a lone surrogate cannot be written
        return
    many_times = (data + end.encode()) * (1 + 120 // len(lines))
    expected = all_events(decode(data, step, layout="lines"), PATHS)
    assert len(expected) == len(objects)
    for got in (decode(many_times, layout="lines"), decode(many_times, layout="auto")):
        events = all_events(got, PATHS)
        assert events == expected * (len(events) // len(expected))


@settings(max_examples=120)
@given(st.data())
def test_one_changed_byte_never_passes(data: st.DataObject) -> None:
    line = data.draw(
        st.sampled_from(
            [b'{"a":"x","b":12,"c":[1,"y"],"d":{"e":1.5}}', b'{"a":-1.5,"b":"","c":null}']
        )
    )
    at = data.draw(st.integers(0, len(line)))
    inserted = data.draw(
        st.sampled_from([bytes([c]) for c in range(256) if c != 10] + [b'""', b""])
    )
    cut = data.draw(st.integers(0, 2))
    changed = line[:at] + inserted + line[at + cut :]
    paths = [("a",), ("b",), ("c",), ("d",), ("d", "e")]
    alone = all_events(decode(changed, layout="lines"), paths)
    good = all_events(decode(line), paths)
    block = line + b"\n"
    events = all_events(decode(block * 100 + changed + b"\n" + block * 100, layout="lines"), paths)
    assert events == good * 100 + alone + good * 100


def test_small_blocks_are_parsed_one_by_one() -> None:
    (decoded,) = decode(b'{"a":1}\n{"a":2}\n')
    assert isinstance(decoded.rows, ParsedRows)


def test_no_input() -> None:
    assert decode(b"") == []
    assert decode(b"\n \n\r\n") == []
    assert decode(b"\xef\xbb\xbf") == []


def test_byte_order_mark_at_the_start_only() -> None:
    data = b'\xef\xbb\xbf{"a":1}\n{"a":2}\n'
    for step in (0, 1, 2, 5):
        for layout in ("auto", "lines"):
            assert [b.reason for d in decode(data, step, layout=layout) for b in d.bad] == []
    assert len(bad(b'{"a":1}\n\xef\xbb\xbf{"a":2}\n')) == 1


def test_objects_one_behind_the_other_on_a_line() -> None:
    data = b'{"a":1}\n{"a":2}{"a":"}{"} {"a":4}\n{"a":5}\n{"a":6}{"a":\n{"a":8}\n'
    found = all_events(decode(data), [("a",)])
    assert [text for text, _ in found][:5] == [
        '{"a":1}', '{"a":2}', '{"a":"}{"}', '{"a":4}', '{"a":5}'
    ]  # fmt: skip
    assert found[6][1] == b'{"a":'
    assert found[7][0] == '{"a":8}'
    (wrong,) = bad(data)
    assert (wrong.event, wrong.line) == (7, 4)


def test_a_long_line_over_many_feeds() -> None:
    long = b'{"a":"' + b"x" * 10_000_000 + b'"}\n'
    found = decode(b'{"a":"1"}\n' + long + b'{"a":"2"}', 1 << 16)
    lengths = [n for d in found for n in map(len, d.rows.field(("a",)).to_pylist())]
    assert lengths == [1, 10_000_000, 1]


@pytest.mark.parametrize("step", [0, 1, 7, 64, 1000])
def test_lines_over_the_limit_are_bad_whatever_the_cuts(step: int) -> None:
    line = b'{"a":"' + b"x" * 500 + b'"}'
    data = b'{"a":1}\n' + line + b'\n{"a":2}\n' + line
    found = decode(data, step, max_line_bytes=300)
    wrong = [b for d in found for b in d.bad]
    assert [(b.event, b.line, b.reason) for b in wrong] == [
        (2, 2, "longer than 300 bytes"),
        (4, 4, "longer than 300 bytes"),
    ]
    assert all(b.text == line[:300] for b in wrong)
    assert [e for d in found for e in d.events.tolist()] == [1, 3]


def test_many_forms_in_turn() -> None:
    forms = ['{"a":%d}', '{"a":%d,"b":null}', '{"b":"x","a":%d}', '{"a":"%d"}', '{"A":%d,"c":[1]}']
    data = "".join(forms[i % 5] % i + "\n" for i in range(2000)).encode()
    (decoded,) = decode(data)
    assert isinstance(decoded.rows, MergedRows)
    assert [int(v) for v in decoded.rows.field(("a",)).to_pylist()] == list(range(2000))


def test_a_block_without_any_common_form() -> None:
    data = "".join(f'{{"k{i}":{i}}}\n' for i in range(300)).encode()
    (decoded,) = decode(data)
    assert decoded.rows.field(("k7",)).to_pylist()[7] == 7
    assert len(decoded) == 300


def test_templates_outlive_their_block(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = JsonLinesDecoder()
    decoder.feed(many('{"a":1,"b":"x"}'))
    monkeypatch.setattr(json_read, "template_of", lambda _: pytest.fail("made again"))
    (decoded,) = decoder.feed(many('{"a":2,"b":"yy"}'))
    assert isinstance(decoded.rows, TemplateRows)
    assert decoded.events[0] == 201
