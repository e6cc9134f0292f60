"""What a terminal shows of a long run: one line on standard error, gone at the end."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from rich.live import Live

_FIRST_AFTER = 1.0


class Status(Protocol):
    """How far a job is (the engine's `JobStatus`)."""

    events: int
    rows: int
    seconds: float


def wanted(quiet: bool, rows_on_stdout: bool) -> bool:
    """Return whether to show progress: on a terminal, and not among rows on the same terminal."""
    if quiet or not sys.stderr.isatty():
        return False
    return not (rows_on_stdout and sys.stdout.isatty())


def line(status: Status) -> str:
    """Return the figures of a running job in words."""
    rate = status.events / status.seconds if status.seconds > 0 else 0.0
    return (
        f"{status.events:,} events, {rate:,.0f} events/s, {status.rows:,} rows, "
        f"{status.seconds:.0f} s"
    )


class Progress:
    """Shows a job's status once it has run for a second. Called from the job's thread.

    rich is loaded only then: short runs do not pay for it.
    """

    def __init__(self, color: bool | None = None) -> None:
        self._color = color
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, status: Status) -> None:
        """Show the status, if the run has lasted long enough to be worth it."""
        if status.seconds < _FIRST_AFTER:
            return
        if self._live is None:
            self._live = self._begin()
        self._live.update(self._text(status), refresh=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _begin(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=sys.stderr, no_color=self._color is False, highlight=False)
        live = Live(
            console=console,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        live.start()
        return live

    def _text(self, status: Status) -> Any:
        from rich.text import Text

        return Text(line(status), style="dim", no_wrap=True, overflow="ellipsis")
