"""MATCH_RECOGNIZE: its clauses to a plan node.

Readings of what the reference leaves open: the result has the measures as its columns; a variable
that DEFINE leaves out matches any event; aggregates in DEFINE see the events bound before the one
under test; a name without a variable means any bound event; a plain `A.x` of another variable, or
in MEASURES, is `Last(A.x)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..batch import MAIN
from ..errors import BindError, Span, suggest
from ..expressions.nodes import Call, Expr, Field, Logic, Whole, can_fail, rebuild, walk
from ..functions.datetime import UNIT_FUNCTIONS
from ..plan.nodes import Plan, Recognize, Shape
from ..plan.pattern import BOUND, KEPT, Automaton, AutomatonBuilder, Pick, Variable
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import is_aggregate
from .durations import duration
from .expressions import bind_condition, bind_value
from .partitions import partition_of, with_keys
from .scope import Environment, Scope, Source

_PICKS = ("first", "last", "min", "max")
_CLASSIFIER = "classifier"
_MOST_PLACES = 1000


def bind_recognize(
    node: ast.MatchRecognize, plan: Plan, sources: tuple[Source, ...], environment: Environment
) -> tuple[Plan, Source]:
    """Return the plan and the relation of its measures. Raises BindError with the place."""
    if node.limit is None:
        raise BindError(
            "MATCH_RECOGNIZE needs LIMIT DURATION",
            Span(node.source.span.end, node.span.end),
            "write LIMIT DURATION (minute, 1) first: how long a match may take",
        )
    limit = duration(node.limit, "LIMIT DURATION")
    scope = Scope(environment, sources)
    partition = with_keys((bind_value(k, scope) for k in node.partition_by), partition_of(scope))
    binder = _Recognizer(scope, _variables(node.pattern))
    variables = binder.define(node.definitions)
    measures: dict[str, Expr] = {}
    for measure in node.measures:
        text = measure.name.text
        name = text.lower() if environment.level == "1.0" else text
        if name.lower() in (m.lower() for m in measures):
            raise BindError(f"two measures are named {name}", measure.name.span, "rename one")
        measures[name] = binder.measure(measure.value)
    for expr in (*partition, *binder.kept, *measures.values(), *binder.conditions):
        _refuse_remote(expr)
    pattern = _Compiler(list(binder.names)).automaton(node.pattern)
    made = Recognize(
        plan,
        limit,
        partition,
        variables,
        pattern,
        tuple(binder.kept),
        tuple(binder.picks),
        tuple(measures.items()),
    )
    shape = Shape({n: m.type for n, m in measures.items()}, tuple(measures))
    return made, Source(node.alias.text if node.alias else "", MAIN, shape)


def _variables(pattern: ast.Pattern) -> dict[str, str]:
    """Return the variables of a pattern in order: lower-case name to name as first written."""
    found: dict[str, str] = {}

    def visit(node: ast.Pattern) -> None:
        match node:
            case ast.PatternVariable(name=name):
                found.setdefault(name.lower(), name)
            case ast.PatternSequence(parts=parts) | ast.PatternChoice(options=parts):
                for part in parts:
                    visit(part)
            case ast.PatternRepeat(part=part):
                visit(part)

    visit(pattern)
    return found


@dataclass
class _Compiler:
    names: list[str]

    def automaton(self, pattern: ast.Pattern) -> Automaton:
        self._built = AutomatonBuilder()
        return self._built.build(self._compile(pattern, 0))

    def _compile(self, node: ast.Pattern, after: int) -> int:
        match node:
            case ast.PatternVariable(name=name, span=span):
                if len(self._built.variables) >= _MOST_PLACES:
                    raise BindError(
                        f"the pattern has more than {_MOST_PLACES} events with repeats written out",
                        span,
                        "repeat less often, or use + and *",
                    )
                return self._built.place(self.names.index(name.lower()), after)
            case ast.PatternSequence(parts=parts):
                for part in reversed(parts):
                    after = self._compile(part, after)
                return after
            case ast.PatternChoice(options=options):
                return self._built.choice([self._compile(o, after) for o in options])
            case ast.PatternRepeat():
                return self._repeat(node, after)

    def _repeat(self, node: ast.PatternRepeat, after: int) -> int:
        least, most = node.least, node.most
        if most is None:
            loop = self._built.loop()
            body = self._compile(node.part, loop)
            self._built.close(loop, body, after)
            after = body if least else loop
            least -= 1
        else:
            end = after
            for _ in range(most - least):
                after = self._built.choice([self._compile(node.part, after), end])
        for _ in range(least):
            after = self._compile(node.part, after)
        return after


@dataclass
class _Recognizer:
    """Binds DEFINE and MEASURES of one clause; collects what is kept of events."""

    scope: Scope
    names: dict[str, str]
    kept: list[Expr] = field(default_factory=list)
    picks: list[Pick] = field(default_factory=list)
    conditions: list[Expr] = field(default_factory=list)

    def define(self, definitions: tuple[ast.Definition, ...]) -> tuple[Variable, ...]:
        """Return the variables in the order of the pattern."""
        made = {lowered: Variable(name) for lowered, name in self.names.items()}
        seen: set[str] = set()
        for item in definitions:
            lowered = item.name.text.lower()
            if lowered not in self.names:
                known = [n for n in self.names.values() if n != "."]
                hint = suggest(item.name.text, known)
                raise BindError(
                    f"PATTERN has no {item.name.text}",
                    item.name.span,
                    hint or "it has " + ", ".join(known),
                )
            if lowered in seen:
                raise BindError(f"{item.name.text} is defined twice", item.name.span, "join by AND")
            seen.add(lowered)
            made[lowered] = self._variable(item, lowered)
        return tuple(made.values())

    def _variable(self, item: ast.Definition, lowered: str) -> Variable:
        tree = _rewrite(item.condition, lambda node: self._in_define(node, lowered))
        condition = bind_condition(tree, self._with_bound())
        self.conditions.append(condition)
        tests: list[Expr] = []
        rest: list[Expr] = []
        for part in _conjuncts(condition):
            alone = not any(isinstance(e, Field) and e.relation == BOUND for e in walk(part))
            # what may fail is not moved before a condition that may guard it
            (tests if alone and not (rest and can_fail(part)) else rest).append(part)
        kept = None if not rest else self._keep(_all_of(rest))
        return Variable(self.names[lowered], _all_of(tests) if tests else None, kept)

    def _keep(self, expr: Expr) -> Expr:
        """Return the expression with the values of the event taken from KEPT."""
        match expr:
            case Field(relation=relation) if relation == BOUND:
                return expr
            case Field() | Whole():
                return Field(expr.type, expr.span, KEPT, (f"f{self._number(expr)}",))
            case _:
                return rebuild(expr, self._keep)

    def _number(self, expr: Expr) -> int:
        if expr not in self.kept:
            self.kept.append(expr)
        return self.kept.index(expr)

    def measure(self, value: ast.Expr) -> Expr:
        """Return a bound measure: it reads nothing but BOUND."""
        return bind_value(_rewrite(value, self._in_measures), self._with_bound())

    def _with_bound(self) -> Scope:
        columns = {f"p{i}": self.kept[p.field].type for i, p in enumerate(self.picks)}
        columns[_CLASSIFIER] = Type.ARRAY
        bound = Source(BOUND, BOUND, Shape(columns))
        return replace(self.scope, sources=(*self.scope.sources, bound))

    def _in_define(self, node: ast.Node, lowered: str) -> ast.Node | None:
        match node:
            case ast.Path(names=names, span=span):
                variable = self._named(names)
                if variable is None:
                    return node
                if variable == lowered:  # the event under test
                    return self._of_event(names, span)
                return self._pick("last", node, lowered)
            case ast.Call() if self._is_pick(node):
                return self._pick(node.name.text.lower(), self._argument(node), lowered, node.span)
            case ast.Call(prefix=(), name=name) if name.text.lower() == _CLASSIFIER:
                raise BindError("Classifier() stands only in MEASURES", node.span)
            case _:
                return None

    def _in_measures(self, node: ast.Node) -> ast.Node | None:
        match node:
            case ast.Path(names=names) if not _is_bound(names):
                return self._pick("last", node, None)
            case ast.Call() if self._is_pick(node):
                return self._pick(node.name.text.lower(), self._argument(node), None, node.span)
            case ast.Call(prefix=(), name=name) if name.text.lower() == _CLASSIFIER:
                if node.arguments or node.over is not None:
                    raise BindError("Classifier() takes no argument", node.span)
                return _of_bound(_CLASSIFIER, node.span)
            case _:
                return None

    def _is_pick(self, node: ast.Call) -> bool:
        """Tell whether a call is one of the four aggregates; refuse all others."""
        name = node.name.text.lower()
        if node.prefix or (name not in _PICKS and not is_aggregate(name)):
            return False
        if name not in _PICKS:
            raise BindError(
                f"{node.name.text} cannot stand in MATCH_RECOGNIZE",
                node.span,
                "its aggregates are Min, Max, First and Last",
            )
        if node.over is not None or node.distinct:
            raise BindError(f"{node.name.text} takes neither OVER nor DISTINCT here", node.span)
        return True

    def _argument(self, node: ast.Call) -> ast.Path:
        name = node.name.text
        if len(node.arguments) != 1:
            raise BindError(f"{name} takes 1 argument, found {len(node.arguments)}", node.span)
        argument = node.arguments[0]
        if not isinstance(argument, ast.Path):
            found = "a call" if isinstance(argument, ast.Call) else "an expression"
            raise BindError(
                f"{name} in MATCH_RECOGNIZE takes a field, found {found}",
                argument.span,
                f"compute the value in a step of WITH first, then write {name}(A.value)",
            )
        if len(argument.names) == 1 and argument.names[0].text.lower() in self.names:
            only = argument.names[0].text
            raise BindError(f"{name} takes a field", argument.span, f"write {name}({only}.column)")
        return argument

    def _pick(
        self, kind: str, path: ast.Path, defining: str | None, span: Span | None = None
    ) -> ast.Path:
        """Return where in BOUND the value is that a field has for bound events."""
        lowered = self._named(path.names)
        order = list(self.names)
        if lowered is None:
            value = bind_value(path, self.scope)
            variable = None
        else:
            variable = order.index(lowered)
            if defining is not None and variable > order.index(defining):
                raise BindError(
                    f"{path.names[0].text} comes after {self.names[defining]} in PATTERN",
                    path.span,
                    "a variable can refer to itself and to earlier ones",
                )
            value = bind_value(self._of_event(path.names, path.span), self.scope)
        pick = Pick(kind, variable, self._number(value))
        if pick not in self.picks:
            self.picks.append(pick)
        return _of_bound(f"p{self.picks.index(pick)}", span or path.span)

    def _named(self, names: tuple[ast.Name, ...]) -> str | None:
        """Return the variable that a dotted name begins with."""
        first = names[0].text.lower()
        return first if len(names) > 1 and first in self.names else None

    def _of_event(self, names: tuple[ast.Name, ...], span: Span) -> ast.Path:
        """Return `A.x` as a field of the event."""
        sources = self.scope.sources
        if len(sources) == 1 and sources[0].alias:
            return ast.Path(span, (ast.Name(names[0].span, sources[0].alias), *names[1:]))
        return ast.Path(span, names[1:])


def _of_bound(name: str, span: Span) -> ast.Path:
    return ast.Path(span, (ast.Name(span, BOUND), ast.Name(span, name)))


def _is_bound(names: tuple[ast.Name, ...]) -> bool:
    return names[0].text == BOUND


def _rewrite(node: Any, change: Callable[[ast.Node], ast.Node | None]) -> Any:
    """Return a tree with nodes replaced from the top; `change` gives None to look inside."""
    if isinstance(node, tuple):
        return tuple(_rewrite(item, change) for item in node)
    if not isinstance(node, ast.Node):
        return node
    changed = change(node)
    if changed is not None:
        return changed
    parts = {f.name: _rewrite(getattr(node, f.name), change) for f in fields(node)}
    if isinstance(node, ast.Call) and node.name.text.upper() in UNIT_FUNCTIONS:
        parts["arguments"] = (*node.arguments[:1], *parts["arguments"][1:])  # a unit is no column
    return replace(node, **parts)


def _conjuncts(condition: Expr) -> list[Expr]:
    if isinstance(condition, Logic) and condition.operator == "and":
        return _conjuncts(condition.left) + _conjuncts(condition.right)
    return [condition]


def _all_of(conditions: list[Expr]) -> Expr:
    whole, *others = conditions
    for other in others:
        whole = Logic(Type.BIT, whole.span, "and", whole, other)
    return whole


def _refuse_remote(expr: Expr) -> None:
    for part in walk(expr):
        if isinstance(part, Call) and part.function.remote:
            raise BindError(
                f"udf.{part.function.name} is a remote function, and MATCH_RECOGNIZE calls none",
                part.span,
                "call it in a step of WITH, and match on its result",
            )
        if isinstance(part, Call) and part.function.drops:
            raise BindError(
                f"the on_error of udf.{part.function.name} drops rows, which MATCH_RECOGNIZE "
                "cannot do",
                part.span,
                "call it in a step of WITH, and match on its result",
            )
