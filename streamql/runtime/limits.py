"""Limits of what a job may hold: it stops with a clear word before the system ends it.

Operators are asked how much they hold between batches, so often that it costs one percent at most.
What grows within one batch they cannot tell; the memory of the process as a whole is looked at
twice a second, in a thread, and the job is stopped wherever it is when that is nearly used up.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ..errors import RunError
from ..settings import Settings
from .clauses import Clause, clause_of
from .graph import Node
from .held import size_of
from .memory import machine_memory, resident_memory

_SHARE = 100
"""Measuring may take one part in so many of the time."""
_LOOK_EVERY = 0.5
_GRACE = 2
"""Looks at too much memory after which the job is stopped in the midst of a batch."""
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


class OutOfMemory(BaseException):
    """Raised in the pipeline's thread, wherever it is, when memory is nearly used up."""


@dataclass(frozen=True)
class Measured:
    """What an operator was found to hold."""

    clause: Clause | None
    rows: int = 0
    keys: int = 0
    bytes: int = 0


def limit_of(setting: int | float, whole: int | None) -> int | None:
    """Return a limit in bytes: a number of them, or a share of `whole`; None for no limit."""
    if isinstance(setting, float):
        return None if whole is None else int(setting * whole)
    return setting or None


@dataclass
class Limits:
    """Watches what the operators of a job hold, and the memory of the process.

    A context manager around the job: what the thread raises, and a MemoryError, leave it as a
    RunError that names what held most.

    Attributes:
        nodes: the operators by name.
        max_state: bytes that they may hold together; None: as much as they like.
        max_memory: bytes that the process may take; None: as much as it likes.
        seconds: a clock that rises, in seconds.
        resident: returns the bytes that the process takes.
        shown: what they hold is shown to somebody, limit or not.
        measured: what operators held when they were asked last, by name.
    """

    nodes: Mapping[str, Node]
    max_state: int | None = None
    max_memory: int | None = None
    seconds: Callable[[], float] = time.perf_counter
    resident: Callable[[], int | None] = resident_memory
    shown: bool = False
    measured: Mapping[str, Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = 0.0
        self._full = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # -- between batches ----------------------------------------------------------------------

    def check(self) -> None:
        """Measure what operators hold, if it is time to. Raises RunError when it is too much."""
        if self._full:
            raise self._too_much_memory()
        now = self.seconds()
        if now < self._next or not (self.shown or self.max_state):
            return
        self.measure()
        self._next = self.seconds() + _SHARE * (self.seconds() - now)
        total = sum(found.bytes for found in self.measured.values())
        if self.max_state is not None and total > self.max_state:
            raise _told(
                f"the job holds {spoken_bytes(total)}, "
                f"more than max_state ({_exact(self.max_state)})",
                self._most(),
                "--set max_state=SIZE allows more",
            )

    def measure(self) -> None:
        """Measure what operators hold now. Only the pipeline's thread may ask."""
        seen: set[int] = set()
        found = {}
        for name, node in self.nodes.items():
            held = node.operator.held()
            if held.what:
                size = size_of(held.what, seen)
                clause = None if node.plan is None else clause_of(node.plan)
                found[name] = Measured(clause, held.rows, held.keys, size)
        self.measured = found

    def _most(self) -> Measured | None:
        return max(self.measured.values(), key=lambda found: found.bytes, default=None)

    # -- the process ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self.max_memory is not None and self.resident() is not None:
            pipeline = threading.get_ident()
            self._thread = threading.Thread(
                target=self._watch, args=(pipeline,), name="memory", daemon=True
            )
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        try:
            if self._thread is not None:
                self._thread.join()
        except OutOfMemory as late:
            error = error or late
        if isinstance(error, OutOfMemory):
            raise self._too_much_memory() from None
        if isinstance(error, MemoryError):
            raise _told("the system gives no more memory", self._most(), None) from None

    def _watch(self, pipeline: int) -> None:
        looks = 0
        while not self._ended.wait(_LOOK_EVERY):
            taken = self.resident()
            assert self.max_memory is not None
            self._full = taken is not None and taken > self.max_memory
            looks = looks + 1 if self._full else 0
            if looks == _GRACE:
                # it has not come to the end of its batch: there may not be another look
                raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
                raise_in(ctypes.c_ulong(pipeline), ctypes.py_object(OutOfMemory))

    def _too_much_memory(self) -> RunError:
        taken, limit = self.resident() or 0, self.max_memory or 0
        return _told(
            f"the process takes {spoken_bytes(taken)} of memory, more than max_memory "
            f"({_exact(limit)})",
            self._most(),
            "--set max_memory=SIZE allows more",
        )


def limits_of(nodes: Mapping[str, Node], settings: Settings, shown: bool) -> Limits:
    """Return the limits that settings give a job; `shown`: somebody looks at what it holds."""
    whole = machine_memory()
    state, memory = (limit_of(s, whole) for s in (settings.max_state, settings.max_memory))
    return Limits(nodes, state, memory, shown=shown)


def _told(message: str, most: Measured | None, hint: str | None) -> RunError:
    if most is None or most.clause is None or most.bytes == 0:
        return RunError(message, hint=hint)
    kept = [f"{most.keys:,} keys"] * bool(most.keys) + [f"{most.rows:,} rows"] * bool(most.rows)
    listed = ", ".join([*kept, spoken_bytes(most.bytes)])
    advice = most.clause.advice + (f"; {hint}" if hint else "")
    return RunError(f"{message}; most in {most.clause.text}: {listed}", most.clause.span, advice)


def spoken_bytes(count: int) -> str:
    """Return a size as a person says it: `2.1 GB`."""
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:,} bytes"


def _exact(count: int) -> str:
    for size, unit in _UNITS:
        if count >= size and count % size == 0:
            return f"{count // size:,}{unit}"
    return spoken_bytes(count)
