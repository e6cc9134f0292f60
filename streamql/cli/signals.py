"""Ctrl-C and SIGTERM in a job with checkpoints: the first ends it with one, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stopping(stop: Callable[[], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` at the first Ctrl-C or SIGTERM; the second Ctrl-C raises KeyboardInterrupt."""
    asked = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        stop()
        again = "; Ctrl-C again stops at once, without it" if number == signal.SIGINT else ""
        tell(f"taking a last checkpoint{again}")

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
