"""What is to be known of each node of a plan: what it does, what it keeps, when it lets go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from ..backends.local import time_policy
from ..connectors.catalog import delivery_of
from ..connectors.uri import shown
from ..errors import Span
from ..expressions.nodes import Analytic, Call, Expr, Field, Literal, walk
from ..functions.registry import Volatility
from ..plan.expressions import expressions_in
from ..plan.nodes import (
    Analyze,
    Bound,
    Filter,
    Group,
    Job,
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
    plans_below,
)
from ..plan.reads import Reads
from ..runtime.operators.set_time import Order
from ..runtime.order import keeps_no_rows
from ..settings import Settings
from ..units import spoken
from .titles import window_text

Fact = tuple[str, str]


@dataclass(frozen=True)
class Around:
    """What surrounds a plan.

    Attributes:
        inputs: where each input comes from; names that are missing are not given.
        live: the inputs whose events come as they happen.
        outputs: where each output goes.
        orders: what those who read a SetTime node need, by the node's identity.
        columns: names and types of the columns that leave a node, by its identity.
        fields: the fields that are read of each input; None for all.
    """

    text: str
    job: Job
    settings: Settings
    reads: Mapping[str, Reads]
    inputs: Mapping[str, str] = field(default_factory=dict)
    live: frozenset[str] = frozenset()
    outputs: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[int, Order] = field(default_factory=dict)
    columns: Mapping[int, tuple[tuple[str, str], ...] | None] = field(default_factory=dict)
    fields: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)

    def written(self, span: Span) -> str:
        """Return what the query says at a place, on one line."""
        return " ".join(self.text[span.start : span.end].split()) or "*"

    def of(self, expr: Expr) -> str:
        """Return an expression as the query writes it."""
        if isinstance(expr, Literal) and expr.value is None and expr.span.end == expr.span.start:
            return "NULL"
        return self.written(expr.span)

    def side(self, expr: Expr) -> str:
        """Return a key of a join, with the name of the relation that it is a field of."""
        text = self.of(expr)
        known = isinstance(expr, Field) and not expr.relation.startswith("$")
        return f"{expr.relation}.{text}" if known and isinstance(expr, Field) else text

    def listed(self, exprs: Any) -> str:
        """Return expressions with commas between; each text once."""
        return ", ".join(dict.fromkeys(self.of(e) for e in exprs))


def facts_of(plan: Plan, around: Around) -> Iterator[Fact]:
    """Yield the facts of a node."""
    match plan:
        case Scan():
            yield from _input(plan, around)
        case Narrow(names=names):
            yield "keeps", ", ".join(names) or "no field, only the time"
        case SetTime():
            yield from _time(plan, around)
        case Filter(predicate=predicate):
            yield "where", around.of(predicate)
        case Project():
            yield "columns", _columns(around.columns.get(id(plan)))
        case Unnest(argument=argument):
            yield "of", around.of(argument)
        case Score():
            yield from _score(plan, around)
        case Analyze() | Group() | Join() | Lookup() | Recognize():
            yield from _stateful(plan, around)
        case Union():
            yield "order", "rows are merged by time: it waits for the input that is behind"
        case Write(output=name):
            yield from _output(plan, name, around)
        case _:
            assert_never(plan)
    yield from _volatile(plan)


def _stateful(plan: Analyze | Group | Join | Lookup | Recognize, around: Around) -> Iterator[Fact]:
    match plan:
        case Analyze(calls=calls):
            yield "computes", around.listed(c for _, c in calls)
            yield "keeps", "; ".join(dict.fromkeys(_kept(c, around) for _, c in calls))
        case Group():
            yield from _group(plan, around)
        case Join():
            yield from _join(plan, around)
        case Lookup(reference=name, keys=keys, condition=condition):
            yield "from", shown(around.inputs.get(name, "not given (--reference)"))
            yield from _keys(keys, around)
            if condition is not None:
                yield "and", around.of(condition)
            yield "keeps", "all of the reference data, until a newer version is read"
        case Recognize(limit=limit, partition=partition, variables=variables):
            yield "pattern of", ", ".join(v.name for v in variables)
            yield "partition", around.listed(partition) or "none: all events are one sequence"
            yield "keeps", "open matches and what they ask of their events"
            yield "drops", f"a match {spoken(limit)} after its first event"


def _input(plan: Scan, around: Around) -> Iterator[Fact]:
    name = plan.input
    live = name in around.live
    uri = around.inputs.get(name, "not given (--input)")
    yield "from", "standard input" if uri == "-" else shown(uri)
    if name in around.inputs:
        yield "partitions", "one"
        yield (
            ("events", "live: they arrive by the clock, and there may be no end")
            if live
            else ("events", "read once from the beginning to the end")
        )
        yield (
            ("resume", "not possible: what was read is gone")
            if around.inputs[name] in ("-", "registered data")
            else ("resume", "behind the last event of a checkpoint: each event counts once")
        )
    reads = around.reads.get(name)
    if reads is not None and reads.columns is not None:
        yield "declared", ", ".join(f"{n} {kind}" for n, kind in reads.columns)
    named = around.fields.get(name)
    yield "fields", "all" if named is None else ", ".join(named) or "none"
    if not _is_timed(plan, around.job):
        field_name = around.settings.arrival_field
        yield "time", f"arrival, from {field_name}" if field_name else "arrival"


def _is_timed(scan: Scan, job: Job) -> bool:
    times = (plan for plan in plans_below(job.writes) if isinstance(plan, SetTime))
    return any(time.input == scan.input for time in times)


def _time(plan: SetTime, around: Around) -> Iterator[Fact]:
    yield "timestamp by", around.of(plan.value)
    if plan.over:
        yield "over", f"{around.listed(plan.over)}: each key has a time of its own"
    policy = time_policy(around.settings, plan.input in around.live)
    order = around.orders.get(id(plan), Order.ANY)
    if policy is None:
        yield "policy", "none: no event is late or out of order"
        if order is Order.TIME:
            yield "keeps", "all events, to sort them by time"
            yield "drops", "them when the input ends (out_of_order bounds the wait)"
        elif order is Order.WATERMARK:
            yield "keeps", "nothing: what reads it needs no order"
        return
    late = "any lateness" if policy.late is None else f"late up to {spoken(policy.late)}"
    action = "dropped" if policy.drop else "moved"
    yield "policy", f"{late}; out of order up to {spoken(policy.order)}; beyond: {action}"
    yield "keeps", "events that an older one may still overtake"
    yield "drops", f"them once the watermark, {spoken(policy.order)} behind, has passed"


def _score(plan: Score, around: Around) -> Iterator[Fact]:
    function: Any = plan.call.function
    if function.drops:
        yield "of", around.listed(plan.call.arguments)
        if plan.guard is not None:
            yield "only where", "the conditions around the call hold"
        yield "on error", function.action
        return
    settings = function.settings
    target = getattr(function, "url", None) or getattr(function, "path", None)
    if target is not None:
        from ..udf.scoring.client import shown_url  # loaded already: the function is one of its own

        yield "model", shown_url(str(target)) if "://" in str(target) else str(target)
    yield "row", around.listed(plan.call.arguments)
    if plan.guard is not None:
        yield "only where", "the conditions around the call hold"
    batch = settings.batch_limits
    count = f"{batch.low:,}" if batch.low == batch.high else f"{batch.low:,} to {batch.high:,}"
    yield "batches", f"{count} rows, {settings.max_batch_bytes:,} bytes at most"
    if function.parallel:
        many = settings.parallel_limits
        yield "requests", f"{many.high:,} at a time, each within {settings.attempt_timeout:g} s"
    yield "on error", settings.on_error.action.value
    yield "keeps", "rows that wait for their answer"
    yield "drops", "them when it is there; the inputs wait when all requests are taken"


def _group(plan: Group, around: Around) -> Iterator[Fact]:
    yield "windows", "; ".join(window_text(w) for w in plan.windows)
    yield "keys", around.listed(plan.keys) or "none: one group"
    yield "computes", around.listed(plan.aggregations) or "nothing: only the keys"
    what = "partial sums, no rows," if keeps_no_rows(plan) else "the rows"
    yield "keeps", f"{what} of each open (window, key)"
    yield "drops", "them when the watermark passes the window's end"


def _join(plan: Join, around: Around) -> Iterator[Fact]:
    yield "bounds", "; ".join(_bound(b, plan.right_key) for b in plan.bounds)
    yield from _keys(plan.keys, around)
    if plan.condition is not None:
        yield "and", around.of(plan.condition)
    later = max((b.high + 1) * b.unit for b in plan.bounds if b.high is not None)
    earlier = max((-b.low + 1) * b.unit for b in plan.bounds if b.low is not None)
    yield "keeps", "rows of both sides that may still find a partner"
    yield (
        "drops",
        f"left rows once the watermark is {_after(later)} them, right rows {_after(earlier)}",
    )


def _after(ticks: int) -> str:
    return f"{spoken(ticks)} past" if ticks > 0 else "at"


def _bound(bound: Bound, right: str) -> str:
    parts = []
    if bound.low is not None:
        parts.append(f"{_signed(bound.low * bound.unit)} or more")
    if bound.high is not None:
        parts.append(f"{_signed(bound.high * bound.unit)} or less")
    left = "the left side" if bound.left == "$main" else bound.left
    return f"{right} is {', '.join(parts)} later than {left}"


def _signed(ticks: int) -> str:
    return f"{'-' * (ticks < 0)}{spoken(abs(ticks))}"


def _keys(keys: Any, around: Around) -> Iterator[Fact]:
    pairs = ", ".join(f"{around.side(left)} = {around.side(right)}" for left, right in keys)
    yield "keys", pairs or "none: each row meets each"


def _kept(call: Analytic, around: Around) -> str:
    each = f" for each ({around.listed(call.partition)})" if call.partition else ""
    within = f" within {spoken(call.limit)}" if call.limit else ""
    match call.kind:
        case "lag":
            values = "the last value" if call.number <= 1 else f"the last {call.number} values"
            return f"{values}{within}{each}, until newer ones come"
        case "first":
            return f"the current interval of {spoken(call.number)}{each}, until the next begins"
        case _:
            return f"the rows of the last {spoken(call.limit)}{each}"


def _output(plan: Write, name: str, around: Around) -> Iterator[Fact]:
    uri = around.outputs.get(name)
    yield "to", "standard output" if uri in (None, "-") else shown(str(uri))
    yield "columns", _columns(around.columns.get(id(plan)))
    yield "delivery", delivery_of(uri or "-") + ", with checkpoints"


def _columns(columns: tuple[tuple[str, str], ...] | None) -> str:
    if columns is None:
        return "those of the events"
    return ", ".join(f"{n} {k}" for n, k in columns) or "each statement has others"


def _volatile(plan: Plan) -> Iterator[Fact]:
    names = {
        f"udf.{part.function.name}"
        for expr in expressions_in(plan)
        for part in walk(expr)
        if isinstance(part, Call) and part.function.volatility is Volatility.VOLATILE
    }
    if names:
        yield "volatile", f"{', '.join(sorted(names))}: may give something else the next time"
