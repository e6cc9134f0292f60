"""Which figures a job shows, and where each is read from; Azure's name comes first in its text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from .graph import Node
from .limits import Limits
from .metrics import Histogram, Kind, Metric, Value, Values, labelled
from .readers import InputCounts
from .taken import Taken

if TYPE_CHECKING:
    from ..udf.scoring.stats import ScoringStats, Spread

_Row: TypeAlias = tuple[str, str, Callable[[Any], Value]]

_LONGEST = 60
"""Characters of an operator's name that are shown."""

_INPUTS: tuple[_Row, ...] = (
    ("input_events", "Input Events: events read, malformed ones included.", lambda c: c.events),
    (
        "input_deserialization_errors",
        "Input Deserialization Errors: malformed events, and those that do not fit CREATE TABLE.",
        lambda c: c.bad,
    ),
    (
        "invalid_timestamps",
        "Events without a valid time for TIMESTAMP BY, which are dropped.",
        lambda c: c.invalid_times,
    ),
    (
        "late_input_events",
        "Late Input Events: events that arrived later than late_arrival allows.",
        lambda c: c.times.late.count,
    ),
    (
        "early_input_events",
        "Early Input Events: events dated more than 5 minutes after their arrival, dropped.",
        lambda c: c.times.early.count,
    ),
    (
        "out_of_order_input_events",
        "Out-of-Order Events: events further out of order than out_of_order allows.",
        lambda c: c.times.disordered.count,
    ),
)

_FUNCTIONS: tuple[_Row, ...] = (
    (
        "function_requests_total",
        "Function Requests: attempts to ask the model, retries included.",
        lambda s: s.requests,
    ),
    (
        "function_events_total",
        "Function Events: rows scored, or decided about by on_error.",
        lambda s: s.events,
    ),
    (
        "failed_function_requests_total",
        "Failed Function Requests: attempts without a usable answer.",
        lambda s: s.failed_requests,
    ),
    (
        "runtime_errors_total",
        "Runtime Errors: rows that could not be scored, so that on_error decided about them.",
        lambda s: s.rejected_events,
    ),
    (
        "function_cached_events_total",
        "Rows that were answered from the cache.",
        lambda s: s.cached_events,
    ),
    (
        "function_request_seconds_total",
        "Time from sending requests to their whole answers, summed up.",
        lambda s: s.latency_sum,
    ),
    (
        "function_requests_in_flight_limit",
        "Requests in flight at most, of all partitions, as set or tuned now.",
        lambda s: s.parallel,
    ),
    ("function_request_rows_limit", "Rows in a request at most, now.", lambda s: s.batch),
    (
        "function_breaker_open",
        "1 while the circuit breaker keeps requests back.",
        lambda s: int(s.breaker in ("open", "probing")),
    ),
    ("function_breaker_openings_total", "Openings of the breaker.", lambda s: s.breaker_openings),
    ("function_requests_in_flight", "Requests at work now.", lambda s: s.in_flight),
)

_SPREADS: tuple[tuple[str, str, Callable[[ScoringStats], Spread]], ...] = (
    (
        "function_request_latency_seconds",
        "Time from sending a request to its whole answer.",
        lambda s: s.latency,
    ),
    ("function_request_rows", "Rows of a request.", lambda s: s.request_rows),
)
_COARSE = frozenset({"1.00", "2.00", "5.00"})

_OPERATORS: tuple[_Row, ...] = (
    ("input_rows", "Rows that an operator of the plan has taken.", lambda n: n.taken),
    ("output_rows", "Rows that an operator of the plan has put out.", lambda n: n.given),
    ("seconds", "Time that an operator of the plan has worked.", lambda n: n.seconds),
)

_STATE: tuple[_Row, ...] = (
    ("bytes", "Bytes that an operator of the plan holds for later.", lambda m: m.bytes),
    ("rows", "Rows, or running states, that an operator of the plan holds.", lambda m: m.rows),
    ("keys", "Values of keys that an operator of the plan knows.", lambda m: m.keys),
)


def of_inputs(counts: Mapping[str, InputCounts]) -> Iterator[Metric]:
    """Yield the figures of inputs."""
    for name, documentation, read in _INPUTS:
        yield _rows(f"{name}_total", documentation, "input", counts, read)


