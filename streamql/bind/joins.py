"""ON: the bound on time, the equal keys, and the other conditions of a join."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from ..batch import MAIN
from ..errors import BindError, CompileError, Span
from ..expressions.nodes import TIMES, Expr, Field, Logic, Timestamp, Whole, rebuild, walk
from ..functions.datetime import unit_named, unit_ticks
from ..instants import TICKS_PER_DAY
from ..plan.nodes import Bound, Filter, Join, Lookup, Plan, Project, Scan, Unnest
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import refuse_aggregates
from .durations import LONGEST, constant_integer
from .expressions import is_unknown
from .partitions import lowered, unequal_counts
from .scope import Scope, Source

BindExpr = Callable[[ast.Expr, Scope], Expr]

_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FIRST_SUNDAY = 3 * TICKS_PER_DAY
"""1970-01-04: weeks begin on Sundays."""


@dataclass
class Condition:
    """An ON clause taken apart. The last source is the right side of the join."""

    scope: Scope
    value: BindExpr
    predicate: BindExpr
    bounds: list[Bound] = field(default_factory=list)
    keys: list[tuple[Expr, Expr]] = field(default_factory=list)
    rest: list[Expr] = field(default_factory=list)
    broken: bool = False

    def read(self, node: ast.Expr) -> None:
        """Take in an ON clause. Raises BindError."""
        for part in conjuncts(node):
            self.scope.environment.attempt(partial(self._part, part), self.note_broken)

    def _part(self, node: ast.Expr) -> None:
        if not (self._bound(node) or self._key(node)):
            bound = self.predicate(node, self.scope)
            refuse_aggregates(bound, "ON")
            self.rest.append(bound)
            self.broken |= is_unknown(bound)

    def note_broken(self) -> None:
        self.broken = True

    @property
    def residual(self) -> Expr | None:
        """All conditions that are neither bounds nor keys, as one."""
        whole: Expr | None = None
        for part in self.rest:
            whole = part if whole is None else Logic(Type.BIT, part.span, "and", whole, part)
        return whole

    # -- bounds -----------------------------------------------------------------------------

    def _bound(self, node: ast.Expr) -> bool:
        """Take in a bound on DATEDIFF between the right side and one on the left."""
        match node:
            case ast.Between(operand=call, low=low, high=high, negated=False):
                found = self._distance(call)
                if found is not None:
                    least = constant_integer(low, "the bound of a join")
                    most = constant_integer(high, "the bound of a join")
                    self._add(found, least, most, node.span)
                return found is not None
            case ast.Binary(operator=sign, left=left, right=right) if sign in _FLIPPED:
                found = self._distance(left)
                if found is None:
                    found, sign, right = self._distance(right), _FLIPPED[sign], left
                if found is None:
                    return False
                number = constant_integer(right, "the bound of a join")
                from_ = {"=": number, ">": number + 1, ">=": number}.get(sign)
                to = {"=": number, "<": number - 1, "<=": number}.get(sign)
                self._add(found, from_, to, node.span)
                return True
            case _:
                return False

    def _distance(self, node: ast.Expr) -> tuple[str, str, bool] | None:
        """Return unit, left relation, and whether it comes second, of DATEDIFF between inputs."""
        if not isinstance(node, ast.Call) or node.prefix or len(node.arguments) != 3:
            return None
        if node.name.text.lower() != "datediff":
            return None
        first, second = (self._input(a) for a in node.arguments[1:])
        if first is None or second is None:
            return None
        right = self.scope.sources[-1]
        if (first is right) == (second is right):
            return None
        word = node.arguments[0]
        text = word.names[0].text if isinstance(word, ast.Path) else None
        try:
            unit = unit_named(text)
        except CompileError as error:
            raise error.at(word.span) from None
        if unit in ("month", "quarter", "year"):
            raise BindError(
                f"a join cannot be bounded in {text}: 7 days at most", word.span, "count in days"
            )
        return unit, (second if first is right else first).key, first is right

    def _input(self, node: ast.Expr) -> Source | None:
        if isinstance(node, ast.Path) and len(node.names) == 1:
            return self.scope.source(node.names[0].text)
        return None

    def _add(
        self, found: tuple[str, str, bool], low: int | None, high: int | None, span: Span
    ) -> None:
        unit, left, flipped = found
        if flipped:
            low, high = (None if n is None else -n for n in (high, low))
        ticks = unit_ticks(unit)
        for number in (low, high):
            if number is not None and abs(number) * ticks > LONGEST:
                raise BindError("the bound of a join may be 7 days at most", span)
        origin = _FIRST_SUNDAY if unit == "week" else 0
        self.bounds.append(Bound(ticks, origin, left, low, high))

    # -- keys -------------------------------------------------------------------------------

    def _key(self, node: ast.Expr) -> bool:
        """Take in an equality between the two sides that a hash can answer."""
        if not isinstance(node, ast.Binary) or node.operator != "=":
            return False
        left, right = self.value(node.left, self.scope), self.value(node.right, self.scope)
        for side in (left, right):
            refuse_aggregates(side, "ON")
        special = (Type.DATETIME, Type.BIT)
        if left.type is not right.type and (left.type in special or right.type in special):
            return False
        own = self.scope.sources[-1].key
        sides = [relations(left), relations(right)]
        if sides[1] == {own} and sides[0] and own not in sides[0]:
            self.keys.append((left, right))
        elif sides[0] == {own} and sides[1] and own not in sides[1]:
            self.keys.append((right, left))
        else:
            return False
        return True


def relations(expr: Expr) -> set[str]:
    """Return the relations an expression looks at; the row's own time counts as one."""
    found = {e.relation for e in walk(expr) if isinstance(e, Field | Whole) and e.relation != TIMES}
    times = {e.path[0] for e in walk(expr) if isinstance(e, Field) and e.relation == TIMES}
    if any(isinstance(e, Timestamp) for e in walk(expr)):
        found.add("")
    return found | times


