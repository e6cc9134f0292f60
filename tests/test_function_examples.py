"""Every `sql>` line in the documentation of a built-in function is run, and gives what it says."""

from __future__ import annotations

import re

import pytest

from streamql.column import Column, constant
from streamql.errors import Span
from streamql.functions.builtins import BUILTINS
from streamql.functions.conversion import cast_to
from streamql.functions.datetime import UNIT_FUNCTIONS, unit_function
from streamql.types import Type

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+\.?\d*|[A-Za-z_]\w*|<>|<=|>=|[-+*/%&|^~=<>(),])")
_LEVELS = (("=", "<>", "<", "<=", ">", ">=", "LIKE"), ("+", "-", "&", "|", "^"), ("*", "/", "%"))
_NOWHERE = Span(0, 0)


class _Evaluator:
    """Evaluates an expression of literals, operators and built-in functions."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens).replace(" ", "") == text.replace(" ", "")
        self._at = 0

    def run(self) -> Column:
        found = self._binary(0)
        assert self._at == len(self._tokens)
        return found

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _binary(self, level: int) -> Column:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _LEVELS[level]:
            sign = self._next()
            left = _call(BUILTINS[sign.lower()], [left, self._binary(level + 1)])
        return left

    def _unary(self) -> Column:
        token = self._next()
        if token in "-~":
            return _call(BUILTINS["negate" if token == "-" else "~"], [self._unary()])
        if token == "(":
            inside = self._binary(0)
            assert self._next() == ")"
            return inside
        if token[0] == "'":
            return constant(token[1:-1].replace("''", "'"), 1)
        if token[0].isdigit():
            return constant(float(token) if "." in token else int(token), 1)
        return constant(None, 1) if token == "NULL" else self._function(token)

    def _function(self, name: str) -> Column:
        assert self._next() == "("
        if name in UNIT_FUNCTIONS:
            function = unit_function(name, self._next())
            assert self._next() == ","
        else:
            function = BUILTINS[name.lower()]
        arguments = [self._binary(0)]
        while self._next() == ",":
            arguments.append(self._binary(0))
        return _call(function, arguments)


def _call(function, arguments):
    types = [argument.type for argument in arguments]
    promised = function.check(types, _NOWHERE, [_NOWHERE] * len(types))
    found = function.call(arguments, 1)
    assert promised is Type.ANY or found.type in (promised, Type.NULL)
    return found


def _shown(column: Column) -> str:
    value = column.to_pylist()[0]
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if column.type in (Type.TEXT, Type.DATETIME):
        text = cast_to(column, Type.TEXT, lenient=False).to_pylist()[0]
        return "'" + text.replace("'", "''") + "'"
    return repr(value)


def _documentation():
    yield from ((function.name, function.documentation) for function in BUILTINS.values())
    for name in UNIT_FUNCTIONS:
        yield name, unit_function(name, "day").documentation


_EXAMPLES = [
    (name, *found)
    for name, text in _documentation()
    for found in re.findall(r"sql> (.*)\n\s*(.*)", text)
]


@pytest.mark.parametrize(("name", "query", "result"), _EXAMPLES)
def test_example(name, query, result):
    assert _shown(_Evaluator(query).run()) == result
    assert name in query or name == "negate"


def test_every_function_has_a_contract_and_an_example():
    for name, text in _documentation():
        assert text.strip().split("\n")[0].endswith("."), name
        assert "sql>" in text, name
