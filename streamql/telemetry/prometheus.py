"""Figures in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from ..runtime.metrics import Histogram, Labels, Metric


class Exposition:
    """Writes what `read` yields, beside the figures of this process, as text."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Bridge(read))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all figures as they are now."""
        return generate_latest(self._registry)


class _Bridge(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def describe(self) -> list[Family]:
        return []  # what there is depends on the job

    def collect(self) -> Iterator[Family]:
        for metric in self._read():
            yield _family(metric)


def _family(metric: Metric) -> Family:
    names = tuple(name for name, _ in next(iter(metric.values), ()))
    if metric.kind == "histogram":
        histograms = HistogramMetricFamily(metric.name, metric.documentation, labels=names)
        for labels, value in metric.values.items():
            assert isinstance(value, Histogram)
            histograms.add_metric(_texts(labels), _buckets(value), value.total)
        return histograms
    of_kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = of_kind(metric.name, metric.documentation, labels=names)
    for labels, value in metric.values.items():
        assert not isinstance(value, Histogram)
        family.add_metric(_texts(labels), value)
    return family


def _texts(labels: Labels) -> list[str]:
    return [value for _, value in labels]


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus has them: each counts all values up to its bound."""
    found = []
    so_far = 0
    for bound, count in zip([*histogram.bounds, None], list(histogram.counts), strict=True):
        so_far += count
        found.append(("+Inf" if bound is None else repr(float(bound)), float(so_far)))
    return found
