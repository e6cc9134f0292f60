"""The figures of a job for OpenTelemetry: those of the page /metrics, pushed to a collector.

They have the same names and labels there. Loaded only when they are wished; needs the extra
`streamql[otel]`.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as OtelHistogram
from opentelemetry.sdk.metrics.export import Metric as OtelMetric

from ..runtime.metrics import Histogram, Metric, info
from .otlp import Sender, attributes, number, resource
from .process import of_process

if TYPE_CHECKING:  # it is made before what a run needs is loaded, in its order
    from ..runtime.view import JobView

_UNITS = {"seconds": "s", "bytes": "By"}
_SCOPE = "streamql"


class Pushed:
    """Figures of one job. A context manager around it; the last ones are sent by `close`.

    Each figure is an observable instrument. The first of them reads all figures, the others take
    theirs from what it read: a collection shows one moment. OpenTelemetry has no observable
    histograms: the exporter gets them beside the rest.

    Args:
        exporter: gets all figures now and then.
        version: that of StreamQL.
        every: seconds between two times.
        reader: for tests: what collects in place of a thread.
    """

    def __init__(
        self,
        exporter: MetricExporter,
        version: str,
        every: float = 60.0,
        reader: MetricReader | None = None,
    ) -> None:
        self._view: JobView | None = None
        self._read: Mapping[str, Metric] = {}
        self._instruments: set[str] = set()
        self._info = info(version)
        self._knowing = threading.Lock()
        self._began = time.time_ns()
        whole = _Whole(exporter, self._histograms, self._know_new_ones)
        collector = reader or PeriodicExportingMetricReader(whole, math.inf)
        self._provider = MeterProvider([collector], resource(version), shutdown_on_exit=False)
        self._meter = self._provider.get_meter(_SCOPE, version)
        self._know_new_ones()
        self._clockwork = None if reader else _Clockwork(collector, every)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._know_new_ones()

    def close(self) -> None:
        """Send the last figures."""
        if self._clockwork is not None:
            self._clockwork.close()
        self._provider.shutdown()

    def show(self, view: JobView) -> None:
        """Push the figures of this job."""
        self._view = view
        self._know_new_ones()

    def _metrics(self) -> Iterable[Metric]:
        yield self._info
        yield from of_process()
        if self._view is not None:
            yield from self._view.metrics()

    def _know_new_ones(self) -> None:
        """Make instruments for figures that were not there yet. Not while they are collected."""
        with self._knowing:
            for metric in self._metrics():
                if metric.name not in self._instruments and metric.kind != "histogram":
                    self._know(metric)

    def _know(self, metric: Metric) -> None:
        counts = metric.kind == "counter"
        meter = self._meter
        make = meter.create_observable_counter if counts else meter.create_observable_gauge
        observe = partial(self._observe, metric.name) if self._instruments else self._lead
        self._instruments.add(metric.name)
        make(metric.name, [observe], _unit(metric.name), metric.documentation)

    def _lead(self, options: CallbackOptions) -> Iterable[Observation]:
        """Read all figures, and give the first."""
        self._read = {metric.name: metric for metric in self._metrics()}
        return self._observe(self._info.name, options)

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        metric = self._read.get(name)
        values = {} if metric is None else metric.values
        return [
            Observation(value, dict(labels))
            for labels, value in values.items()
            if not isinstance(value, Histogram)
        ]

    def _histograms(self) -> list[OtelMetric]:
        """Return the histograms among what was read last."""
        now = time.time_ns()
        return [
            OtelMetric(
                metric.name,
                metric.documentation,
                _unit(metric.name),
                OtelHistogram(
                    [
                        _point(dict(labels), value, self._began, now)
                        for labels, value in metric.values.items()
                        if isinstance(value, Histogram)
                    ],
                    AggregationTemporality.CUMULATIVE,
                ),
            )
            for metric in self._read.values()
            if metric.kind == "histogram"
        ]


class _Clockwork:
    """A thread that has figures collected now and then, and once more at the end.

    The thread of OpenTelemetry's reader gives its last collection no more time than lies between
    two of them: where that is short or the machine busy, the last figures were lost.
    """

    def __init__(self, reader: MetricReader, every: float) -> None:
        self._reader = reader
        self._every = min(every, threading.TIMEOUT_MAX)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="OtelFigures", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._reader.collect(math.inf)
        self._reader.collect(math.inf)

    def close(self) -> None:
        """Collect once more."""
        self._ended.set()
        self._thread.join()


def _unit(name: str) -> str:
    words = name.removesuffix("_total").rsplit("_", 1)
    return _UNITS.get(words[-1], "1")


def _point(labels: Mapping[str, str], value: Histogram, began: int, now: int) -> HistogramDataPoint:
    """Return a histogram's values; the least and the greatest one are not known."""
    counts = list(value.counts)
    unknown = float("nan")
    return HistogramDataPoint(
        labels, began, now, sum(counts), value.total, counts, list(value.bounds), unknown, unknown
    )