def of_outputs(
    rows: Mapping[str, int], behind: Mapping[str, float], delays: Mapping[str, Histogram]
) -> Iterator[Metric]:
    """Yield the figures of outputs: rows, watermark delays, and how old rows are on arrival."""
    yield _rows("output_events_total", "Output Events: rows handed to the output.", "output", rows)
    documentation = "Watermark Delay: the clock less the time up to which the output is complete."
    yield _rows("watermark_delay_seconds", documentation, "output", behind)
    if delays:
        yield Metric(
            "streamql_output_delay_seconds",
            "histogram",
            "The clock less System.Timestamp() of the oldest row of a batch on its way out.",
            {labelled(output=name): delay for name, delay in delays.items()},
        )


def of_deliveries(dropped: Mapping[str, int], failing: Mapping[str, float]) -> Iterator[Metric]:
    """Yield what outputs do not take: rows dropped, and how long they have been tried again."""
    documentation = "Data Conversion Errors: rows that the output did not take, dropped."
    yield _rows("data_conversion_errors_total", documentation, "output", dropped)
    documentation = "Time for which the output has failed and been tried again; 0: it works."
    yield _rows("output_failing_seconds", documentation, "output", failing)


def of_checkpoints(taken: Taken, age: float) -> Iterator[Metric]:
    """Yield the figures of checkpoints: how many, how long they took, size and age."""
    documentation = "Time from noting the state to the last output's commit."
    yield Metric("streamql_checkpoint_seconds", "histogram", documentation, {(): taken.seconds})
    documentation = "Time since the newest checkpoint was complete."
    yield Metric("streamql_checkpoint_age_seconds", "gauge", documentation, {(): age})
    if taken.bytes:
        documentation = "Size of the newest checkpoint."
        yield Metric("streamql_checkpoint_bytes", "gauge", documentation, {(): taken.bytes})


def of_models(stats: Mapping[str, ScoringStats]) -> Iterator[Metric]:
    """Yield the figures of scoring functions."""
    if not stats:
        return
    for name, documentation, read in _FUNCTIONS:
        yield _rows(name, documentation, "function", stats, read)
    retries: Values = {
        labelled(function=name, status=status): count
        for name, found in stats.items()
        for status, count in dict(found.retries).items()
    }
    for name, documentation, spread in _SPREADS:
        values = {labelled(function=key): _histogram(spread(s)) for key, s in stats.items()}
        yield Metric(f"streamql_{name}", "histogram", documentation, values)
    documentation = "Requests that were sent again, by what the attempt before came to."
    yield Metric("streamql_function_retries_total", "counter", documentation, retries)


def _histogram(spread: Spread) -> Histogram:
    """Return the same counts in fewer buckets: 1, 2 and 5 of each power of ten."""
    wanted = [b for b in spread.bounds if f"{b:.2e}"[:4] in _COARSE]
    found = Histogram(wanted)
    found.total = spread.total
    for bound, count in zip([*spread.bounds, float("inf")], spread.counts, strict=True):
        found.counts[bisect_left(wanted, bound)] += count
    return found


def of_operators(nodes: Mapping[str, Node]) -> Iterator[Metric]:
    """Yield the figures of the operators of the plan."""
    for name, documentation, read in _OPERATORS:
        yield _rows(f"operator_{name}_total", documentation, "operator", nodes, read)


def of_state(limits: Limits) -> Iterator[Metric]:
    """Yield what operators were found to hold, and the limits."""
    measured = limits.measured
    for name, documentation, read in _STATE:
        yield _rows(f"state_{name}", documentation, "operator", measured, read)
    if limits.max_state is not None:
        values: Values = {(): limits.max_state}
        yield Metric("streamql_max_state_bytes", "gauge", "The setting max_state.", values)


def named(nodes: Iterable[Node]) -> dict[str, Node]:
    """Return operators by their names; a second one of the same name gets a number."""
    found: dict[str, Node] = {}
    for node in nodes:
        name = short = node.name if len(node.name) <= _LONGEST else node.name[:_LONGEST] + "..."
        number = 1
        while name in found:
            number += 1
            name = f"{short} ({number})"
        found[name] = node
    return found


def _rows(
    name: str,
    documentation: str,
    label: str,
    things: Mapping[str, Any],
    read: Callable[[Any], Value] = lambda thing: thing,
) -> Metric:
    values: Values = {labelled(**{label: key}): read(thing) for key, thing in things.items()}
    kind: Kind = "counter" if name.endswith("_total") else "gauge"
    return Metric(f"streamql_{name}", kind, documentation, values)
