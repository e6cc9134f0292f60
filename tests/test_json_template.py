"""Templates of JSON lines: which lines make one, and which lines have its form."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from streamql.formats.json_legal import legal, misfit
from streamql.formats.json_lines import TemplateRows, match
from streamql.formats.json_read import scan
from streamql.formats.json_template import MAX_LINE, template_of
from streamql.types import Type

LINE = b' {"a" : "x", "b":1,"c":{"d":[1,"y"],"e":{}},"f":""} '


def test_literals_and_slots_make_up_the_line() -> None:
    template = template_of(LINE)
    assert template is not None
    assert [literal.text for literal in template.literals] == [
        b' {"a" : "', b'", "b":', b',"c":{"d":', b',"e":', b'},"f":"', b'"} '
    ]  # fmt: skip
    assert template.quotes == 18
    assert (len(template.bare), len(template.strings)) == (3, 2)
    inner = (template.root.members or {})["c"].members
    assert inner is not None
    assert list(inner) == ["d", "e"]


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"a":{}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"\\u0061":1}',
        b'{"a":1}{"b":2}',
        b"[1]",
        b'"a"',
        b"",
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a":"' + b"x" * MAX_LINE + b'"}',
    ],
)
def test_lines_that_make_no_template(line: bytes) -> None:
    assert template_of(line) is None


def matched(template_line: bytes, *lines: bytes) -> list[bytes]:
    template = template_of(template_line)
    assert template is not None
    block, fit = scan(b"\n".join(lines) + b"\n")
    found = match(block, template, np.flatnonzero(fit & (block.counts() == template.quotes)))
    return [] if found is None else [lines[i] for i in found[0]]


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        (b'{"a":"","b":[1]}', True),
        (b'{"a":"long text, with } and : in it","b":null}', True),
        (b'{"a":"\\"\\\\","b":1e3}', True),
        (b'{"a":"x","b":1} ', False),
        (b'{"a":"x","b":1}}', False),
        (b' {"a":"x","b":1}', False),
        (b'{"a":"x","b": 1}', False),
        (b'{"a":"x","c":1}', False),
        (b'{"A":"x","b":1}', False),
        (b'{"a":1,"b":"x"}', False),
        (b'{"a":"x","b":}', False),
        (b'{"a":"x","b":1,2}', False),
        (b'{"a":"x","b":01}', False),
        (b'{"a":"\\x","b":1}', False),
        (b'{"a":"x\x01","b":1}', False),
        (b'"a":"x","b":1', False),
    ],
)
def test_which_lines_match(line: bytes, fits: bool) -> None:
    form = b'{"a":"x","b":1}'
    assert matched(form, line) == ([line] if fits else [])
    expected = [form, line, form] if fits else [form, form]
    assert matched(form, form, line, form) == expected


def test_places_of_objects_inside() -> None:
    template = template_of(LINE)
    assert template is not None
    block, _ = scan(LINE + b"\n" + LINE.replace(b'"x"', b'"long"') + b"\n")
    found = match(block, template, np.arange(2))
    assert found is not None
    rows = TemplateRows(found[1])
    assert rows.record().values[1].as_py() == LINE.replace(b'"x"', b'"long"').strip().decode()
    assert rows.field(("c",)).values[1].as_py() == '{"d":[1,"y"],"e":{}}'
    assert rows.field(("c", "d")).values[0].as_py() == '[1,"y"]'
    assert rows.take(np.array([1])).field(("a",)).to_pylist() == ["long"]


@pytest.mark.parametrize(
    ("texts", "expected", "kind"),
    [
        (["1", "0", "123456789012345678"], None, Type.BIGINT),
        (["1", "9223372036854775807", "-9223372036854775808"], None, None),
        (["9223372036854775807", "9223372036854775808"], [True, False], None),
        (["1.5", "0.0", "12345678901234567890.25"], None, Type.FLOAT),
        (["1", "01", "00", "0"], [True, False, False, True], None),
        (["1.5", "01.5", ".5", "5.", "0.5"], [True, False, False, False, True], None),
        (["1.2.3", "1", "2.5"], [False, True, True], None),
        (["-1", "-", "--1", "1-", "-01", "-0", "-0.5", "-.5"],
         [True, False, False, False, False, True, True, False], None),
        (["1e5", "1E-5", "1e", "e5", "1e999", "1e+5"],
         [True, True, False, False, False, True], None),
        (["null", "true", "false", "nul", "True", "nan", "Infinity"],
         [True, True, True, False, False, False, False], None),
        (["[1]", "[1,]", "{}", "[9223372036854775808]", '["a"]', "[1", "2]"],
         [True, False, True, False, True, False, False], None),
        (["", "1"], [False, True], None),
        (["1,2", "1 2", " 1", "0x1F", "+1", "1_0", "٣"], [False] * 7, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_legal_values(texts: list[str], expected: list[bool] | None, kind: Type | None) -> None:
    fine, found = legal(pa.array(texts, pa.string()))
    assert (None if fine is None else fine.tolist()) == expected
    assert found is kind


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":"99999999999999999999"}', None),
        (b'{"a":"\\"99999999999999999999"}', None),
        (b'{"a":99999999999999999999.5}', None),
        (b'{"a":99999999999999999999e1}', None),
        (b'{"a":[99999999999999999999]}', "the integer 99999999999999999999 does not fit"),
        (b"[" * 390 + b"]" * 390, None),
        (b"[]," * 500, None),
        (b"[" * 401 + b"]" * 401, "nested 401 levels deep, and 400 are the most"),
        (b'"' + b"[" * 900 + b'"', None),
    ],
)
def test_misfits(text: bytes, reason: str | None) -> None:
    found = misfit(text)
    assert found is None if reason is None else reason in (found or "")
