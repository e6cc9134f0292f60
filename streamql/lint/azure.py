"""What a query uses that Azure Stream Analytics does not have, or does in another way.

`DIFFERENCES` is the table of docs/language.md (Differences), as data: each entry says how a node of
the tree, a function or a setting is recognised. `differences` walks and consults it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import Span
from ..functions.registry import Function
from ..settings import Settings
from ..syntax import nodes as ast
from .diagnostic import INFO, WARNING, Diagnostic
from .subject import Subject

MISSING = "azure-missing"
DIFFERENT = "azure-differs"


@dataclass(frozen=True)
class Difference:
    """One row: what is recognised, and what is to be said.

    Attributes:
        code: whether Azure lacks it (MISSING) or does it in another way (DIFFERENT).
        applies: tells whether a node of the tree is one.
        message: what is so.
        hint: what to write for Azure, or what to expect.
        once: told at its first place only.
    """

    code: str
    applies: Callable[[ast.Node], bool]
    message: str
    hint: str
    once: bool = False


_UNITS = frozenset({
    "years", "quarters", "months", "days", "weeks", "hours", "minutes", "seconds",
    "milliseconds", "microseconds",
})  # fmt: skip
_UNIT_FIRST = frozenset({"dateadd", "datediff", "datepart", "datename"})
_GEOSPATIAL = frozenset({"st_distance", "st_intersects", "st_overlaps", "st_within"})
_ANOMALY = frozenset({"anomalydetection_spikeanddip", "anomalydetection_changepoint"})
_COLLATED = frozenset({"charindex", "replace", "patindex"})


def _name(node: ast.Node) -> str:
    return node.name.text.lower() if isinstance(node, ast.Call) and not node.prefix else ""


def _has_plural_unit(node: ast.Node) -> bool:
    if isinstance(node, ast.Duration):
        return node.unit.text.lower() in _UNITS
    if _name(node) in _UNIT_FIRST and isinstance(node, ast.Call) and node.arguments:
        first = node.arguments[0]
        return isinstance(first, ast.Path) and first.names[0].text.lower() in _UNITS
    return False


def _is_counted(node: ast.Node) -> bool:
    """Tell {n}, {n,} and {n,m} from the quantifiers that Azure has."""
    if not isinstance(node, ast.PatternRepeat):
        return False
    return (node.least, node.most) not in {(0, None), (1, None), (0, 1)}


def _calls_own_table(node: ast.Node) -> bool:
    return isinstance(node, ast.Apply) and bool(node.call.prefix)


def _closes_at_the_end(node: ast.Node) -> bool:
    return isinstance(node, ast.Window | ast.MatchRecognize)


DIFFERENCES = (
    Difference(
        MISSING,
        lambda n: isinstance(n, ast.Subquery),
        "a SELECT inside of FROM",
        "write it as a step: WITH name AS (SELECT ...)",
    ),
    Difference(
        MISSING,
        _is_counted,
        "the quantifiers {n}, {n,} and {n,m} of PATTERN",
        "write the variable out, or use * + ?",
    ),
    Difference(
        MISSING,
        _calls_own_table,
        "APPLY of a function of your own",
        "let a function return an array, and use CROSS APPLY GetArrayElements(...)",
    ),
    Difference(
        MISSING,
        _has_plural_unit,
        "time units in the plural",
        "write the unit in the singular: second, minute, hour, day",
    ),
    Difference(
        DIFFERENT,
        lambda n: isinstance(n, ast.PartitionBy) and n.count is not None,
        "INTO after PARTITION BY sets the number of partitions, and is read without effect here",
        "the rows are the same",
    ),
    Difference(
        DIFFERENT,
        lambda n: _name(n) in _ANOMALY,
        "anomaly detection has other scores: shape and direction agree, numbers do not",
        "try thresholds out in Azure",
    ),
    Difference(
        DIFFERENT,
        lambda n: _name(n) in _GEOSPATIAL,
        "geospatial functions may decide otherwise for points on or very near a border",
        "compare with tolerance",
        once=True,
    ),
    Difference(
        DIFFERENT,
        lambda n: isinstance(n, ast.Like) or _name(n) in _COLLATED,
        "texts compare by character here, whatever the collation",
        "wrap both sides in LOWER(...) where case should not matter",
        once=True,
    ),
    Difference(
        DIFFERENT,
        _closes_at_the_end,
        "the end of the input closes windows and patterns here; in Azure inputs do not end",
        "the last results of a test run come later, or not, in Azure",
        once=True,
    ),
    Difference(
        DIFFERENT,
        lambda n: isinstance(n, ast.Select) and n.into is None,
        "without INTO rows go to `output`",
        "name the output of the job: INTO name",
    ),
)
"""What is recognised by the tree alone."""

_KINDS = {
    "PythonFunction": "functions in Python",
    "PythonTableFunction": "functions in Python",
    "ScriptFunction": "models of an entry script in process",
    "IsolatedFunction": "models of an entry script in process",
    "OnnxFunction": "models of an ONNX file in process",
}
"""Kinds of functions that Azure does not run, by the class that implements them."""

_POLICIES = ("late_arrival", "out_of_order", "policy")
_OWN_SETTINGS = {
    "arrival_field": "the setting arrival_field: in Azure the input tells when events arrived",
    "metadata_field": "the setting metadata_field: in Azure messages have properties",
}


def differences(subject: Subject, settings: Settings) -> Iterator[Diagnostic]:
    """Yield a finding for each construct, function and setting that is not the same in Azure."""
    told: set[int] = set()
    ctes = {id(s.query) for s in subject.script.steps}
    inner = {id(n) for q in subject.queries() for n in _inside(q)}
    for node in subject.nodes():
        for number, row in enumerate(DIFFERENCES):
            if not row.applies(node) or (row.once and number in told):
                continue
            if isinstance(node, ast.Select) and (id(node) in ctes or id(node) in inner):
                continue  # only a statement writes
            told.add(number)
            yield _finding(row.code, row.message, _place(node), row.hint)
    yield from _of_functions(subject)
    yield from _of_settings(subject, settings)


def _inside(query: ast.Query) -> Iterator[ast.Node]:
    """Yield the SELECTs in a query that are not the one that says where its rows go."""
    first = query
    while isinstance(first, ast.Union):
        first = first.left
    for node in ast.nodes_of(query):
        if isinstance(node, ast.Select) and node is not first:
            yield node


def _place(node: ast.Node) -> Span:
    if isinstance(node, ast.Select):
        return Span(node.span.start, node.span.start + len("SELECT"))
    if isinstance(node, ast.MatchRecognize):
        start = node.source.span.end
        return Span(node.span.start, start)
    return node.span


def _of_functions(subject: Subject) -> Iterator[Diagnostic]:
    for node in subject.nodes():
        if isinstance(node, ast.Call) and [p.text.lower() for p in node.prefix] == ["udf"]:
            function = subject.environment.registry.udfs.get(node.name.text.lower())
            kind = None if function is None else _kind(function)
            if kind is not None:
                yield _finding(
                    MISSING, kind, node.span, "write it in JavaScript, or put it behind an endpoint"
                )
        if isinstance(node, ast.Call) and [p.text.lower() for p in node.prefix] == ["uda"]:
            spec = subject.environment.registry.aggregates.get(node.name.text.lower())
            if spec is not None and spec.language == "Python":
                yield _finding(MISSING, "aggregates in Python", node.span, "write it in JavaScript")


def _kind(function: Function) -> str | None:
    kinds = type(getattr(function, "inner", function)).__mro__
    return next((_KINDS[c.__name__] for c in kinds if c.__name__ in _KINDS), None)


def _of_settings(subject: Subject, settings: Settings) -> Iterator[Diagnostic]:
    clauses = [n for n in subject.nodes() if isinstance(n, ast.TimestampBy)]
    if clauses and all(getattr(settings, name) is None for name in _POLICIES):
        yield _finding(
            DIFFERENT,
            "no event is late or out of order here without a setting; Azure drops or moves events",
            clauses[0].span,
            "--set late_arrival=5s --set out_of_order=0s is what a new job in Azure has",
        )
    for name, message in _OWN_SETTINGS.items():
        if getattr(settings, name) is not None:
            yield _finding(MISSING, message, None, "leave it out for Azure")


def _finding(code: str, message: str, span: Span | None, hint: str) -> Diagnostic:
    if code == MISSING:
        return Diagnostic(WARNING, code, f"not in Azure: {message}", span, hint)
    return Diagnostic(INFO, code, f"differs from Azure: {message}", span, hint)
