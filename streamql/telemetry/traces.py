"""Traces for OpenTelemetry: a span for the job, one for each request and each checkpoint.

Loaded only when traces are wished; needs the extra `streamql[otel]`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from .otlp import Sender, attributes, resource

if TYPE_CHECKING:  # it is made before what a run needs is loaded, in its order
    from ..runtime.view import JobView

_KINDS = {SpanKind.INTERNAL: 1, SpanKind.SERVER: 2, SpanKind.CLIENT: 3}
_NANOSECONDS = 1_000_000_000


class Traces:
    """Spans of one job. A context manager around it: a failure is the job's status."""

    def __init__(self, exporter: SpanExporter, version: str) -> None:
        self._view: JobView | None = None
        self._provider = TracerProvider(resource=resource(version), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Tracer = self._provider.get_tracer("streamql", version)

    def __enter__(self) -> Self:
        self._job = self._tracer.start_span("job")
        self._inside = set_span_in_context(self._job)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._view is not None:
            for name, reader in self._view.readers.items():
                self._job.set_attribute(f"streamql.input_events.{name}", reader.counts.events)
            for name, writer in self._view.writers.items():
                self._job.set_attribute(f"streamql.output_events.{name}", writer.rows)
        if error is not None:
            self._job.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._job.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def show(self, view: JobView) -> None:
        """Trace this job."""
        self._view = view
        view.taken.listeners.append(self.checkpoint)
        if view.watching.models is not None:
            view.watching.models.observe(self.request)

    def checkpoint(self, epoch: int, seconds: float, size: int) -> None:
        """A checkpoint has just been completed."""
        end = time.time_ns()
        self._tracer.start_span(
            "checkpoint",
            self._inside,
            attributes={"streamql.checkpoint": epoch, "streamql.bytes": size},
            start_time=end - int(seconds * _NANOSECONDS),
        ).end(end)

    def request(self, function: str, rows: int, seconds: float, status: str, attempt: int) -> None:
        """A request to a model has just ended; `status` is `200` or what went wrong.

        `attempt` is 1 for the first with these rows.
        """
        end = time.time_ns()
        span = self._tracer.start_span(
            f"score {function}",
            self._inside,
            SpanKind.CLIENT,
            {
                "streamql.function": function,
                "streamql.rows": rows,
                "streamql.status": status,
                "streamql.attempt": attempt,
            },
            start_time=end - int(seconds * _NANOSECONDS),
        )
        if status != "200":
            span.set_status(Status(StatusCode.ERROR, status))
        span.end(end)


class OtlpSpans(SpanExporter):
    """Sends spans to a collector."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent = self._sender.send(body_of(spans))
        return SpanExportResult.SUCCESS if sent else SpanExportResult.FAILURE


def body_of(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return the body of a request that brings spans of one job."""
    resource = {"attributes": attributes(spans[0].resource.attributes)} if spans else {}
    scoped = {"scope": {"name": "streamql"}, "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scoped]}]}


def _span(span: ReadableSpan) -> dict[str, Any]:
    context: SpanContext = span.get_span_context()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = {
        "traceId": f"{context.trace_id:032x}",
        "spanId": f"{context.span_id:016x}",
        "name": span.name,
        "kind": _KINDS.get(span.kind, 0),
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": attributes(span.attributes or {}),
        "status": {"code": span.status.status_code.value},
    }
    if span.status.description:
        found["status"]["message"] = span.status.description
    if span.parent is not None:
        found["parentSpanId"] = f"{span.parent.span_id:016x}"
    return found