def conjuncts(node: ast.Expr) -> Iterator[ast.Expr]:
    """Yield the conditions that AND puts together."""
    if isinstance(node, ast.And):
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def left_key(sources: tuple[Source, ...]) -> str | None:
    """Return the name that the main relation of a join's left side gets; None if it has one."""
    main = [s for s in sources if s.key == MAIN]
    return main[0].alias.lower() if main else None


def lag_of(plan: Plan) -> int:
    """Return how much older than a row the rows of the relations in it can be, in ticks."""
    match plan:
        case Join(bounds=bounds, lag=lag):
            reach = [
                (max(abs(n) for n in (b.low, b.high) if n is not None) + 1) * b.unit for b in bounds
            ]
            return lag + max(reach, default=0)
        case Lookup(source=source):
            return lag_of(source)
        case _ if len(plan.inputs) == 1:
            return lag_of(plan.inputs[0])
        case _:
            return 0


def check_bounds(condition: Condition, span: Span) -> None:
    """Raise BindError unless the bounds limit the distance in time from both sides."""
    low = any(b.low is not None for b in condition.bounds)
    high = any(b.high is not None for b in condition.bounds)
    if low and high:
        return
    names = [s.alias for s in condition.scope.sources]
    which = (
        "a bound on time" if not (low or high) else ("an upper" if low else "a lower") + " bound"
    )
    raise BindError(
        f"a JOIN of streams needs {which}",
        span,
        f"add AND DATEDIFF(second, {names[0]}, {names[-1]}) BETWEEN 0 AND 10",
    )


BindSource = Callable[[ast.Source], tuple[Plan, tuple[Source, ...]]]


