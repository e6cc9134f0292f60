"""Everything a query can call, as people read it: one entry per function, family by family."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from inspect import cleandoc

from ..types import Type
from .aggregate import AggregateSpec, Example
from .aggregates.catalog import AGGREGATES
from .anomaly import ANOMALY
from .builtins import BUILTINS
from .datetime import UNIT_FUNCTIONS, unit_function
from .forms import FORMS, Form
from .registry import Function, ScalarFunction

_CALL = re.compile(r"^sql> (.*)\n(.*)\n?", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """The documentation of one function or operator.

    Attributes:
        name: how it is written, or its sign.
        family: the heading it stands under.
        usages: its signatures.
        text: what it gives, in Markdown; the first line is a sentence.
        calls: expressions, each with its value as a literal.
        example: a query on `input`, its rows, and the rows it gives.
    """

    name: str
    family: str
    usages: tuple[str, ...]
    text: str
    calls: tuple[tuple[str, str], ...] = ()
    example: Example | None = None


def entries() -> list[Entry]:
    """Return every operator, function, aggregate and analytic function, family by family."""
    units = (
        replace(unit_function(name, "day"), words=("UNIT",))  # type: ignore[type-var]
        for name in UNIT_FUNCTIONS
    )
    found = [
        *(_of_function(f) for f in (*BUILTINS.values(), *units)),
        *(_of_form(form) for form in FORMS),
        *(_of_aggregate(spec) for spec in (*AGGREGATES.values(), *ANOMALY.values())),
    ]
    families = list(dict.fromkeys(e.family for e in found))
    return sorted(found, key=lambda e: families.index(e.family))


def _of_function(function: Function) -> Entry:
    assert isinstance(function, ScalarFunction)
    # where one overload takes whatever comes, the others are its quicker ways
    general = tuple(o for o in function.overloads if set(o.takes) == {Type.ANY})
    signatures = replace(function, overloads=general or function.overloads).signatures()
    name = function.infix or function.name
    return _entry(name, function.family, tuple(signatures), function.documentation)


def _of_form(form: Form) -> Entry:
    return _entry(form.name, form.family, form.usages, form.documentation, form.example)


def _of_aggregate(spec: AggregateSpec) -> Entry:
    return _entry(spec.name, spec.family, usages(spec), spec.documentation, spec.example)


def _entry(
    name: str,
    family: str,
    usages: tuple[str, ...],
    documentation: str,
    example: Example | None = None,
) -> Entry:
    text = cleandoc(documentation)
    calls = tuple((call, value) for call, value in _CALL.findall(text))
    return Entry(name, family, usages, _CALL.sub("", text).strip(), calls, example)


def usages(spec: AggregateSpec) -> tuple[str, ...]:
    """Return how a query may write an aggregate: with GROUP BY, and with OVER."""
    least, most = min(spec.counts), max(spec.counts)
    constants = spec.constants + spec.constants_last
    names = ["constant"] * most
    values = most - constants
    at = spec.constants if spec.constants else 0
    names[at : at + values] = ["x"] * values
    needed = ", ".join(names[:least])
    more = "".join(f"[{', ' if needed else ''}{name}]" for name in names[least:])
    call = f"{spec.name}({needed}{more})"
    order = "ORDER BY x [DESC], ..." if spec.ordered else ""
    window = "[PARTITION BY key, ...] {}LIMIT DURATION(unit, n) [WHEN condition]"
    grouped = f"{call} OVER ({order})" if order else call
    analytic = f"{call} OVER ({window.format(order and order + ' ')})"
    forms = ((grouped, spec.grouped), (analytic, spec.analytic))
    return tuple(usage for usage, allowed in forms if allowed)
