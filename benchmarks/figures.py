"""A number that was measured and the goal it has, and how a program tells its own to the driver.

A program that measures itself prints what it likes for people. Asked with `--json`, its last line
is a JSON array of its figures, one object for each with the fields of `Figure`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, how much it was, and on which side of which limit it should be."""

    text: str
    value: float | None
    """None: it could not be measured here, `missing` says why."""
    limit: float | None = None
    """None: nothing is demanded of it."""
    at_least: bool = False
    unit: str = ""
    missing: str = ""

    @property
    def amount(self) -> str:
        """The value with its unit."""
        if self.value is None:
            return ""
        many = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.2f}"
        return f"{many}{self.unit}"

    @property
    def goal(self) -> str:
        """The limit, and its side."""
        if self.limit is None:
            return ""
        return f"{'at least' if self.at_least else 'at most'} {self.limit:,g}{self.unit}"

    def verdict(self, job: str) -> str:
        """Return the line that says whether the goal of a job was reached."""
        if self.value is None:
            return f"{'not measured':13} {job}: {self.text} ({self.missing})"
        good = self.value >= self.limit if self.at_least else self.value <= self.limit
        mark = "reached" if good else "MISSED"
        return f"{mark:13} {job}: {self.text} {self.amount} ({self.goal})"


def words() -> list[str]:
    """Return the arguments of this program that are no flags."""
    return [word for word in sys.argv[1:] if not word.startswith("--")]


def tell(figures: Iterable[Figure]) -> None:
    """Print the figures in a line of JSON, if this program was asked for them."""
    if "--json" in sys.argv[1:]:
        sys.stdout.write(json.dumps([asdict(figure) for figure in figures]) + "\n")


def told(output: str) -> list[Figure] | None:
    """Return the figures in the last line of a program's output, None if they are not there."""
    try:
        found = [Figure(**one) for one in json.loads(output.rstrip().rpartition("\n")[2])]
    except (ValueError, TypeError):
        return None
    return found or None
