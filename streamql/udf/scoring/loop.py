"""The one asyncio loop of a job in which all HTTP lives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class ScoringLoop:
    """An asyncio loop in a daemon thread, started when it is first needed.

    All scoring functions of an engine share one. Methods may be called from any thread but the
    loop's own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._held: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def hold(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have something closed with the loop, at the latest. From any thread."""
        self._held.append(close)

    def release(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Forget what `hold` was told: it has been closed."""
        if close in self._held:
            self._held.remove(close)

    def start(self) -> asyncio.AbstractEventLoop:
        """Return the running loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(self._loop, self._held), name="streamql-scoring", daemon=True
                )
                self._thread.start()
            return self._loop

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function called in the loop's thread soon; nothing happens when it is closed."""
        loop = self.start()
        # the loop is closed while a job is torn down: then nobody waits for the call
        if not loop.is_closed():
            loop.call_soon_threadsafe(function, *args)

    def run(self, work: Coroutine[Any, Any, None], timeout: float) -> bool:
        """Run a coroutine in the loop; return whether it ended within `timeout` seconds."""
        future = asyncio.run_coroutine_threadsafe(work, self.start())
        try:
            future.result(timeout)
        except TimeoutError:
            future.cancel()
            return False
        return True

    def close(self, timeout: float = 1.0) -> None:
        """End the loop and its thread; a later `start` begins anew."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout)


def _run(
    loop: asyncio.AbstractEventLoop, held: list[Callable[[], Coroutine[Any, Any, None]]]
) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        while held:
            loop.run_until_complete(held.pop()())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
