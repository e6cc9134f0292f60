"""Iterators taken at their own pace: what has come is handed on at once, nothing waits for more."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

LIMIT = 8192
"""The most items in a chunk; an iterator is taken ahead by no more."""


class Pump:
    """Takes an iterator in a thread of its own.

    `next` may block as long as it likes, and the items before must not wait for it; only a second
    thread can see to that.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = items
        self._ready: list[Any] = []
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None

    def chunks(self) -> Iterator[list[Any]]:
        """Yield what has come since the last chunk; raise what the iterator raised."""
        threading.Thread(target=self._run, name="input iterator", daemon=True).start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._ended or self._closed)
                chunk, self._ready = self._ready, []
                self._changed.notify_all()
            if chunk:
                yield chunk
            elif self._error is not None:
                raise self._error
            else:
                return

    def close(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < LIMIT or self._closed)
                    if self._closed:
                        return
                    self._ready.append(item)
                    if len(self._ready) == 1:
                        self._changed.notify_all()
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class AsyncPump:
    """Takes an async iterator in a private event loop, within the thread that asks for chunks."""

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._items = items
        self._closed = False

    def chunks(self) -> Iterator[list[Any]]:
        """Yield what has come since the last chunk; raise what the iterator raised."""
        import asyncio  # with all it loads, 12 ms of a start

        with asyncio.Runner() as runner:
            iterator = aiter(self._items)
            pending: asyncio.Task[Any] | None = None
            while not self._closed:
                chunk, pending, error = runner.run(_gather(iterator, pending))
                if chunk:
                    yield chunk
                if isinstance(error, StopAsyncIteration):
                    return
                if error is not None:
                    raise error

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True


async def _gather(
    iterator: Any, pending: asyncio.Task[Any] | None
) -> tuple[list[Any], asyncio.Task[Any] | None, BaseException | None]:
    """Return the items there are, at least one, the task for the next, and how it ended."""
    import asyncio

    chunk: list[Any] = []
    while len(chunk) < LIMIT:
        if pending is None:
            pending = asyncio.ensure_future(_next(iterator))
            await asyncio.sleep(0)  # let it run: an item that is there comes in one turn
        if chunk and not pending.done():
            break
        await asyncio.wait([pending])
        task, pending = pending, None
        if (error := task.exception()) is not None:
            stop = isinstance(error.__cause__, StopAsyncIteration)
            return chunk, None, error.__cause__ if stop else error
        chunk.append(task.result())
    return chunk, pending, None


async def _next(iterator: Any) -> Any:
    """Return the next item; a task must not raise StopAsyncIteration, so it comes as a cause."""
    try:
        return await anext(iterator)
    except StopAsyncIteration as end:
        raise EOFError from end
