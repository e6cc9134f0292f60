"""What a person calls an operator: its clause, where it is, what makes it smaller."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Span
from ..expressions.nodes import Expr
from ..plan.nodes import Analyze, Group, Join, Lookup, Plan, Recognize, Score, SetTime, Union
from ..plan.windows import Hopping, Window


@dataclass(frozen=True)
class Clause:
    """A clause of the query that keeps rows.

    Attributes:
        text: as the query writes it, shortened.
        advice: what would let it keep less.
        span: where it is, if that is known.
    """

    text: str
    advice: str
    span: Span | None = None


def clause_of(plan: Plan) -> Clause:
    """Return the clause that a node of the plan stands for."""
    match plan:
        case Group(windows=windows, keys=keys, aggregations=aggregations):
            kinds = ", ".join(_window(window) for window in windows)
            spans = [a.span for a in aggregations]
            advice = "shorter windows, or keys with fewer values, keep less"
            return Clause(f"GROUP BY {kinds}", advice, spans[0] if spans else _span(*keys))
        case Join(right_key=right, outer=outer, keys=keys, condition=condition):
            sides = [side for pair in keys for side in pair]
            conditions = () if condition is None else (condition,)
            advice = "a narrower DATEDIFF in its ON keeps fewer rows"
            return Clause(f"{'LEFT ' * outer}JOIN {right}", advice, _span(*sides, *conditions))
        case Lookup(reference=reference, keys=keys):
            advice = "reference data are kept as a whole; fewer columns and rows keep less"
            return Clause(f"JOIN {reference}", advice, _span(*(key for key, _ in keys)))
        case Analyze(calls=calls):
            advice = "a shorter LIMIT DURATION, or fewer partitions, keep less"
            return Clause("OVER (...)", advice, _span(*(call for _, call in calls)))
        case Recognize(partition=partition):
            advice = "a shorter LIMIT DURATION, or fewer partitions, keep less"
            return Clause("MATCH_RECOGNIZE", advice, _span(*partition))
        case SetTime(input=name, value=value):
            advice = (
                "events wait until nothing older can come: without out_of_order and late_arrival "
                "that is the end of the input, with them as long as they say"
            )
            return Clause(f"TIMESTAMP BY of {name}", advice, _span(value))
        case Union():
            return Clause("UNION", "it waits for the input that is furthest behind in time")
        case Score(call=call) if not call.function.drops:
            advice = "fewer rows in flight: parallel_requests and max_batch_count of the function"
            return Clause(f"udf.{call.function.name}", advice, call.span)
        case _:
            return Clause(str(plan), "it keeps nothing")


def _window(window: Window) -> str:
    tumbling = isinstance(window, Hopping) and window.tumbling
    return f"{'Tumbling' if tumbling else type(window).__name__}Window"


def _span(*exprs: Expr) -> Span | None:
    return next((e.span for e in exprs if e.span.end > e.span.start), None)
