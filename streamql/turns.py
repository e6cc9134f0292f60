"""How many threads of this process compute at a time: no more than there are cores.

A thread beyond that makes nothing faster. It waits for a core, and meanwhile asks for the
interpreter lock after each step of numpy in another thread, so that both are woken for nothing:
of four threads on two cores this takes a tenth of all CPU time.
"""

from __future__ import annotations

import os
from threading import BoundedSemaphore


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


TURN = BoundedSemaphore(max(2, _cores()))
"""Held (`with TURN:`) while a block is decoded or encoded; never while waiting for others."""
