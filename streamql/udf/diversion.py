"""Standard output of one thread led to standard error, while other threads write rows to it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any

_LOCK = threading.Lock()
_HERE = threading.local()


class _Fork:
    """Stands in for sys.stdout: what it is depends on the thread that asks."""

    users = 0

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        diverted = getattr(_HERE, "depth", 0) > 0
        return getattr(sys.stderr if diverted else self.real, name)


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """What this thread prints meanwhile goes to standard error; other threads notice nothing."""
    with _LOCK:
        _Fork.users += 1
        if not isinstance(sys.stdout, _Fork):
            sys.stdout = _Fork(sys.stdout)  # type: ignore[assignment]
    _HERE.depth = getattr(_HERE, "depth", 0) + 1
    try:
        yield
    finally:
        _HERE.depth -= 1
        with _LOCK:
            _Fork.users -= 1
            if _Fork.users == 0 and isinstance(sys.stdout, _Fork):
                sys.stdout = sys.stdout.real
