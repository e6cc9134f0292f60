"""What could have stood where the parser stopped, in words of the language."""

from __future__ import annotations

from typing import Any

_VALUE = {"INT", "FLOAT", "NAME"}
_NAMES = {"NAME", "BRACKETED", "DOUBLE_QUOTED"}
_VALUE_STARTS = {
    *_NAMES, "INT", "FLOAT", "STRING", "_NULL", "_CASE", "_CAST", "_TRY_CAST", "LPAR", "MINUS",
    "PLUS", "TILDE", "_NOT",
}  # fmt: skip
_ARITHMETIC = {"PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "AND_BITS", "XOR_BITS", "OR_BITS"}
_TESTS = {"EQUAL", "COMPARISON", "_BETWEEN", "_IN", "_LIKE", "_IS", "_NOT"}
_WINDOWS = {"TUMBLING", "HOPPING", "SLIDING", "SESSION", "_WINDOWS", "_WINDOW"}

# in the order of mention; what is not here is named like its terminal
_SHOWN = {
    "WORD": "a field name", "STRING": "a text in single quotes", "INT": "a whole number",
    "COMMA": "a comma", "RPAR": ")", "LPAR": "(", "RBRACE": "}", "EQUAL": "=", "STAR": "*",
    "_END": "END", "_WHEN": "WHEN", "_THEN": "THEN", "_ELSE": "ELSE", "_AS": "AS", "_BY": "BY",
    "_ON": "ON", "_AND": "AND", "_OR": "OR", "_TABLE": "TABLE", "_INTO": "INTO", "_FROM": "FROM",
    "_JOIN": "JOIN", "_APPLY": "APPLY",
    "_WHERE": "WHERE", "_GROUP": "GROUP BY", "_HAVING": "HAVING", "_UNION": "UNION",
    "_SELECT": "SELECT", "_WITH": "WITH", "_CREATE": "CREATE TABLE", "_TIMESTAMP": "TIMESTAMP BY",
    "_PARTITION": "PARTITION BY", "_ORDER": "ORDER BY", "_LIMIT": "LIMIT DURATION(unit, n)",
    "_ASC": "ASC", "_DESC": "DESC", "_BETWEEN": "BETWEEN", "_IN": "IN", "_LIKE": "LIKE",
    "_IS": "IS", "_NOT": "NOT", "_NULL": "NULL", "_MEASURES": "MEASURES", "_PATTERN": "PATTERN",
    "_DEFINE": "DEFINE", "_AFTER": "AFTER MATCH SKIP TO NEXT ROW", "_MATCH": "MATCH",
    "_SKIP": "SKIP", "_TO": "TO", "_NEXT": "NEXT", "_ROW": "ROW", "_SYSTEM": "System.Timestamp()",
    "_TIMESTAMP_NAME": "Timestamp", "DURATION": "DURATION(unit, n)", "DOT": ".",
    "_CROSS": "CROSS APPLY", "_OUTER": "OUTER APPLY", "_LEFT": "LEFT JOIN",
    "_OVER": "OVER", "_OVER_CALL": "OVER (...)", "_MATCH_RECOGNIZE": "MATCH_RECOGNIZE",
    "LBRACE": "{n}", "QUESTION": "?", "PLUS": "+", "OR_BITS": "|", "COMPARISON": "a comparison",
    "_SEMICOLON": "a semicolon", "_ALL": "ALL", "_DISTINCT": "DISTINCT", "_INNER": "INNER JOIN",
    "PART": "Hop, Offset, Timeout or MaxDuration", "$END": "the end of the query",
}  # fmt: skip
_MOST_SHOWN = 5


def accepted(problem: Any) -> frozenset[str]:
    """Return the names of the terminals that the parser would take where it stopped."""
    parser = getattr(problem, "interactive_parser", None)
    if parser is None:
        return frozenset()
    return frozenset(parser.accepts())


def describe(accepts: frozenset[str]) -> str:
    """Return "a name, AS or FROM": what could stand here, the likely first, at most a few."""
    shown: list[str] = []
    left = set(accepts)
    if left >= _VALUE:
        shown.append("a condition" if "_NOT" in left else "a value")
        left -= _VALUE_STARTS
        if left >= {"TUMBLING"}:
            shown.append("a window")
        left -= {*_WINDOWS, "STAR", "_ALL", "_DISTINCT"}
    elif "TUMBLING" in left:
        shown.append("a window")
        left -= _WINDOWS
    # after a whole value a name would be an alias, which is the least likely to be missing
    elif "WORD" in left:
        left -= _NAMES
    elif left & _NAMES and "PLUS" not in left and "_AS" not in left:
        shown.append("a name")
        left -= {*_NAMES, "OR_BITS"}
    if left >= {"PLUS", "MINUS"}:
        # more of the expression is always possible; what may end it tells more
        enough = left - _ARITHMETIC - _TESTS - _NAMES
        if not enough - {"DOT", "_SEMICOLON", "$END", "_SELECT", "_UNION"}:
            shown.append("an operator")
        left = enough
    left -= _NAMES
    if left & {"_FROM", "_WHERE", "_GROUP"}:
        # what goes on is likelier to be missing than what starts anew
        left -= {"_AS", "_SELECT", "_UNION"}
    if len(left) > 1:
        left -= {"DOT", "_SEMICOLON"}
    if left & {"COMMA", "_SELECT", "_AND", "_GROUP"}:
        left -= {"LPAR"}
    shown += [label for terminal, label in _SHOWN.items() if terminal in left]
    shown = shown[:_MOST_SHOWN] or ["the end of the query"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
