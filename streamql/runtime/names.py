"""Names for the operators of a job by what stands in the statement, for state that is kept.

    alerts: group by        the GROUP BY of the statement that writes into alerts
    alerts: join 2          the second join on the way to alerts

Names do not tell an operator's place in the optimized plan: a version with other rules still finds
the state of each. What several outputs read has the name of the first of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..plan.nodes import (
    Analyze,
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
)

_CLAUSES: Mapping[type[object], str] = {
    Scan: "arrival",
    Narrow: "fields",
    SetTime: "timestamp by",
    Filter: "where",
    Project: "select",
    Unnest: "apply",
    Analyze: "over",
    Group: "group by",
    Join: "join",
    Lookup: "join reference",
    Union: "union",
    Recognize: "match",
    Write: "into",
}


def names_of(job: Job) -> dict[int, str]:
    """Return the name of each plan node by its identity."""
    named: dict[int, str] = {}
    counts: dict[str, int] = {}
    for write in job.writes:
        _name(write, write.output, named, counts)
    return named


def _name(plan: Plan, output: str, named: dict[int, str], counts: dict[str, int]) -> None:
    if id(plan) in named:
        return
    named[id(plan)] = ""  # inputs first, in the order of the text; their names do not clash
    for source in plan.inputs:
        _name(source, output, named, counts)
    clause = f"{output}: {_clause(plan)}"
    counts[clause] = counts.get(clause, 0) + 1
    number = counts[clause]
    named[id(plan)] = clause if number == 1 else f"{clause} {number}"


def _clause(plan: Plan) -> str:
    match plan:
        case Score(call=call):
            return f"udf.{call.function.name}"
        case Scan(input=name):
            return f"arrival of {name}"
        case SetTime(input=name):
            return f"timestamp of {name}"
        case _:
            return _CLAUSES[type(plan)]
