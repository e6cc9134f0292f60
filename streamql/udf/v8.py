"""Loading V8: once for the process, from any thread.

It imports nothing but the library itself, so that a thread may run it beside any other import.
"""

from __future__ import annotations

from threading import Lock

_FLAGS = (
    "--single-threaded",
    # V8 ends the process when its own limit is passed in one step (an array of a gigabyte); our
    # limit, which ends only the call, is far below
    "--max-heap-size=4000",
    # young strings of a whole batch die before they are moved
    "--max-semi-space-size=64",
)
_lock = Lock()


def load() -> None:
    """Load V8 (40 ms, mostly without the interpreter lock); later calls return at once."""
    from py_mini_racer import init_mini_racer

    with _lock:
        init_mini_racer(flags=_FLAGS, ignore_duplicate_init=True)
