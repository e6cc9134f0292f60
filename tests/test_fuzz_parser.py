"""Texts that are nearly queries: refused with one of our errors and a place in the text, or taken."""

from __future__ import annotations

import re
from random import Random

import pytest
from fuzzing import derived, examples, long, mutated, queries, refusal, soup
from hypothesis import given, settings
from hypothesis import strategies as st

from streamql import Engine
from streamql.errors import ParseError, StreamqlError, render
from streamql.lint.check import check
from streamql.syntax.parser import parse

LONGEST = 10_000
SEEDS = st.integers(0, 2**32)
fuzz = settings(max_examples=examples(150))


@pytest.fixture(scope="module")
def engine():
    with Engine() as made:
        found = re.findall(r"(?:FROM|JOIN)\s+([A-Za-z_]\w*)", " ".join(queries()), re.IGNORECASE)
        for name in {"a", "b", "t", "input", *found}:
            made.register(name, [{"a": 1}])
        yield made


def compile_or_refuse(engine, text):
    """Compile a text; what it is refused with must be ours and lie within the text."""
    text = text[:LONGEST]
    error = refusal(StreamqlError, lambda: engine.sql(text))
    if error is None:
        return
    if error.span is not None:
        assert 0 <= error.span.start <= error.span.end <= len(text), error.message
    assert error.message
    assert render(error, text).startswith("error: ")


@fuzz
@given(SEEDS)
def test_tokens_in_any_order(engine, seed):
    draw = Random(seed)
    compile_or_refuse(engine, soup(draw, draw.randrange(1, 60)))


@fuzz
@given(SEEDS)
def test_queries_with_some_tokens_changed(engine, seed):
    draw = Random(seed)
    compile_or_refuse(engine, mutated(draw, draw.choice(queries()), draw.randrange(1, 6)))


@fuzz
@given(SEEDS)
def test_texts_of_the_grammar(engine, seed):
    compile_or_refuse(engine, derived(Random(seed)))


@fuzz
@given(st.text(max_size=200))
def test_any_text(engine, text):
    compile_or_refuse(engine, text)


@settings(max_examples=examples(15))
@given(SEEDS)
def test_ten_kilobytes_of_anything(engine, seed):
    compile_or_refuse(engine, long(Random(seed), LONGEST))


@fuzz
@given(SEEDS)
def test_checks_of_texts_with_many_mistakes(engine, seed):
    """Each mistake lies within the text; a text that compiles has none but warnings."""
    draw = Random(seed)
    text = mutated(draw, draw.choice(queries()), draw.randrange(8))
    found = check(text, engine.environment(), engine.settings)
    for each in found:
        assert each.message
        if each.span is not None:
            assert 0 <= each.span.start <= each.span.end <= len(text), each.message
    wrong = refusal(StreamqlError, lambda: engine.sql(text)) is not None
    # inputs that nobody has registered are told by the engine alone
    assert wrong or not any(each.severity == "error" for each in found)


def test_what_is_fuzzed_is_often_a_query():
    """A fuzzer whose texts all fail at their first token would find nothing."""
    taken = 0
    for seed in range(200):
        draw = Random(seed)
        for text in (derived(draw), mutated(draw, draw.choice(queries()), 1)):
            taken += refusal(ParseError, lambda t=text: parse(t)) is None
    assert taken > 40


REPEATED = {
    "parentheses": ("SELECT ", "(", "a FROM t"),
    "closing ones": ("SELECT a", ")", " FROM t"),
    "NOT": ("SELECT a FROM t WHERE ", "NOT ", "a = 1"),
    "sums": ("SELECT ", "a+", "a AS x FROM t"),
    "minus": ("SELECT ", "- ", "a AS x FROM t"),
    "cases": ("SELECT ", "CASE WHEN a=1 THEN ", "1"),
    "calls": ("SELECT ", "ABS(", "a"),
    "AND": ("SELECT a FROM t WHERE a=1", " AND a=1", ""),
    "OR": ("SELECT a FROM t WHERE a=1", " OR a=1", ""),
    "subqueries": ("SELECT a FROM ", "(SELECT a FROM ", "t"),
    "unions": ("SELECT a FROM t", " UNION SELECT a FROM t", ""),
    "statements": ("SELECT a FROM t", "; SELECT a FROM t", ""),
    "fields": ("SELECT a", ".a", " FROM t"),
    "joins": ("SELECT a FROM t", " JOIN t ON 1=1", ""),
    "comments": ("", "/*", ""),
    "brackets": ("SELECT ", "[", ""),
    "digits": ("SELECT ", "9", " AS x FROM t"),
    "lists": ("SELECT a FROM t WHERE a IN (1", ",1", ")"),
    "words": ("", "SELECT ", ""),
}


@pytest.mark.parametrize("name", REPEATED)
def test_ten_kilobytes_of_the_same(engine, name):
    start, again, end = REPEATED[name]
    compile_or_refuse(engine, start + again * ((LONGEST - len(start + end)) // len(again)) + end)
