"""The V8 isolate: made when first needed, limited in time and memory, replaced when it broke.

V8 runs in a thread of its own; the calling thread runs the event loop that waits for it, so that a
call is handed over as few times as possible, and so that an interrupted wait (Ctrl-C) cancels it.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import time
import weakref
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from threading import RLock, Thread
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import InternalError
from .. import v8
from .loop import in_a_loop, new_loop, settled

_T = TypeVar("_T")
_HERE = Path(__file__).parent
_FIRST_LOOK = 0.25
_LOOK = 0.05
_LAST_WAIT = 2.0
_STATM = Path("/proc/self/statm")
_PAGE = 4096
_CONSOLE = logging.getLogger("streamql.javascript")
# the levels of surroundings.js, and what is before the first message in its buffer
_LEVELS = (
    (logging.DEBUG, "debug"),
    (logging.INFO, "log"),
    (logging.WARNING, "warn"),
    (logging.ERROR, "error"),
)
_SAID = 4


class CallStopped(Exception):  # noqa: N818 - a limit, not a defect
    """A call was ended by a limit; the isolate is gone.

    Attributes:
        row: the row at which the loop stood.
        reason: what was exceeded, as the end of a sentence.
        hint: which setting would allow more.
    """

    def __init__(self, row: int, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason
        self.hint = hint


class ScriptError(Exception):
    """V8 refused or ended a script with an exception of its own; the text is V8's."""