def bind_join(
    node: ast.Join,
    bind_left: BindSource,
    bind_right: BindSource,
    scope_of: Callable[[tuple[Source, ...]], Scope],
    value: BindExpr,
    predicate: BindExpr,
    lift: Callable[[Plan, Join | Lookup], Plan],
) -> tuple[Plan, tuple[Source, ...]]:
    """Return the plan of a join, and the relations it puts side by side.

    `bind_right` takes reference data as well. `lift` moves the analytic functions of ON out of the
    conditions. Raises BindError.
    """
    left, sources = bind_left(node.left)
    right, (other,) = bind_right(node.right)
    key = left_key(sources)
    sources = tuple(_named(s) for s in sources)
    other = _named(other)
    if any(s.alias.lower() == other.alias.lower() for s in sources):
        raise BindError(
            f"both sides of the join are named {other.alias}",
            node.right.span,
            "give one of them an alias",
        )
    if not other.alias or not sources[0].alias:
        raise BindError("a query in a JOIN needs a name", node.right.span, "write (SELECT ...) x")
    scope = scope_of((*sources, other))
    condition = Condition(scope, value, predicate)
    condition.read(node.condition)
    outer = node.kind == "left"
    keys, residual = tuple(condition.keys), condition.residual
    if other.reference:
        reference, steps = _reference_steps(right)
        if condition.bounds:
            raise BindError(
                f"{other.alias} is reference data, which has no time of its own",
                node.condition.span,
                "leave out the DATEDIFF",
            )
        made: Join | Lookup = Lookup(left, reference, outer, key, other.key, keys, residual, steps)
        return lift(made, made), (*sources, other)
    if not condition.broken:  # else the bound may be what is broken
        check = partial(check_bounds, condition, node.condition.span)
        scope.environment.attempt(check, condition.note_broken)
    _check_substreams(sources, other, condition)
    _check_partitions(sources, other, condition, node.right.span)
    made = Join(
        left, right, outer, key, other.key, tuple(condition.bounds), keys, residual, lag_of(left)
    )
    return lift(made, made), (*sources, other)


def _reference_steps(plan: Plan) -> tuple[str, tuple[Filter | Project | Unnest, ...]]:
    """Return the reference data at the bottom of a plan, and what a WITH step makes of them."""
    steps: list[Filter | Project | Unnest] = []
    while isinstance(plan, Filter | Project | Unnest):
        steps.append(plan)
        plan = plan.source
    assert isinstance(plan, Scan), "a step of reference data filters and projects"
    return plan.input, tuple(reversed(steps))


def _named(source: Source) -> Source:
    """Return a source whose rows are found under its own name, not as the main relation."""
    if source.key != MAIN:
        return source
    key = source.alias.lower()
    over, partition = (tuple(_moved(e, key) for e in es) for es in (source.over, source.partition))
    return replace(source, key=key, over=over, partition=partition)


def _check_substreams(sources: tuple[Source, ...], other: Source, condition: Condition) -> None:
    """Check that the keys of substreams (TIMESTAMP BY ... OVER) are equal on both sides."""
    for side, number in ((other, 1), *((s, 0) for s in sources)):
        for key in side.over:
            if not any(same(pair[number], key) for pair in condition.keys):
                raise BindError(
                    f"the OVER column of {side.alias} must be part of the join's condition",
                    key.span,
                    "add its equality to ON",
                )


def _check_partitions(
    sources: tuple[Source, ...], other: Source, condition: Condition, span: Span
) -> None:
    """Check that partitions meet partitions: their keys must be equal in ON."""
    for source in sources:
        if not (source.partition and other.partition):
            continue
        for mine, theirs in zip(source.partition, other.partition, strict=False):
            if not any(same(a, mine) and same(b, theirs) for a, b in condition.keys):
                raise BindError(
                    f"{source.alias} and {other.alias} are partitioned, and ON does not make the "
                    "keys equal",
                    theirs.span,
                    "add the equality of the PARTITION BY columns to ON",
                )
        if source.shards and other.shards and source.shards != other.shards:
            raise unequal_counts(span)


def _moved(expr: Expr, key: str) -> Expr:
    """Return an expression over the main relation as one over the relation `key`."""
    if isinstance(expr, Field | Whole) and expr.relation == MAIN:
        return replace(expr, relation=key)
    return rebuild(expr, lambda e: _moved(e, key))


def same(left: Expr, right: Expr) -> bool:
    """Tell whether two expressions are the same but for the case of names."""
    return lowered(left) == lowered(right)
