"""Traces for OpenTelemetry: a span for the job, one for each request and each checkpoint.

They are sent as OTLP over HTTP, in its JSON form, to where the standard variables say
(`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin). Loaded only when traces are wished; needs the extra
`streamql[otel]`.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from opentelemetry.sdk.resources import Resource
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

if TYPE_CHECKING:  # it is made before what a run needs is loaded, in its order
    from ..runtime.view import JobView

_DEFAULT = "http://localhost:4318"
_KINDS = {SpanKind.INTERNAL: 1, SpanKind.SERVER: 2, SpanKind.CLIENT: 3}
_NANOSECONDS = 1_000_000_000


class Traces:
    """Spans of one job. A context manager around it: a failure is the job's status."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        self._view: JobView | None = None
        service = os.environ.get("OTEL_SERVICE_NAME") or "streamql"
        self._provider = TracerProvider(resource=Resource.create({"service.name": service}))
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OtlpJson.of(os.environ)))
        self._tracer: Tracer = self._provider.get_tracer("streamql")

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


class OtlpJson(SpanExporter):
    """Sends spans as OTLP over HTTP in its JSON form; what cannot be sent is lost, quietly."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._url = url
        self._headers = {**headers, "content-type": "application/json"}
        self._timeout = timeout

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """Return the exporter that OpenTelemetry's standard variables describe."""
        prefix = "OTEL_EXPORTER_OTLP_"
        base = variables.get(f"{prefix}ENDPOINT") or _DEFAULT
        url = variables.get(f"{prefix}TRACES_ENDPOINT") or f"{base.rstrip('/')}/v1/traces"
        listed = variables.get(f"{prefix}TRACES_HEADERS") or variables.get(f"{prefix}HEADERS") or ""
        pairs = (pair.partition("=") for pair in listed.split(",") if "=" in pair)
        headers = {name.strip(): unquote(value.strip()) for name, _, value in pairs}
        return cls(url, headers, float(variables.get(f"{prefix}TIMEOUT") or 10))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = json.dumps(body_of(spans)).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout):  # noqa: S310
                return SpanExportResult.SUCCESS
        except (OSError, ValueError):
            return SpanExportResult.FAILURE


def body_of(spans: Sequence[ReadableSpan]) -> dict[str, Any]:
    """Return the body of a request that brings spans of one job."""
    resource = {"attributes": _attributes(spans[0].resource.attributes)} if spans else {}
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
        "attributes": _attributes(span.attributes or {}),
        "status": {"code": span.status.status_code.value},
    }
    if span.status.description:
        found["status"]["message"] = span.status.description
    if span.parent is not None:
        found["parentSpanId"] = f"{span.parent.span_id:016x}"
    return found


def _attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}
