"""What a person is told about a text that is no script. «» marks the place of the error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_trees import all_texts

from streamql.errors import ParseError, render
from streamql.syntax.parser import parse

AS_VALUE = "make it one with CASE WHEN ... THEN 1 ELSE 0 END"
STEP = "a step is written WITH name AS (SELECT ...)"
AFTER_TABLE = "JOIN, WHERE, GROUP BY, HAVING or TIMESTAMP BY should stand"

# text, message, part of the hint ("" for none)
MISTAKES = [
    # misspelt words
    ("«SELCT» a FROM t", "SELCT has no meaning here", "did you mean SELECT?"),
    ("SELECT a «FORM» t", "FORM has no meaning here", "did you mean FROM?"),
    ("SELECT a.select «FORM» t", "FORM has no meaning here", "did you mean FROM?"),
    ("SELECT a FROM t «GRUOP» BY a", "GRUOP has no meaning here", "did you mean GROUP?"),
    ("SELECT a FROM t «WEHRE» a > 1", "WEHRE has no meaning here", "did you mean WHERE?"),
    ("SELECT a «ITNO» o FROM t", "ITNO has no meaning here", "did you mean INTO?"),
    ("SELECT a FROM t «JION» b ON a = b", "JION has no meaning here", "did you mean JOIN?"),
    ("SELECT a FROM t CROSS «APLY» f(x) AS y", "APLY has no meaning here", "mean APPLY?"),
    # commas and parentheses
    ("SELECT a b «c» FROM t", "found c where a comma, INTO, FROM, WHERE or GROUP BY should stand",
     "is a comma missing before c?"),
    ("SELECT a AS x «b» AS y FROM t", "found b where a comma", "is a comma missing before b?"),
    ("SELECT f(a «b») FROM t", "found b where a comma or ) should stand", "is a comma missing"),
    ("SELECT a, b«,» FROM t", "nothing follows this comma", "remove it"),
    ("SELECT f(a«,» ) FROM t", "nothing follows this comma", "remove it"),
    ("SELECT a«,»", "nothing follows this comma", "remove it"),
    ("SELECT «(»a + b FROM t", "this ( is not closed before FROM", "add the missing )"),
    ("SELECT f«(»a, g(b) AS x FROM t", "this ( is not closed before AS", "add the missing )"),
    ("SELECT a FROM t WHERE «(»a = 1", "this ( is not closed before the query ends", "missing )"),
    ("WITH s AS «(»SELECT a FROM t SELECT a FROM s", "this ( is not closed before SELECT", ")"),
    ("SELECT a + b«)» FROM t", "this ) closes nothing", "open one before"),
    # no end
    ("SELECT «'»abc FROM t", "this text has no closing quote", "written twice: 'it''s'"),
    ("SELECT a FROM t WHERE n = 'it's«'»", "this text has no closing quote", "'it''s'"),
    ("SELECT a «/*» x /* y */ FROM t", "this comment has no end", "close it with */"),
    ("SELECT «[»a FROM t\nWHERE [b] = 1", "this bracket has no closing ]", "[a]]b]"),
    ('SELECT «"»a FROM t', "this quoted name has no closing quote", "in single quotes"),
    ("SELECT «[]» FROM t", "[] is an empty name", ""),
    ("SELECT «CASE» WHEN a = 1 THEN 2 ELSE 3 FROM t", "this CASE has no END before FROM", "CASE"),
    ("SELECT «CASE» a WHEN 1 THEN 2 AS x FROM t", "this CASE has no END before AS", "CASE WHEN"),
    ("SELECT f(«CASE» a WHEN 1 THEN 2) FROM t", "this CASE has no END before )", "CASE WHEN"),
    ("SELECT «CASE» WHEN a = 1 THEN 2", "this CASE has no END before the query ends", "CASE WHEN"),
    # other dialects
    ("SELECT a FROM t WHERE a «==» 1", "== is no operator", "write = to compare"),
    ("SELECT a «||» b FROM t", "|| is no operator", "write + or CONCAT"),
    ("SELECT a FROM t WHERE a = 1 «&&» b = 2", "&& is no operator", "write AND"),
    ("SELECT a FROM t «ORDER» BY a", "the language has no ORDER BY of results", "TopOne"),
    ("SELECT a FROM t x «ORDER» BY a", "the language has no ORDER BY of results", "TopOne"),
    ("SELECT a FROM t WHERE a > 1 «ORDER» BY a", "the language has no ORDER BY", "TopOne"),
    ("SELECT «TOP» 5 a FROM t", "the language has no TOP", "CollectTop(n)"),
    ("SELECT «TOP» (5) a FROM t", "the language has no TOP", "CollectTop(n)"),
    ("SELECT «DISTINCT» a FROM t", "the language has no SELECT DISTINCT", "COUNT(DISTINCT x)"),
    ("SELECT a FROM t «LIMIT» 10", "the language has no LIMIT", "CollectTop(n)"),
    ("SELECT a FROM t WHERE a > 1 «LIMIT» 10", "the language has no LIMIT", "CollectTop(n)"),
    ("SELECT a FROM t x «RIGHT» JOIN u ON a = b", "the language has no RIGHT JOIN", "swap"),
    ("SELECT a FROM t «FULL» OUTER JOIN u ON a = b", "the language has no FULL JOIN", "LEFT JOIN"),
    ("SELECT a FROM t «CROSS» JOIN u", "the language has no CROSS JOIN", "LEFT JOIN"),
    ("SELECT a FROM t WHERE x IN («SELECT» y FROM z)", "a SELECT cannot stand inside", "a step"),
    ("SELECT a FROM t WHERE x > («SELECT» y FROM z)", "a SELECT cannot stand inside", "a step"),
    ("SELECT a FROM t UNION «ALL» SELECT a FROM u", "the language has no UNION ALL", "leave ALL"),
    ("«INSERT» INTO x SELECT a FROM t", "the language has no INSERT", "SELECT ... INTO"),
    ("CREATE «FUNCTION» f", "the language has no CREATE FUNCTION", "functions come from files"),
    ("SELECT a FROM t; «WITH» s AS (SELECT a FROM t) SELECT a FROM s", "WITH comes once", "commas"),
    ("SELECT a FROM t«,» u", f"found ',' where {AFTER_TABLE}", "JOIN ... ON"),
    ("SELECT «@»x FROM t", "found @: there are no variables", "[@name]"),
    ("SELECT «“»a” FROM t", "“ is no quote of the language", "straight single quotes"),
    ("SELECT a «*»/ FROM t", "*/ closes no comment", "starts with /*"),
    # conditions and values
    ("SELECT a «>» 1 AS x FROM t", "found '>': a condition is not a value", AS_VALUE),
    ("SELECT («a > 1») AS x FROM t", "a condition is not a value", AS_VALUE),
    ("SELECT f(a «IS» NULL) FROM t", "found IS: a condition is not a value", AS_VALUE),
    ("SELECT f((«a OR b»)) FROM t", "a condition is not a value", AS_VALUE),
    ("SELECT CASE a WHEN («b = 1») THEN 1 END FROM t", "a condition is not a value", AS_VALUE),
    ("SELECT CASE WHEN a THEN («b = 1») END FROM t", "a condition is not a value", AS_VALUE),
    ("SELECT a FROM t WHERE 1 < a «<» 3", "a comparison cannot be compared again", "with AND"),
    ("SELECT a FROM t WHERE a «NULL»", "found NULL where AND, OR, GROUP BY, HAVING or the end", ""),
    ("SELECT a FROM t WHERE a NOT «NULL»", "found NULL where BETWEEN, IN or LIKE", "IS NOT NULL"),
    ("SELECT a FROM t WHERE a IS «5»", "found 5 where NOT or NULL should stand", ""),
    ("SELECT a FROM t WHERE a BETWEEN 1 «OR» 2", "found OR where AND should stand", ""),
    # names and numbers
    ("SELECT «end», x FROM t", "found end where a value should stand", "write [end]"),
    ("SELECT a AS «end» FROM t", "found end where a name or a text", "write [end]"),
    ("SELECT a «desc» FROM t", "found desc where a comma", "write [desc]"),
    ("SELECT «FROM» t", "found FROM where a value should stand", "SELECT *"),
    ("SELECT a FROM my«-»input", f"found '-' where {AFTER_TABLE}", "[my-input]"),
    ("SELECT a. «FROM» t", "found FROM where a field name or * should stand", ""),
    ("SELECT «1abc» FROM t", "1abc is neither a number nor a name", "[1abc]"),
    ("SELECT «1.2.3» FROM t", "1.2.3 is not a number", ""),
    ("SELECT «9223372036854775808» FROM t", "this number does not fit into bigint", "1.0"),
    ("SELECT «1e999» FROM t", "this number does not fit into float", ""),
    ("SELECT a\x00 FROM t".replace("\x00", "«\x00»"), "the character U+0000 has no meaning", ""),
    ("SELECT a FROM t GROUP BY Windows(Window(«\"x\"», Tumbling(second, 5)))",
     'found "x" where a text in single quotes or NULL should stand', "single quotes"),
    # incomplete clauses
    ("SELECT a FROM input «TIMESTAMP» x", "TIMESTAMP without BY", "TIMESTAMP BY"),
    ("SELECT a FROM t «GROUP» a", "GROUP without BY", "GROUP BY"),
    ("SELECT LAG(a) OVER («LIMIT» 5) FROM t", "LIMIT without DURATION(unit, n)", "(minute, 5)"),
    ("WITH s «(»SELECT a FROM t) SELECT a FROM s", "found '(' where AS should stand", STEP),
    ("WITH s AS «SELECT» a FROM t SELECT a FROM s", "found SELECT where ( should stand", STEP),
    ("SELECT a FROM t LEFT JOIN u «WHERE» a = 1", "found WHERE where ON should stand", "JOIN input ON"),
    ("SELECT CAST(a «bigint») FROM t", "found bigint where AS should stand", ""),
    ("SELECT a FROM t GROUP BY Tumbling(second«)»", "found ')' where a comma should stand", ""),
    ("SELECT a FROM t GROUP BY Windows(«a»)", "found a where a window", ""),
    ("«hello»", "found hello where SELECT, WITH or CREATE TABLE should stand", ""),
    # the end of the text
    ("SELECT«»", "the query ends where a value should stand", "SELECT * FROM input"),
    ("SELECT a FROM«»  -- x\n", "the query ends where a name or ( should stand", "write FROM and"),
    ("SELECT a FROM t WHERE«»", "the query ends where a condition should stand", "fare > 10"),
    ("SELECT a FROM t GROUP BY«»", "the query ends where a value or a window should stand", "Tumb"),
    ("SELECT a FROM t JOIN u«»", "the query ends where ON should stand", "DATEDIFF"),
    ("SELECT a FROM t WHERE a BETWEEN 1«»", "the query ends where AND should stand", ""),
    ("WITH s AS (SELECT a FROM t)«»", "the query ends where a comma or SELECT should stand", ""),
    ("SELECT a FROM t WHERE«;»", "the query ends where a condition should stand", "WHERE fare"),
    ("SELECT a FROM t WHERE a >«»", "the query ends where a value should stand", "behind >"),
    ("SELECT a FROM t WHERE a = 1 AND«»", "the query ends where a condition", "behind AND"),
    ("SELECT a INTO «FROM» t", "found FROM where a name should stand", "the name of an output"),
    ("SELECT CAST(a AS«)» FROM t", "found ')' where a name should stand", "in CAST a type"),
    ("SELECT * FROM t MATCH_RECOGNIZE (LIMIT DURATION(minute, 1) «PATTERN» (A))", "found PATTERN",
     "the order is"),
    ("«»", "the query is empty", "SELECT * FROM input"),
    ("« \n-- nothing\n»", "the query is empty", "SELECT * FROM input"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "message", "hint"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes(marked: str, message: str, hint: str) -> None:
    before, _, rest = marked.partition("«")
    place, _, after = rest.partition("»")
    text = before + place + after
    with pytest.raises(ParseError) as raised:
        parse(text)
    error = raised.value
    assert error.message.startswith(message)
    assert hint in (error.hint or "") if hint else error.hint is None
    assert error.span is not None
    assert (error.span.start, error.span.end) == (len(before), len(before) + len(place))
    assert render(error, text)


NESTED = {
    "open parentheses": "SELECT " + "(" * 10_000,
    "parentheses": "SELECT " + "(" * 10_000 + "a" + ")" * 10_000 + " FROM t",
    "calls": "SELECT " + "f(" * 10_000 + ")" * 10_000 + " FROM t",
    "signs": "SELECT " + "- " * 10_000 + "a FROM t",
    "not": "SELECT a FROM t WHERE " + "NOT " * 10_000 + "a",
    "case": "SELECT " + "CASE WHEN a THEN " * 5_000 + "1" + " END" * 5_000 + " FROM t",
    "sums": "SELECT a" + " + a" * 10_000 + " FROM t",
    "members": "SELECT f()" + ".x" * 10_000 + " FROM t",
    "queries": "SELECT a FROM " + "(SELECT a FROM " * 5_000 + "t" + ")" * 5_000,
    "unions": "SELECT a FROM t" + " UNION SELECT a FROM t" * 5_000,
    "joins": "SELECT a FROM t" + " JOIN t ON a = b" * 5_000,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED.keys())
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="nested more than 200 levels deep"):
        parse(text)


def test_a_hundred_levels_are_fine() -> None:
    assert parse("SELECT " + "(" * 190 + "a" + ")" * 190 + " + a" * 150 + " FROM t")
    assert parse("SELECT " + "f(" * 90 + ")" * 90 + " FROM t")


SIGNS = "( ) [ ] ' \" , . * + - ~ ; { } == -- /* */ 1 9223372036854775808 1e999 é \x00"
PIECES = sorted({word for text in [*all_texts(), SIGNS] for word in text.split()})


def check(text: str) -> None:
    error = None
    try:
        parse(text)
    except ParseError as problem:
        error = problem
    if error is None:
        return
    assert error.span is not None
    assert 0 <= error.span.start <= error.span.end <= len(text)
    assert render(error, text)


@settings(max_examples=150)
@given(st.text(max_size=60))
def test_any_text_is_a_script_or_a_parse_error(text: str) -> None:
    check(text)
    check("SELECT a FROM t " + text)


@settings(max_examples=250)
@given(st.lists(st.sampled_from(PIECES), max_size=15).map(" ".join))
def test_any_words_are_a_script_or_a_parse_error(text: str) -> None:
    check(text)
    check("SELECT " + text)


@settings(max_examples=150)
@given(st.sampled_from(all_texts()), st.data())
def test_any_cut_out_is_a_script_or_a_parse_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    check(text[:start] + text[end:])
    check(text[:end])
