"""What people know from other dialects of SQL and this language does not have."""

from __future__ import annotations

from typing import TypeAlias

_NO_ORDER = "rows come in the order of their time; TopOne and CollectTop sort within a window"
_NO_LIMIT = "a stream has no end; CollectTop(n) OVER (ORDER BY ...) gives the first n of a window"
_NO_SUBQUERY = "make it a step, WITH name AS (SELECT ...), and JOIN it"
_NO_SET = "UNION is the only one: it appends the rows of both"
_NO_DDL = "a script is made of CREATE TABLE, WITH and SELECT; functions come from files"

# (words that end at the refused one, how far before it the place is, message, hint)
Construct: TypeAlias = tuple[tuple[str, ...], int, str, str]

_CONSTRUCTS: tuple[Construct, ...] = (
    (("ORDER", "BY"), 1, "the language has no ORDER BY of results", _NO_ORDER),
    (("SELECT", "DISTINCT"), 0, "the language has no SELECT DISTINCT",
     "GROUP BY the columns and a window, or COUNT(DISTINCT x)"),
    (("UNION", "ALL"), 0, "the language has no UNION ALL", "UNION keeps all rows: leave ALL out"),
    (("UNION", "DISTINCT"), 0, "the language has no UNION DISTINCT", "UNION keeps all rows"),
    (("TOP",), 0, "the language has no TOP", _NO_LIMIT),
    (("EXCEPT",), 0, "the language has no EXCEPT", _NO_SET),
    (("INTERSECT",), 0, "the language has no INTERSECT", _NO_SET),
    (("PIVOT",), 0, "the language has no PIVOT", "write one CASE for each column"),
    (("ESCAPE",), 0, "LIKE has no ESCAPE", "put the character into brackets: LIKE '10[%]'"),
    (("DECLARE",), 0, "the language has no variables", _NO_DDL),
    (("CREATE", "FUNCTION"), 0, "the language has no CREATE FUNCTION", _NO_DDL),
    (("CREATE", "VIEW"), 0, "the language has no CREATE VIEW", _NO_SUBQUERY),
    (("CREATE", "TABLE"), 1, "CREATE TABLE comes before WITH and SELECT", "move it to the top"),
    (("INSERT",), 0, "the language has no INSERT", "write SELECT ... INTO output FROM input"),
    (("UPDATE",), 0, "the language has no UPDATE", _NO_DDL),
    (("DELETE",), 0, "the language has no DELETE", _NO_DDL),
    (("DROP",), 0, "the language has no DROP", _NO_DDL),
    (("=", "="), 1, "== is no operator", "write = to compare"),
    (("==",), 0, "== is no operator", "write = to compare"),
    (("||",), 0, "|| is no operator", "write + or CONCAT for text, OR for conditions"),
    (("&&",), 0, "&& is no operator", "write AND"),
    (("*", "/"), 1, "*/ closes no comment", "a comment starts with /*"),
    (("!",), 0, "! is no operator", "write NOT, or != to compare"),
)  # fmt: skip

_BEFORE_JOIN = ("RIGHT", "FULL", "CROSS", "NATURAL")
_JOINS = "there are JOIN and LEFT JOIN: swap the sides of a RIGHT JOIN"


def absent_construct(before: list[str], after: list[str]) -> tuple[int, str, str] | None:
    """Return (words back to the place, message, hint) of a construct the language does not have.

    `before` are the three words that end with the refused one, `after` the next two, in capitals.
    """
    found = before[-1]
    if found in _BEFORE_JOIN and "JOIN" in after:
        return 0, f"the language has no {found} JOIN", _JOINS
    if found == "SELECT" and before[-2] == "(":
        return 0, "a SELECT cannot stand inside of an expression", _NO_SUBQUERY
    if found == "BY" and before[-2] == "ORDER":
        return 1, "the language has no ORDER BY of results", _NO_ORDER
    if found == "WITH":
        return 0, "WITH comes once, before the first SELECT", "separate its steps with commas"
    # LIMIT and the like have passed for an alias, and the number is what was refused
    if found.isdigit() and before[-2] in {"LIMIT", "TOP", "OFFSET"}:
        return 1, f"the language has no {before[-2]}", _NO_LIMIT
    if found in {"LIMIT", "OFFSET"} and after[0].isdigit():
        return 0, f"the language has no {found}", _NO_LIMIT
    pair = [*before[-1:], *after[:1]]
    for words, back, message, hint in _CONSTRUCTS:
        if tuple(before[-len(words) :]) == words:
            return back, message, hint
        if len(words) == 2 and tuple(pair) == words:
            return 0, message, hint
    return None
