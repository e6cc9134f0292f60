"""`--metrics` and telemetry: how a job that runs can be looked at from outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .report import say, warn

if TYPE_CHECKING:
    from ..runtime.view import JobView

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
    """Serve figures and send telemetry if that is wished; give what a job's view is handed to.

    Raises UsageError before the job begins when nothing can listen there, or nothing can be sent.
    """
    with _served(ctx, metrics) as show, _sent(ctx) as send:
        wanted = [each for each in (show, send) if each is not None]

        def watch(view: JobView) -> None:
            for each in wanted:
                each(view)

        yield watch if wanted else None


@contextmanager
def _sent(ctx: click.Context) -> Iterator[Watch | None]:
    """Send traces and figures where OpenTelemetry's standard variables name a place for them."""
    if not any(name.startswith("OTEL_") for name in os.environ):
        yield None
        return
    from ..telemetry.wanted import wanted

    signals = wanted(os.environ)
    if not signals:
        yield None
        return
    try:
        from ..telemetry.sent import Sent
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        from ..errors import UsageError

        name = next(name for name in os.environ if name.startswith("OTEL_"))
        off = " ".join(f"OTEL_{signal}_EXPORTER=none" for signal in signals)
        raise UsageError(
            f"{name} asks for telemetry, and OpenTelemetry is not installed",
            hint=f"pip install 'streamql[otel]', or {off}",
        ) from None
    from .. import __version__

    with Sent(signals, os.environ, __version__, lambda text: warn(text, ctx)) as sent:
        yield sent.show


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
