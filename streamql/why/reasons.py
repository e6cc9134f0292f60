"""Why nothing left an operator, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import numpy as np

from ..batch import MAIN, Batch
from ..column import Column
from ..errors import StreamqlError
from ..expressions.evaluate import Evaluation
from ..expressions.nodes import Expr, Field, Logic, walk
from ..plan.nodes import (
    Analyze,
    Filter,
    Group,
    Join,
    Lookup,
    Narrow,
    Plan,
    Project,
    Recognize,
    Scan,
    Score,
    SetTime,
    Union,
    Unnest,
    Write,
)

_FIRST = np.zeros(1, np.int64)


def reason(plan: Plan, caught: Batch | None, script: str, decided: str | None) -> Iterator[str]:
    """Yield sentences on why rows that went into an operator changed nothing of what leaves it."""
    match plan:
        case Filter(predicate=predicate):
            yield from _of_filter(predicate, caught, script)
        case SetTime():
            yield decided or "what leaves is the same without it"
        case Join(keys=keys, condition=condition, outer=outer):
            pairs = [e for pair in keys for e in pair]
            asked = [*pairs, *([] if condition is None else [condition])]
            yield "no row of the other side matches" + _quoted(" on ", asked, script)
            yield from _values(asked, caught)
            if outer:
                yield "a row of the right side without a match does not leave a LEFT JOIN"
        case Lookup(reference=reference, keys=keys, condition=condition):
            asked = [e for pair in keys for e in pair]
            asked += [] if condition is None else [condition]
            yield f"no row of {reference} matches" + _quoted(" on ", asked, script)
            yield from _values(asked, caught)
        case Unnest(argument=argument):
            yield "there are no elements in" + _quoted(" ", [argument], script)
            yield from _values([argument], caught)
        case Group():
            yield "the results of its group are the same without it"
        case Recognize():
            yield "it is part of no match, and hinders none"
        case Score(call=call):
            failed = "fails for" if call.function.drops else "could not score"
            yield f"udf.{call.function.name} {failed} it, and on_error leaves it out"
        case Analyze() | Narrow() | Project() | Scan() | Union() | Write():
            yield "what leaves is the same without it"
        case _:
            assert_never(plan)


def _of_filter(predicate: Expr, caught: Batch | None, script: str) -> Iterator[str]:
    if caught is None:
        yield "the condition is not true for it"
        return
    for part in _conjuncts(predicate):
        try:
            column = Evaluation(caught.take(_FIRST)).column(part)
        except StreamqlError as error:
            yield f"{_text(part, script)} fails: {error.message}"
            continue
        value = column.to_pylist()[0]
        if value is True:
            continue
        yield f"{_text(part, script)} is {'unknown (NULL)' if value is None else 'false'}"
        yield from _values([part], caught)


def _conjuncts(predicate: Expr) -> Iterator[Expr]:
    if isinstance(predicate, Logic) and predicate.operator == "and":
        yield from _conjuncts(predicate.left)
        yield from _conjuncts(predicate.right)
    else:
        yield predicate


def _values(asked: Iterable[Expr], caught: Batch | None) -> Iterator[str]:
    """Yield the values of the fields in expressions, as far as the rows at hand have them."""
    if caught is None:
        return
    told = set()
    for expr in asked:
        for inner in walk(expr):
            if not isinstance(inner, Field) or inner.path in told:
                continue
            rows = caught.relations.get(inner.relation) or caught.relations.get(MAIN)
            if rows is None:
                continue
            told.add(inner.path)
            yield f"{'.'.join(inner.path)} is {_shown(rows.take(_FIRST).field(inner.path))}"


def _shown(column: Column) -> str:
    text = column.to_json(marked=False)[0].as_py()
    return "NULL" if text is None or text == "null" else str(text)


def _quoted(before: str, exprs: Iterable[Expr], script: str) -> str:
    text = " and ".join(dict.fromkeys(_text(e, script) for e in exprs))
    return before + text if text else ""


def _text(expr: Expr, script: str) -> str:
    return " ".join(script[expr.span.start : expr.span.end].split())
