"""What the system says of this process, as figures."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import ProcessCollector

from ..runtime.metrics import Kind, Metric

_COLLECTOR = ProcessCollector(registry=None)


def of_process() -> Iterator[Metric]:
    """Yield the figures of this process, as the page /metrics has them."""
    for family in _COLLECTOR.collect():
        for sample in family.samples:
            kind: Kind = "counter" if sample.name.endswith("_total") else "gauge"
            yield Metric(sample.name, kind, family.documentation, {(): sample.value})
