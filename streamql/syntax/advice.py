"""How a clause goes on: what to tell a person where no mistake is recognised."""

from __future__ import annotations

_BEHIND = {
    "SELECT": "the shortest query is SELECT * FROM input",
    "FROM": "write FROM and the name of an input",
    "INTO": "write INTO and the name of an output",
    "WHERE": "write WHERE and a condition: WHERE fare > 10",
    "HAVING": "write HAVING and a condition: HAVING COUNT(*) > 10",
    "GROUP BY": "write GROUP BY TumblingWindow(second, 10), and the keys",
    "PARTITION BY": "write PARTITION BY and the key",
    "TIMESTAMP BY": "write TIMESTAMP BY and the field that holds the time",
    "JOIN": "write JOIN input ON condition",
    "APPLY": "write CROSS APPLY GetArrayElements(field) AS name",
    "AND": "a condition is missing behind AND",
    "OR": "a condition is missing behind OR",
    "NOT": "a condition is missing behind NOT",
    "BETWEEN": "write BETWEEN low AND high",
    "LIKE": "write LIKE and a text: LIKE 'A%'",
    "IN": "write IN (1, 2, 3)",
    "THEN": "write THEN and a value",
    "ELSE": "write ELSE and a value",
    "AS": "write AS and a name; in CAST a type",
}
"""By what stands before the place, in capitals."""

_EXPECTED = {
    "_ON": "write JOIN input ON condition; streams need a bound: DATEDIFF(second, a, b) "
    "BETWEEN 0 AND 10",
    "_MEASURES": "the order is LIMIT DURATION, PARTITION BY, MEASURES, AFTER MATCH SKIP TO NEXT "
    "ROW, PATTERN, DEFINE",
    "_PATTERN": "the order is MEASURES, AFTER MATCH SKIP TO NEXT ROW, PATTERN, DEFINE",
    "_DEFINE": "write DEFINE A AS A.fare > 10 behind PATTERN (...)",
}
"""By what could stand at the place, where that is next to all."""
_FEW = 2
_OPERATORS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"})


def advice(before: str, last: str, accepts: frozenset[str]) -> str | None:
    """Return how the query could go on.

    Args:
        before: the word before the last, in capitals.
        last: the word before the place where the parser stopped, in capitals.
        accepts: the terminals that could stand there.
    """
    if last in _OPERATORS and before:
        return f"a value is missing behind {last}"
    known = _BEHIND.get(f"{before} {last}") or _BEHIND.get(last)
    if known is not None:
        return known
    for terminal, hint in _EXPECTED.items():
        if terminal in accepts and len(accepts) <= _FEW:
            return hint
    return None
