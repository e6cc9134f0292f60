"""The telemetry of a job that is sent to a collector. Needs the extra `streamql[otel]`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .otlp import Endpoint, Sender, interval
from .wanted import Signal

if TYPE_CHECKING:  # it is made before what a run needs is loaded, in its order
    from ..runtime.view import JobView
    from .pushed import Pushed
    from .traces import Traces

PATIENCE = 5.0
"""Seconds that a job which has ended waits for a collector."""


class Sent:
    """Traces and figures of one job. A context manager around it, which sends the last of them.

    Whatever the collector does, the job goes on and ends: what is not sent within a few seconds
    after the end is lost. Raises UsageError for places that cannot be ones.

    Args:
        signals: what is sent.
        variables: where it goes: OpenTelemetry's.
        version: that of StreamQL.
        warn: told once for each signal that something was lost.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        variables: Mapping[str, str],
        version: str,
        warn: Callable[[str], None],
    ) -> None:
        self._parts: list[Traces | Pushed] = []
        self._senders = {s: Sender(Endpoint.of(s, variables), warn) for s in signals}
        if "TRACES" in signals:
            from .traces import OtlpSpans, Traces

            self._parts.append(Traces(OtlpSpans(self._senders["TRACES"]), version))
        if "METRICS" in signals:
            from .pushed import OtlpMetrics, Pushed

            exporter = OtlpMetrics(self._senders["METRICS"])
            self._parts.append(Pushed(exporter, version, interval(variables)))

    def __enter__(self) -> Self:
        for part in self._parts:
            part.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for part in self._parts:
            part.__exit__(kind, error, trace)
        until = time.monotonic() + PATIENCE
        for sender in self._senders.values():
            sender.hurry(until)
        # a thread that is still at it then ends with the process
        closing = [threading.Thread(target=part.close, daemon=True) for part in self._parts]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(max(0.0, until - time.monotonic()))

    def show(self, view: JobView) -> None:
        """Send what is told of this job."""
        for part in self._parts:
            part.show(view)
