"""Whether two programs wrote the same rows."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import orjson

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d*?)0*)?(?:Z|\+00:00)?")


def unordered_difference(left: Path, right: Path) -> str | None:
    """Return None if both files hold the same rows in any order, however they spell datetimes."""
    ours, theirs = Counter(_rows(left)), Counter(_rows(right))
    for row, count in (ours - theirs).items():
        return f"{count} times only in {left.name}: {row}"
    for row, count in (theirs - ours).items():
        return f"{count} times only in {right.name}: {row}"
    return None


def _rows(file: Path) -> Iterator[tuple[tuple[str, object], ...]]:
    with file.open("rb") as lines:
        for line in lines:
            yield tuple((key, _plain(value)) for key, value in sorted(orjson.loads(line).items()))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return round(value, 9)
    moment = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    return value if moment is None else (moment[1], moment[2], moment[3] or "")


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


if __name__ == "__main__":
    compare = difference if sys.argv[1] == "ordered" else unordered_difference
    found = compare(Path(sys.argv[2]), Path(sys.argv[3]))
    if found:
        sys.stdout.write(found)
