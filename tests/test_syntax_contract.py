"""Grammar, nodes, builders and printer agree; the corpus parses; the tables are cached."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from syntax_trees import CASES, all_texts

from streamql.syntax import build, nodes, parser, printer
from streamql.syntax.parser import parse
from streamql.syntax.source import RESERVED, blank_comments


@pytest.mark.parametrize("case", CASES, ids=[c.parent.name for c in CASES])
def test_conformance_queries_parse_and_print(case: Path) -> None:
    script = parse(case.read_text(encoding="utf-8"))
    assert script.statements
    assert parse(printer.print_script(script)) == script


def test_printed_texts_mean_the_same() -> None:
    for text in all_texts():
        script = parse(text)
        assert parse(printer.print_script(script)) == script, text


# -- grammar, nodes and builders agree ----------------------------------------------------------


def classes() -> set[type]:
    found = (c for c in vars(nodes).values() if isinstance(c, type) and is_dataclass(c))
    return {c for c in found if issubclass(c, nodes.Node)} - {nodes.Node}


def walk(node: object) -> typing.Iterator[object]:
    if isinstance(node, tuple):
        for part in node:
            yield from walk(part)
    elif isinstance(node, nodes.Node):
        yield node
        for field in fields(node):
            yield from walk(getattr(node, field.name))


def rules() -> set[str]:
    found = {str(r.alias or r.origin.name) for r in parser.lark().rules}
    # names with an underscore are inlined, and a rule with ? of one part is that part
    return {r for r in found if not r.startswith("_")}


def test_reserved_words_are_those_of_the_grammar() -> None:
    (pattern,) = re.findall(r"^NAME: /\(\?!\(([A-Z|]+)\|\(RIGHT", parser.grammar_text(), re.M)
    assert set(pattern.split("|")) == RESERVED


def test_every_node_class_is_reached_by_the_grammar() -> None:
    reached = {type(node) for text in all_texts() for node in walk(parse(text))}
    assert {c.__name__ for c in classes()} == {c.__name__ for c in reached}


def test_every_rule_has_a_builder_and_every_builder_a_rule() -> None:
    inlined = {str(r.origin.name) for r in parser.lark().rules if r.options.expand1 and not r.alias}
    needed = rules()
    built = {r for r in needed if r in build.SHAPES or r in build.NODES or r.endswith("_list")}
    assert needed - built <= inlined, "a rule without a builder"
    assert set(build.SHAPES) <= needed, "a shape without a rule"


def test_every_rule_is_used_by_the_texts() -> None:
    used: set[str] = set()
    for text in all_texts():
        used |= {
            str(branch.data) for branch in parser.lark().parse(blank_comments(text)).iter_subtrees()
        }
    inlined = {str(r.origin.name) for r in parser.lark().rules if r.options.expand1 and not r.alias}
    assert rules() - inlined <= used


def test_names_in_the_tree_are_plain_text() -> None:
    for node in walk(parse("SELECT a AS [b] FROM t JOIN u ON a = 'x'")):
        for field in fields(node):
            value = getattr(node, field.name)
            assert not isinstance(value, str) or type(value) is str


# -- loading ------------------------------------------------------------------------------------


def run_python(code: str, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": os.getcwd()},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


PARSE_ONE = (
    "import sys, json; from streamql.syntax.parser import parse; before = 'lark' in sys.modules;"
    "print(json.dumps([before, len(parse('SELECT a FROM t').statements)]))"
)


def test_import_is_light_and_tables_are_cached(tmp_path: Path) -> None:
    assert json.loads(run_python(PARSE_ONE, tmp_path)) == [False, 1]
    (file,) = (tmp_path / "streamql").iterdir()
    written = file.stat().st_mtime_ns
    assert json.loads(run_python(PARSE_ONE, tmp_path)) == [False, 1]
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["truncated", "no directory"])
def test_a_broken_cache_does_no_harm(tmp_path: Path, damage: str) -> None:
    if damage == "truncated":
        run_python(PARSE_ONE, tmp_path)
        (file,) = (tmp_path / "streamql").iterdir()
        file.write_bytes(file.read_bytes()[:5000])
    else:
        (tmp_path / "streamql").write_text("a file where the directory should be")
    assert json.loads(run_python(PARSE_ONE, tmp_path)) == [False, 1]
