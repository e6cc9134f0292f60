"""The grammar: what is read, and as which tree."""

from __future__ import annotations

import pytest
from syntax_trees import (
    CONDITIONS,
    EXPRESSIONS,
    GROUPS,
    ITEMS,
    MATCH,
    NOWHERE,
    PATTERNS,
    SCRIPTS,
    SOURCES,
    A,
    B,
    binary,
    duration,
    literal,
    name,
    path,
    select,
)

from streamql.errors import ParseError
from streamql.syntax import nodes
from streamql.syntax.parser import parse
from streamql.syntax.source import RESERVED, blank_comments


@pytest.mark.parametrize(("text", "tree"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_expressions(text: str, tree: nodes.Expr) -> None:
    assert select(f"SELECT {text} AS out FROM t").items[0].value == tree
    assert select(f"SELECT f({text}, {text}) FROM t").items[0].value.arguments == (tree, tree)


@pytest.mark.parametrize(("text", "tree"), CONDITIONS, ids=[e[0] for e in CONDITIONS])
def test_conditions(text: str, tree: nodes.Expr) -> None:
    assert select(f"SELECT * FROM t WHERE {text}").where == tree
    assert select(f"SELECT * FROM t HAVING ({text})").having == tree


@pytest.mark.parametrize(("text", "value", "alias"), ITEMS, ids=[e[0] for e in ITEMS])
def test_select_items(text: str, value: nodes.Expr, alias: str | None) -> None:
    item = nodes.SelectItem(NOWHERE, value, None if alias is None else name(alias))
    assert select(f"SELECT {text}, {text} INTO output FROM input").items == (item, item)


@pytest.mark.parametrize(("text", "tree"), GROUPS, ids=[e[0] for e in GROUPS])
def test_group_items(text: str, tree: nodes.GroupItem) -> None:
    assert select(f"SELECT a FROM t GROUP BY a, {text}").group_by == (A, tree)


@pytest.mark.parametrize(("text", "tree"), SOURCES, ids=[e[0] for e in SOURCES])
def test_sources(text: str, tree: nodes.Source) -> None:
    found = select(f"SELECT a INTO o FROM {text} WHERE a = b")
    assert found.source == tree
    assert found.into == name("o")


@pytest.mark.parametrize(("text", "tree"), PATTERNS, ids=[e[0] for e in PATTERNS])
def test_patterns(text: str, tree: nodes.Pattern) -> None:
    found = select(MATCH.format(head="LIMIT DURATION (minute, 1)", pattern=text)).source
    assert found.pattern == tree


@pytest.mark.parametrize(
    ("head", "limited", "keys"),
    [
        ("", False, ()),
        ("LIMIT DURATION (minute, 1)", True, ()),
        ("LIMIT DURATION (minute, 1) PARTITION BY a, b", True, (A, B)),
        ("PARTITION BY a LIMIT DURATION(minute, 1)", True, (A,)),
        ("PARTITION BY a", False, (A,)),
    ],
)
def test_match_recognize(head: str, limited: bool, keys: tuple) -> None:
    found = select(MATCH.format(head=head, pattern="A B")).source
    assert found.limit == (duration("duration", "minute", 1) if limited else None)
    assert found.partition_by == keys
    assert [m.name.text for m in found.measures] == ["y"]
    assert [d.name.text for d in found.definitions] == ["A", "B"]
    assert found.alias == name("m")


@pytest.mark.parametrize(("text", "statements"), SCRIPTS.items())
def test_scripts(text: str, statements: int) -> None:
    assert len(parse(text).statements) == statements


# as free as the grammar allows: people call their inputs and fields anything
FREE = """input output day value at id time min first last limit duration window hop offset timeout
    session left right count timestamp partition by over order row next skip match measures after
    pattern define cast system apply cross outer inner table create all asc desc year month top
    to tumbling windows distance weekday log über _x x1"""


@pytest.mark.parametrize("word", FREE.split())
def test_most_words_are_names(word: str) -> None:
    text = (
        f"SELECT {word}, f({word}), {word}.{word} AS {word}, {word} + 1 AS y INTO {word} "
        f"FROM {word} WHERE {word} > 1 AND {word} IS NULL GROUP BY {word}, {word}.x"
    )
    found = select(text)
    assert found.items[0].value == path(word)
    assert found.source == nodes.Table(NOWHERE, name(word))
    assert (
        parse(f"WITH {word} AS (SELECT a FROM t) SELECT a FROM {word}").steps[0].name.text == word
    )


@pytest.mark.parametrize("word", sorted(RESERVED - {"NULL"}))
def test_reserved_words_are_names_when_quoted_or_after_a_dot(word: str) -> None:
    assert select(f"SELECT [{word}], x.{word} FROM t").items[0].value == path(word)
    with pytest.raises(ParseError):
        parse(f"SELECT a, {word} FROM t")


def test_spans_are_offsets_into_the_given_text() -> None:
    text = "\ufeff-- first\r\nSELECT a /* b */ + (b) AS x,\r\n  f(c).[d] FROM t WHERE a IN (1)"
    found = select(text)
    places = {
        found.items[0]: "a /* b */ + (b) AS x",
        found.items[0].value: "a /* b */ + (b)",
        found.items[0].alias: "x",
        found.items[1].value: "f(c).[d]",
        found.items[1].value.name: "[d]",
        found.source: "t",
        found.where: "a IN (1)",
    }
    for node, expected in places.items():
        assert text[node.span.start : node.span.end] == expected


def test_comments_keep_offsets() -> None:
    text = "a--b\r\n/* /* x */ */c'--d'\"/*e\"[--f]"
    clean = blank_comments(text)
    assert len(clean) == len(text)
    assert clean == "a   \r\n             c'--d'\"/*e\"[--f]"


def test_long_chains_of_and_stay_shallow() -> None:
    where = select("SELECT a FROM t WHERE " + " OR ".join(f"a = {i}" for i in range(3000))).where
    depth = 0
    while isinstance(where, nodes.Or):
        where, depth = where.left, depth + 1
    assert depth == 12
    assert where == binary(A, "=", literal(0))