class JavaScriptRuntime:
    """One V8 isolate for all JavaScript functions of a job, used by one thread at a time.

    Args:
        timeout: seconds that one call (a batch) may take.
        max_heap: bytes that V8 may hold; its buffers outside of the heap count as well.
        bits_as_numbers: bits are Numbers 0 and 1 in JavaScript, and booleans come back as bigint
            (compatibility levels below 1.2).
        max_text: bytes of the longest text, or record as JSON, that is handed to JavaScript.
        deterministic: the time of now is that of the event, and random numbers depend on the
            function and the event alone.

    The isolate is made at the first use (about 0.1 s). After a timeout or a memory overflow it is
    thrown away; the next use makes another, and `generation` tells functions to load again.
    """

    def __init__(
        self,
        timeout: float = 10.0,
        max_heap: int = 512 * 1024 * 1024,
        bits_as_numbers: bool = False,
        max_text: int = 32 * 1024 * 1024,
        deterministic: bool = False,
    ) -> None:
        self.timeout = timeout
        self.max_heap = max_heap
        self.bits_as_numbers = bits_as_numbers
        self.max_text = max_text
        self.deterministic = deterministic
        self.generation = 0
        self.lock = RLock()
        self._isolate: _Isolate | None = None
        self._finalizer: weakref.finalize[..., JavaScriptRuntime] | None = None
        self._closed = False
        self._next_id = 0

    def new_id(self) -> int:
        """Return a number for one more file; it names the file in V8's messages."""
        self._next_id += 1
        return self._next_id

    def invoke(self, name: str, *arguments: str | int, speaker: str = "") -> Any:
        """Call a function of the prelude; a JavaScript exception is a ScriptError.

        What user code says to `console` goes to the logger `streamql.javascript`, in the name of
        the `speaker`, or nowhere without one.
        """
        with self.lock:
            isolate = self._open()
            return self._run(isolate, isolate.prelude(name), arguments, speaker)

    def call(
        self, handle: Any, *arguments: str | int, this: str | None = None, speaker: str
    ) -> Any:
        """Call a JavaScript function that `invoke` returned, in the same generation.

        `this` goes along with the call; each argument costs one more passage to V8's thread, and
        is found in the box of files.js.
        """
        with self.lock:
            return self._run(self._open(), handle, arguments, speaker, this)

    def memory(self, size: int) -> NDArray[np.uint8]:
        """Return the buffer shared with V8, at least `size` bytes; valid until the next call of
        this method and no longer than the generation."""
        with self.lock:
            isolate = self._open()
            if len(isolate.memory) < size:
                # a quarter more, so that batches that grow slowly do not allocate each time
                wanted = -(-(size + size // 4) // 4096) * 4096
                view = self._run(isolate, isolate.prelude("memory"), (wanted,), "")
                isolate.memory = np.frombuffer(view, np.uint8)
            return isolate.memory

    def close(self) -> None:
        """Free the isolate; the runtime cannot be used afterwards. May be called twice."""
        with self.lock:
            self._closed = True
            isolate = self._let_go()
            if isolate is not None:
                isolate.close()

    # -- inside -----------------------------------------------------------------------------

    def _open(self) -> _Isolate:
        if self._closed:
            raise InternalError("the JavaScript runtime is closed")
        if self._isolate is None:
            self.generation += 1
            self._isolate = _Isolate(self.max_heap, self.deterministic)
            # Freed with this runtime, and before the interpreter shuts down: V8's threads call back
            # into Python, and freeing an isolate in an interpreter that is half gone never returns.
            self._finalizer = weakref.finalize(self, _Isolate.close, self._isolate)
        return self._isolate

    def _let_go(self) -> _Isolate | None:
        isolate, self._isolate = self._isolate, None
        if self._finalizer is not None:
            self._finalizer.detach()
        return isolate

    def _abandon(self) -> None:
        """Let go of an isolate that may still be busy, without waiting for it: a built-in step
        that V8 cannot interrupt ends when it ends."""
        isolate = self._let_go()
        if isolate is not None:
            thread = Thread(target=isolate.close, name="streamql-javascript-close", daemon=True)
            thread.start()
            atexit.register(thread.join, _LAST_WAIT)

    def _run(
        self,
        isolate: _Isolate,
        handle: Any,
        arguments: tuple[str | int, ...],
        speaker: str,
        this: str | None = None,
    ) -> Any:
        from py_mini_racer import JSEvalException, JSOOMException

        try:
            try:
                return isolate.run(self._watched(isolate.call(handle, arguments, this)))
            finally:
                isolate.tell(speaker)  # before anybody lets go of it
        except TimeoutError:
            self._stop(isolate, f"no end after {self.timeout:g} s", "timeout")
        except (JSOOMException, MemoryError):
            self._stop(isolate, self._too_much(), "heap")
        except JSEvalException as error:
            if isolate.overflowed():
                self._stop(isolate, self._too_much(), "heap")
            raise ScriptError(str(error)) from None
        except BaseException:
            # interrupted from outside: what runs in V8 has no one to come back to
            self._abandon()
            raise

    def _too_much(self) -> str:
        return f"used more than {self.max_heap / (1 << 20):g} MB of memory"

    async def _watched(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a call. V8's heap has its own limit; buffers beside it are watched from here."""
        task = asyncio.ensure_future(call)
        start = time.monotonic()
        pause, resident = min(_FIRST_LOOK, self.timeout), None
        while not (await asyncio.wait((task,), timeout=pause))[0]:
            left = self.timeout - (time.monotonic() - start)
            if left <= 0:
                raise TimeoutError
            pause = min(_LOOK, left)
            held = _resident()
            resident = held if resident is None else resident
            if held - resident > 2 * self.max_heap:
                raise MemoryError
        return task.result()

    def _stop(self, isolate: _Isolate, reason: str, setting: str) -> NoReturn:
        row = int(isolate.memory[:4].view(np.int32)[0]) if len(isolate.memory) else 0
        self._abandon()
        hints = {
            "timeout": "look for a loop that does not end; the setting js_timeout allows "
            "a batch more seconds",
            "heap": "look for an array or text that grows without end; the setting "
            "js_memory allows more bytes",
        }
        raise CallStopped(row, reason, hints[setting])


class _Isolate:
    """V8 with the prelude, the loop that talks to it, and the buffer both sides see."""

    def __init__(self, max_heap: int, deterministic: bool) -> None:
        # imported here: a job without JavaScript shall not load 70 MB of library
        from py_mini_racer import mini_racer

        v8.load()
        self._loop = new_loop()
        self._context: AbstractContextManager[Any] = mini_racer(self._loop)
        self.run(self._begin(max_heap, deterministic))

    async def _begin(self, max_heap: int, deterministic: bool) -> None:
        """Make the isolate; V8 answers at once only within the loop."""
        racer = self._context.__enter__()
        racer.set_hard_memory_limit(max_heap)
        prelude, surroundings, files = (
            (_HERE / name).read_text(encoding="utf-8")
            for name in ("prelude.js", "surroundings.js", "files.js")
        )
        mode = "true" if deterministic else "false"
        self._prelude = racer.eval(f"{files}({surroundings}({prelude}, {mode}))")
        self._functions: dict[str, Any] = {}
        self.memory: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._said = np.frombuffer(self._prelude["said"](), np.uint16)
        self._box = self._prelude["box"]
        self._racer = racer

    def prelude(self, name: str) -> Any:
        """Return a function of the prelude."""
        if name not in self._functions:
            self._functions[name] = self._prelude[name]
        return self._functions[name]

    async def call(self, handle: Any, arguments: tuple[str | int, ...], this: str | None) -> Any:
        """Call a function; its arguments are in the box, where no user code sees them come."""
        for place, argument in enumerate(arguments):
            self._box[place] = argument
        return await handle.cancelable()(this=this)

    def tell(self, speaker: str) -> None:
        """Log what user code said to `console` in a call that has ended, or was stopped; without
        a speaker it is forgotten."""
        said = self._said
        if len(said) == 0 or not said[0]:
            return
        end, left_out = _SAID + int(said[0]), int(said[1]) + (int(said[2]) << 16)
        at, texts = _SAID, said.copy()
        said[:_SAID] = 0
        if not speaker:
            return
        while at < end:
            level, name = _LEVELS[int(texts[at])]
            start, at = at + 2, at + 2 + int(texts[at + 1])
            text = texts[start:at].tobytes().decode("utf-16-le", "replace")
            _CONSOLE.log(level, "%s console.%s: %s", speaker, name, text)
        if left_out:
            _CONSOLE.info("%s console: %s more messages of this batch", speaker, f"{left_out:,}")

    def run(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Run the loop until a call has ended; in a thread beside one that has a loop running."""
        if not in_a_loop():
            return self._loop.run_until_complete(call)
        with ThreadPoolExecutor(1, "streamql-javascript") as beside:
            ended = beside.submit(self._loop.run_until_complete, call)
            try:
                return ended.result()
            except BaseException:
                if not ended.done():
                    self._loop.call_soon_threadsafe(self._cancel)
                raise

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def overflowed(self) -> bool:
        """Return whether the heap limit ended a call."""
        return bool(self._racer.was_hard_memory_limit_reached())

    def close(self) -> None:
        """End what runs and free everything."""
        self.memory = np.empty(0, np.uint8)
        self._said = np.empty(0, np.uint16)
        self._functions.clear()
        self._prelude = self._box = None
        self._racer = None
        self.run(settled())
        self._context.__exit__(None, None, None)
        self._loop.close()


def _resident() -> int:
    """Return the bytes of memory this process holds; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def decoded(text: str) -> dict[str, Any]:
    """Return the JSON object that a function of the prelude answered."""
    found: dict[str, Any] = json.loads(text)
    return found
