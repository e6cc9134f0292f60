"""Threads in lockstep: one runs at a time, and chance tells which. One seed, one story.

Stand-ins for what a job uses of `threading`, `queue` and `time`. Each thread is a greenlet, which
runs until it waits or chance gives the turn to another: at each step that threads could see of each
other. Time passes by itself only where all wait: it jumps to where the first of them gives up.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

_STEP = 0.001
"""Seconds that a turn takes."""
_SWITCHES = 0.3
"""How often a thread that could go on does not."""


class Deadlock(AssertionError):
    """All threads wait, and nobody gives up."""


class Turns:
    """Who runs, and what time it is. Made in the thread that stands for the main one."""

    def __init__(self, chance: Random) -> None:
        self.now = 0.0
        self.dead: BaseException | None = None
        self._chance = chance
        self._main = getcurrent()
        self._all: list[greenlet] = [self._main]
        self._waiting: dict[greenlet, tuple[Callable[[], bool], float | None]] = {}
        self.threading = SimpleNamespace(
            Thread=self._bound(Thread),
            Event=self._bound(Event),
            Lock=self._bound(Lock),
            Semaphore=self._bound(Semaphore),
        )
        self.queue = SimpleNamespace(
            Queue=self._bound(Queue),
            SimpleQueue=self._bound(Queue),
            Full=queue.Full,
            Empty=queue.Empty,
        )
        self.time = SimpleNamespace(monotonic=lambda: self.now)

    def _bound(self, kind: type) -> Callable[..., Any]:
        return lambda *args, **named: kind(self, *args, **named)

    @contextmanager
    def instead_of_threads(self, *modules: Any) -> Iterator[None]:
        """Give modules these threads, queues and clocks; whatever still runs ends with it."""
        names = ("threading", "queue", "time")
        before = [(m, n, getattr(m, n)) for m in modules for n in names if hasattr(m, n)]
        for module, name, _ in before:
            setattr(module, name, getattr(self, name))
        try:
            yield
        finally:
            for module, name, was in before:
                setattr(module, name, was)
            self.dead = self.dead or Deadlock("the job is over")
            for one in self._all[1:]:
                if not one.dead:
                    one.throw(GreenletExit)

    # -- who runs -------------------------------------------------------------------------------

    def turn(self) -> None:
        """Let others run for a while, or not."""
        self.alive()
        self.now += _STEP
        if len(self._all) > 1 and self._chance.random() < _SWITCHES:
            self._next(getcurrent())
            self.alive()

    def until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until something holds; tell whether it does, or the time is over."""
        self.turn()
        me = getcurrent()
        end = None if timeout is None else self.now + timeout
        while not holds():
            if end is not None and self.now >= end:
                return False
            self._waiting[me] = (holds, end)
            try:
                self._next(me)
            finally:
                del self._waiting[me]
            self.alive()
        return True

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        self.until(lambda: False, seconds)

    def start(self, action: Callable[[], None]) -> greenlet:
        """Begin a thread."""
        made = greenlet(action, self._main)
        self._all.append(made)
        return made

    def alive(self) -> None:
        """Raise what has ended this world, if it has."""
        if self.dead is not None:
            raise self.dead if getcurrent() is self._main else GreenletExit

    def die(self, error: BaseException) -> None:
        """End this world: nobody does anything any more, as when power is lost."""
        self.dead = error
        if getcurrent() is self._main:
            raise error
        self._main.throw(error)

    def settle(self) -> None:
        """Let all other threads end. Raises Deadlock when they do not."""
        self.until(lambda: all(one.dead for one in self._all[1:]), 3600.0)
        if not all(one.dead for one in self._all[1:]):
            raise Deadlock("threads go on after the end of the job")

    def _next(self, me: greenlet) -> None:
        """Give the turn to a thread that can go on, which may be this one."""
        self._all = [one for one in self._all if not one.dead]
        able = [one for one in self._all if self._able(one)]
        if not able:
            ends = [end for _, end in self._waiting.values() if end is not None]
            if not ends:
                self.die(Deadlock("all threads wait for each other"))
            self.now = max(self.now, min(ends))
            able = [one for one in self._all if self._able(one)]
        chosen = able[int(self._chance.random() * len(able))]
        if chosen is not me:
            chosen.switch()

    def _able(self, one: greenlet) -> bool:
        if one not in self._waiting:
            return True
        holds, end = self._waiting[one]
        return (end is not None and end <= self.now) or holds()


class Event:
    """As threading.Event."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._set = False

    def set(self) -> None:
        self._set = True

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        return self._turns.until(self.is_set, timeout)


class Lock:
    """As threading.Lock, as a context manager."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._free = True

    def __enter__(self) -> None:
        self._turns.until(lambda: self._free)
        self._free = False

    def __exit__(self, *_: object) -> None:
        self._free = True


class Semaphore:
    """As threading.Semaphore."""

    def __init__(self, turns: Turns, value: int = 1) -> None:
        self._turns = turns
        self._free = value

    def acquire(self) -> None:
        self._turns.until(lambda: self._free > 0)
        self._free -= 1

    def release(self) -> None:
        self._free += 1


class Queue:
    """As queue.Queue, and as queue.SimpleQueue."""

    def __init__(self, turns: Turns, maxsize: int = 0) -> None:
        self._turns = turns
        self._size = maxsize
        self.queue: deque[Any] = deque()

    def empty(self) -> bool:
        return not self.queue

    def put(self, item: Any, timeout: float | None = None) -> None:
        if not self._turns.until(lambda: not self._size or len(self.queue) < self._size, timeout):
            raise queue.Full
        self.queue.append(item)

    def get(self, timeout: float | None = None) -> Any:
        if not self._turns.until(lambda: bool(self.queue), timeout):
            raise queue.Empty
        return self.queue.popleft()

    def get_nowait(self) -> Any:
        if not self.queue:
            raise queue.Empty
        return self.queue.popleft()


class Thread:
    """As threading.Thread. One that ends with an error ends the world."""

    def __init__(
        self,
        turns: Turns,
        target: Callable[..., None],
        args: tuple[Any, ...] = (),
        name: str = "",
        daemon: bool = False,
    ) -> None:
        self._turns = turns
        self._action = lambda: target(*args)
        self._greenlet: greenlet | None = None
        self.ident: int | None = None

    def _run(self) -> None:
        try:
            self._action()
        except Exception as error:
            self._turns.die(error)

    def start(self) -> None:
        self._greenlet = self._turns.start(self._run)
        self.ident = id(self._greenlet)
        self._turns.turn()

    def is_alive(self) -> bool:
        return self._greenlet is not None and not self._greenlet.dead

    def join(self, timeout: float | None = None) -> None:
        self._turns.until(lambda: not self.is_alive(), timeout)
