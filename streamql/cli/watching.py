"""`--metrics` and traces: how a job that runs can be looked at from outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .report import say

if TYPE_CHECKING:
    from ..runtime.view import JobView

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
Watch = Callable[["JobView"], None]


def watching_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flag `--metrics`."""
    return click.option(
        "--metrics",
        metavar="[HOST:]PORT",
        help="Serve /metrics (Prometheus) and /healthz while the job runs; on this machine alone "
        "if there is no HOST. Port 0 takes a free one.",
    )(command)


@contextmanager
def watched(ctx: click.Context, metrics: str | None) -> Iterator[Watch | None]:
    """Serve figures and send traces if that is wished; give what a job's view is to be handed to.

    Raises UsageError before the job begins when nothing can listen there, or nothing can be sent.
    """
    with _served(ctx, metrics) as show, _traced() as trace:
        wanted = [each for each in (show, trace) if each is not None]

        def watch(view: JobView) -> None:
            for each in wanted:
                each(view)

        yield watch if wanted else None


@contextmanager
def _traced() -> Iterator[Watch | None]:
    """Send traces where OpenTelemetry's standard variables name a place for them."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off |= os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none"
    if off or not any(os.environ.get(name) for name in _ENDPOINTS):
        yield None
        return
    try:
        from ..telemetry.traces import Traces
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        from ..errors import UsageError

        name = next(name for name in _ENDPOINTS if os.environ.get(name))
        raise UsageError(
            f"{name} asks for traces, and OpenTelemetry is not installed",
            hint="pip install 'streamql[otel]', or OTEL_TRACES_EXPORTER=none",
        ) from None
    with Traces() as traces:
        yield traces.show


@contextmanager
def _served(ctx: click.Context, metrics: str | None) -> Iterator[Watch | None]:
    if metrics is None:
        yield None
        return
    from .. import __version__
    from ..telemetry.address import address_of

    address = address_of(metrics)
    from ..telemetry.server import MetricsServer

    with MetricsServer(address, __version__) as server:
        say(f"metrics at http://{server.address}/metrics", ctx, url=f"http://{server.address}")
        yield server.show
