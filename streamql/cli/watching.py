"""`--metrics`: how a job that runs can be looked at from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .report import say

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
    """Serve figures if that is wished, and give what a job's view is to be handed to.

    Raises UsageError before the job begins when nothing can listen there.
    """
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
