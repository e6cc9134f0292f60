"""Python callables, called for the rows of a batch: one by one, or as coroutines side by side."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import FunctionError
from ..diversion import stdout_to_stderr

if TYPE_CHECKING:
    from ..scoring.loop import ScoringLoop

CONCURRENCY = 100
"""Calls of an async function in flight at a time, unless the user says otherwise."""
Failures = (Exception, SystemExit)
"""What a user's function may raise: SystemExit must not end the job without a word."""


class Calls:
    """A Python callable by the name that errors give it, e.g. `udf.clean`.

    An `async def` runs in a loop of its own, in a thread of its own, which lives as long as the
    function: connections that it keeps stay usable from batch to batch. With `divert`, what it
    prints goes to standard error, because standard output belongs to the rows of the job.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        *,
        divert: bool = False,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.name = name
        self.function = function
        self.file = _file_of(function)
        self._divert = divert
        self._concurrency = concurrency
        self._is_async = is_async(function)
        self._loop: ScoringLoop | None = None

    def each(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return the result for each row's arguments. Raises FunctionError with the first row."""
        if self._is_async:
            return self._gather(rows)
        results = []
        with self.prints():
            for row, arguments in enumerate(rows):
                try:
                    results.append(self.function(*arguments))
                except Failures as error:
                    raise self.failed(error, row) from error
        return results

    def once(self, *arguments: Any) -> Any:
        """Return the result of one call; what it raises comes out as it is."""
        if not self._is_async:
            with self.prints():
                return self.function(*arguments)
        results, failures = self._run([arguments])
        if failures:
            raise failures[0]
        return results[0]

    def prints(self) -> contextlib.AbstractContextManager[None]:
        """Lead standard output to standard error meanwhile, where it belongs to the rows."""
        return stdout_to_stderr() if self._divert else contextlib.nullcontext()

    def failed(self, error: BaseException, row: int | None) -> FunctionError:
        """Return the error that tells of an exception: its kind, its text, its Python line."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == self.file]
        at = (own or frames)[-1] if frames else None
        hint = f"at {shown(at.filename)}, line {at.lineno}" if at else None
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return FunctionError(f"{self.name}: {said}", hint=hint, row=row)

    def close(self) -> None:
        """End the loop of an async function."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None

    def _gather(self, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        results, failures = self._run(rows)
        if failures:
            row = min(failures)
            raise self.failed(failures[row], row) from failures[row]
        return results

    def _run(self, rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], dict[int, BaseException]]:
        from ..scoring.loop import ScoringLoop  # noqa: PLC0415 - brings the HTTP client with it

        if self._loop is None:
            self._loop = ScoringLoop()
        work = self._gathered(rows)
        future = asyncio.run_coroutine_threadsafe(work, self._loop.start())
        try:
            return future.result()
        except BaseException:  # an interrupt ends the calls that are under way
            future.cancel()
            raise

    async def _gathered(
        self, rows: Sequence[tuple[Any, ...]]
    ) -> tuple[list[Any], dict[int, BaseException]]:
        """Return the results, and what the rows that failed raised.

        Rows begin in their order, and a failure gives up only those behind it: the first row that
        fails is the same, whichever call ends first.
        """
        results: list[Any] = [None] * len(rows)
        failures: dict[int, BaseException] = {}
        under_way: dict[asyncio.Task[None] | None, int] = {}
        turns = iter(range(len(rows)))

        async def work() -> None:
            task = asyncio.current_task()
            for row in turns:
                if failures:
                    return
                under_way[task] = row
                try:
                    results[row] = await self.function(*rows[row])
                except asyncio.CancelledError as error:
                    if task is not None and task.cancelling():
                        raise
                    failures[row] = error
                except Failures as error:
                    failures[row] = error
                if row in failures:
                    for other, its in under_way.items():
                        if its > row and other is not None:
                            other.cancel()
                    return

        with self.prints():
            tasks = [
                asyncio.ensure_future(work()) for _ in range(min(self._concurrency, len(rows)))
            ]
            await asyncio.gather(*tasks, return_exceptions=True)
        return results, failures


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calls of a function, or of an object with `__call__`, are to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_call(function))


def shown(file: str) -> str:
    """Return a file as messages show it: seen from the working folder where it is below."""
    below = os.path.relpath(file)
    return file if below.startswith(os.pardir) or not os.path.isabs(file) else below


def _file_of(function: Callable[..., Any]) -> str | None:
    """Return the file a function is written in, as tracebacks name it."""
    inner = inspect.unwrap(getattr(function, "func", function))  # of a functools.partial
    code = getattr(inner, "__code__", None)
    if code is None:
        code = getattr(_call(inner), "__code__", None)
    return None if code is None else str(code.co_filename)


def _call(function: Any) -> Any:
    """Return the `__call__` of an object's class."""
    return getattr(type(function), "__call__", None)  # noqa: B004 - which, not whether