class _Whole(MetricExporter):
    """Adds histograms to what the SDK has collected, and looks for new figures afterwards."""

    def __init__(
        self,
        below: MetricExporter,
        histograms: Callable[[], list[OtelMetric]],
        after: Callable[[], None],
    ) -> None:
        super().__init__()
        self._below = below
        self._histograms = histograms
        self._after = after

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        data = MetricsData(
            [
                replace(
                    found,
                    scope_metrics=[
                        replace(scope, metrics=[*scope.metrics, *self._histograms()])
                        for scope in found.scope_metrics
                    ],
                )
                for found in metrics_data.resource_metrics
            ]
        )
        result = self._below.export(data, timeout_millis)
        self._after()
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._below.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._below.shutdown(timeout_millis)


class OtlpMetrics(MetricExporter):
    """Sends figures to a collector."""

    def __init__(self, sender: Sender) -> None:
        super().__init__()
        self._sender = sender

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        sent = self._sender.send(body_of(metrics_data))
        return MetricExportResult.SUCCESS if sent else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing is kept back."""


def body_of(data: MetricsData) -> dict[str, Any]:
    """Return the body of a request that brings figures."""
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes(found.resource.attributes)},
                "scopeMetrics": [
                    {
                        "scope": {"name": scoped.scope.name, "version": scoped.scope.version or ""},
                        "metrics": [_metric(metric) for metric in scoped.metrics],
                    }
                    for scoped in found.scope_metrics
                ],
            }
            for found in data.resource_metrics
        ]
    }


def _metric(metric: OtelMetric) -> dict[str, Any]:
    known = {"name": metric.name, "description": metric.description or "", "unit": metric.unit}
    match metric.data:
        case Sum(points, temporality, monotonic):
            return {
                **known,
                "sum": {
                    "dataPoints": [{**_times(p), **_single(p.value)} for p in points],
                    "aggregationTemporality": temporality.value,
                    "isMonotonic": monotonic,
                },
            }
        case Gauge(points):
            return {
                **known,
                "gauge": {"dataPoints": [{**_times(p), **_single(p.value)} for p in points]},
            }
        case OtelHistogram(points, temporality):
            return {
                **known,
                "histogram": {
                    "dataPoints": [{**_times(p), **_counted(p)} for p in points],
                    "aggregationTemporality": temporality.value,
                },
            }
        case _:
            return known  # figures are of these three kinds


def _times(point: Any) -> dict[str, Any]:
    found = {
        "attributes": attributes(point.attributes or {}),
        "timeUnixNano": str(point.time_unix_nano),
    }
    if point.start_time_unix_nano:
        found["startTimeUnixNano"] = str(point.start_time_unix_nano)
    return found


def _single(value: float) -> dict[str, Any]:
    return {"asInt": str(value)} if isinstance(value, int) else {"asDouble": number(value)}


def _counted(point: HistogramDataPoint) -> dict[str, Any]:
    return {
        "count": str(point.count),
        "sum": number(point.sum),
        "bucketCounts": [str(count) for count in point.bucket_counts],
        "explicitBounds": list(point.explicit_bounds),
    }
