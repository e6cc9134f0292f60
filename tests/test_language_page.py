"""The page of the language shows every construct and function, and all that it shows is true."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import fields, is_dataclass

import language_page
import pytest

from streamql.bind.aggregates import aggregate_names
from streamql.functions.builtins import BUILTINS
from streamql.functions.datetime import UNIT_FUNCTIONS
from streamql.functions.documented import Entry, entries
from streamql.syntax import expression_nodes, nodes
from streamql.syntax.parser import parse

PAGE = language_page.PAGE
TEXT = PAGE.read_text(encoding="utf-8")
MADE = runpy.run_path(str(PAGE.parent / "generate.py"))
EXAMPLES = language_page.examples(TEXT)
ENTRIES = entries()
VALUES = re.findall(r"`([^`]+)` → `([^`]+)`", TEXT)

_NO_KERNEL = (
    *("CAST", "TRY_CAST", "COALESCE", "CASE", "BETWEEN", "IN", "IS NULL", "AND", "OR", "NOT"),
    *("GetArrayElements", "GetRecordProperties", "GetMetadataPropertyValue"),
    *("System.Timestamp", "System.Window"),
)


def test_page_is_what_the_generator_makes():
    assert MADE["page"](TEXT) == TEXT, "run python docs/generate.py"


@pytest.mark.parametrize("batch", [None, 1], ids=["whole", "row by row"])
@pytest.mark.parametrize(
    "example", EXAMPLES, ids=[f"{n}: {e.section}" for n, e in enumerate(EXAMPLES)]
)
def test_example(example, batch, tmp_path):
    found = language_page.run(example, tmp_path, batch)
    wanted = example.outputs if example.error is None else example.error
    # text tells 1 from 1.0; an output without rows may have no file
    if isinstance(found, dict) and isinstance(wanted, dict):
        found = {name: rows for name, rows in found.items() if rows}
        wanted = {name: rows for name, rows in wanted.items() if rows}
    assert _lines(found) == _lines(wanted)


def _lines(found: dict | str) -> dict[str, list[str]] | str:
    if isinstance(found, str):
        return found
    return {name: [json.dumps(r) for r in rows] for name, rows in found.items()}


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.calls], ids=lambda e: e.name)
def test_calls_of_functions(entry: Entry):
    truth = {"1": "true", "0": "false", "NULL": "unknown"}
    for call, value in entry.calls:
        if MADE["is_condition"](entry):
            assert language_page.truth_of(call) == truth[value]
        else:
            assert language_page.value_of(call) == MADE["literal"](value)


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_values_in_the_text(expression, value):
    if value in ("true", "false", "unknown"):
        assert language_page.truth_of(expression) == value
    else:
        assert language_page.value_of(expression) == value


def test_every_block_of_sql_is_an_example_or_calls_of_a_function():
    assert TEXT.count("```sql\n") == len(EXAMPLES) + sum(bool(e.calls) for e in ENTRIES)


def test_every_function_of_the_page_is_called_by_an_example():
    called = {
        name for e in EXAMPLES for name in e.javascript if re.search(rf"ud[fa]\.{name}\(", e.query)
    }
    assert called == set(re.findall(r"^```js (\w+)$", TEXT, re.MULTILINE))
    called_python = {source for e in EXAMPLES for source in e.python if _names(source) & _called(e)}
    assert len(called_python) == len(re.findall("^```python$", TEXT, re.MULTILINE))


def _names(source: str) -> set[str]:
    return set(re.findall(r"^(?:async def|def|class) (\w+)", source, re.MULTILINE))


def _called(example: language_page.Example) -> set[str]:
    return set(re.findall(r"\bud[fa]\.(\w+)", example.query))


def test_examples_show_every_construct():
    known = {
        kind.__name__
        for module in (nodes, expression_nodes)
        for kind in vars(module).values()
        if is_dataclass(kind) and kind.__module__ == module.__name__
    }
    shown = {type(n).__name__ for e in EXAMPLES for n in _walk(parse(e.query))}
    assert known - shown == {"Node"}


def _walk(node):
    if is_dataclass(node):
        yield node
        for part in fields(node):
            yield from _walk(getattr(node, part.name))
    elif isinstance(node, tuple | list):
        for part in node:
            yield from _walk(part)


def test_links_lead_to_one_heading():
    headings = [
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in re.findall("^#+ (.*)$", TEXT, re.MULTILINE)
    ]
    for target in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert headings.count(target) == 1, target


def test_every_function_has_an_example():
    known = {e.name: e for e in ENTRIES}
    names = [
        *(f.infix or f.name for f in BUILTINS.values()),
        *UNIT_FUNCTIONS,
        *aggregate_names(),
        *_NO_KERNEL,
    ]
    assert len(known) == len(ENTRIES)
    assert set(names) == set(known)
    for entry in ENTRIES:
        assert entry.text.split("\n", 1)[0].endswith("."), entry.name
        assert entry.calls or entry.example, entry.name
        shown = " ".join(call for call, _ in entry.calls) + (entry.example or ("",))[0]
        name = {"unary -": "-", "IS NULL": "NULL"}.get(entry.name, entry.name)
        assert name in shown, entry.name
