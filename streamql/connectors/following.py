"""How files are followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


def _silent(_text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Following:
    """How files are followed.

    Attributes:
        poll: seconds between two looks.
        quiet: seconds after which a last line without an end is taken as it is.
        strict: a damaged file ends the job; else it is told, and its rest left out.
        warn: told what a person should know.
        wait: waits for so many seconds; tests set it.
    """

    poll: float = 0.5
    quiet: float = 60.0
    strict: bool = False
    warn: Callable[[str], None] = _silent
    wait: Callable[[float], None] = time.sleep
