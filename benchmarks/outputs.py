"""Whether two programs wrote the same rows."""

from itertools import zip_longest
from pathlib import Path

import orjson


def difference(left: Path, right: Path) -> str | None:
    """Return None if both files hold the same rows in the same order, else the first misfit.

    Rows of the same bytes are not parsed. Numbers compare by value: Node writes 13 for 13.0.
    """
    with left.open("rb") as ours, right.open("rb") as theirs:
        for number, (a, b) in enumerate(zip_longest(ours, theirs), 1):
            if a == b:
                continue
            if a is None or b is None:
                return f"{left.name if a is None else right.name} ends before line {number}"
            if orjson.loads(a) != orjson.loads(b):
                return f"line {number}: {a.decode().strip()} and {b.decode().strip()}"
    return None
