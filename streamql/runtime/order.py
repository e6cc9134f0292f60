"""Which order the parts of a plan need: rows in order of time cost waiting, so not all get them."""

from __future__ import annotations

from collections.abc import Iterable

from ..plan.nodes import Filter, Group, Job, Lookup, Plan, Project, Score, SetTime, Unnest, Write
from ..plan.windows import Hopping
from .operators.set_time import Order

_RANK = {Order.ANY: 0, Order.WATERMARK: 1, Order.TIME: 2}


def needed_order(job: Job, policy: bool) -> dict[int, Order]:
    """Return, by identity of each SetTime node, what those who read it need.

    Windows over aggregates that are kept up to date row by row need only watermarks. Rows that go
    straight to an output stay in the order of their input, unless there is a time policy, whose
    meaning is an order.
    """
    readers: dict[int, list[Plan]] = {}
    nodes: dict[int, Plan] = {}
    for write in job.writes:
        _collect(write, readers, nodes)
    return {
        key: _needed(node, readers, policy)
        for key, node in nodes.items()
        if isinstance(node, SetTime)
    }


def free_of_order(job: Job) -> set[int]:
    """Return the identities of the Score nodes whose rows may leave in any order.

    Nothing but row-wise steps, lookups, outputs and windows that need watermarks only read them.
    """
    readers: dict[int, list[Plan]] = {}
    nodes: dict[int, Plan] = {}
    for write in job.writes:
        _collect(write, readers, nodes)
    return {
        key
        for key, node in nodes.items()
        if isinstance(node, Score) and _needed(node, readers, False) is not Order.TIME
    }


def keeps_no_rows(group: Group) -> bool:
    """Tell whether a Group is tumbling or hopping windows of aggregates that need no rows."""
    return all(isinstance(w, Hopping) for w in group.windows) and all(
        a.function.accumulator() is not None for a in group.aggregations
    )


def _collect(plan: Plan, readers: dict[int, list[Plan]], nodes: dict[int, Plan]) -> None:
    if id(plan) in nodes:
        return
    nodes[id(plan)] = plan
    for source in plan.inputs:
        readers.setdefault(id(source), []).append(plan)
        _collect(source, readers, nodes)


def _needed(plan: Plan, readers: dict[int, list[Plan]], policy: bool) -> Order:
    return _most(_of_reader(r, readers, policy) for r in readers.get(id(plan), ()))


def _of_reader(reader: Plan, readers: dict[int, list[Plan]], policy: bool) -> Order:
    match reader:
        case Write():
            return Order.TIME if policy else Order.ANY
        case Group():
            return Order.WATERMARK if keeps_no_rows(reader) else Order.TIME
        case Filter() | Project() | Unnest() | Score() | Lookup():
            return _needed(reader, readers, policy)
        case _:
            return Order.TIME


def _most(orders: Iterable[Order]) -> Order:
    return max(orders, key=lambda o: _RANK[o], default=Order.ANY)
