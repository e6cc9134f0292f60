"""The event loop in which a thread waits for V8."""

from __future__ import annotations

import asyncio
import selectors


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop for coroutines that wait for other threads, not for files."""
    return asyncio.SelectorEventLoop(_OnlyWhenIdle())


class _OnlyWhenIdle(selectors.DefaultSelector):
    """Asks the system for events only where there is nothing else to do.

    A loop asks at each step of a coroutine, six times for a call of V8, although nothing but what
    wakes it can come from there. Each time the interpreter lock is let go, and in a job with
    several threads it takes a while to come back.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return [] if timeout is not None and timeout <= 0 else super().select(timeout)


def in_a_loop() -> bool:
    """Tell whether this thread is inside of an event loop, which cannot run another one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def settled() -> None:
    """Cancel all calls and wait until they have ended; one that does not is left behind."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        for task in others:
            task.cancel()
        await asyncio.wait(others, timeout=5)
