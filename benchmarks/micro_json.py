"""CPU seconds per million lines of the JSON decoder: `python benchmarks/micro_json.py [FILE]`.

Without a file, lines of several shapes are made up. "feed" is the decoding up to rows, "fields"
reads five fields of every row.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from streamql.formats.json_read import JsonLinesDecoder

FIELDS = ("vendorid", "zone", "fare", "tip", "pickup_time")
BLOCK = 4 << 20
Event = dict[str, Any]


def events(count: int) -> Iterator[Event]:
    random.seed(7)
    for _ in range(count):
        yield {
            "vendorid": random.choice("12"),
            "weekday": "Mon",
            "pickuphour": str(random.randrange(24)),
            "passenger": random.choice("1234"),
            "distance": f"{random.randrange(1, 300) / 10}",
            "pickup_time": f"2024-01-01T00:{random.randrange(60):02}:01.941Z",
            "fare": random.randrange(5, 200) / 2,
            "zone": random.randrange(265),
            "card": "00ee-5d9e-1504-1896",
            "tip": random.randrange(20) / 4,
        }


def sometimes(number: int, event: Event) -> Event:
    """Return two shapes in turn, of which one leaves a field out or has null in it."""
    if number % 2:
        return {"kind": "b", **{name: event[name] for name in FIELDS}}
    if number % 3 == 0:
        del event["tip"]
    elif number % 5 == 0:
        event["tip"] = None
    return event


def compact(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))


SHAPES: dict[str, Callable[[int, Event], str]] = {
    "compact": lambda _, e: compact(e),
    "blanks after : and ,": lambda _, e: json.dumps(e),
    "two shapes, missing, null": lambda i, e: compact(sometimes(i, e)),
    "escapes in each line": lambda _, e: compact({**e, "path": "a\\b"}),
    "records and arrays": lambda i, e: compact({**e, "at": {"x": 1.5, "tags": ["a"]}, "p": [i]}),
    "a key of its own each": lambda i, e: compact({**e, f"k{i}": 1}),
}


def measure(blocks: Callable[[], Iterator[bytes]]) -> tuple[int, float, float]:
    """Return lines, and CPU seconds of feeding and of reading the fields."""
    decoder = JsonLinesDecoder()
    count, feeding, reading = 0, 0.0, 0.0
    for block in [*blocks(), None]:
        start = time.process_time()
        found = decoder.finish() if block is None else decoder.feed(block)
        fed = time.process_time()
        for decoded in found:
            count += len(decoded)
            for name in FIELDS:
                decoded.rows.field((name,))
        feeding += fed - start
        reading += time.process_time() - fed
    return count, feeding, reading


def report(name: str, blocks: Callable[[], Iterator[bytes]], runs: int) -> None:
    results = [measure(blocks) for _ in range(runs)]
    count = results[0][0]
    feed, fields = (statistics.median(r[i] for r in results) / count * 1e6 for i in (1, 2))
    sys.stdout.write(
        f"{name:28} feed {feed:6.3f}  fields {fields:6.3f}  sum {feed + fields:6.3f}\n"
    )


def cut(data: bytes) -> Iterator[bytes]:
    return (data[at : at + BLOCK] for at in range(0, len(data), BLOCK))


def read(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            yield block


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.file:
        report(chosen.file[-28:], lambda: read(chosen.file), chosen.runs)
        return
    for name, shape in SHAPES.items():
        lines = (shape(i, e) for i, e in enumerate(events(chosen.events)))
        data = "".join(f"{line}\n" for line in lines).encode()
        report(name, lambda data=data: cut(data), chosen.runs)


if __name__ == "__main__":
    main()
