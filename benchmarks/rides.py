"""The data of the benchmarks: taxi-like events of about 180 bytes, the same on every run.

    python rides.py FILE COUNT            (standard library only; about 5 s per million events)

A smaller file is a prefix of a larger one. Fares and tips are multiples of 0.25, so that sums and
products are the same numbers in every program, whatever the order of its additions.
"""

import random
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

SEED = 20240101
START_MS = 1704067200000  # 2024-01-01T00:00:00Z, a Monday
STEP_MS = 4
JITTER_MS = 2000
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CARDS = 50_000


def lines() -> Iterator[str]:
    """Yield one event after the other as JSON lines (up to a month of them)."""
    rng = random.Random(SEED)
    cards = [_card(rng.getrandbits(64)) for _ in range(CARDS)]
    rnd = rng.random
    place = 0
    while True:
        # event time rises 4 ms per event; each event is up to 2 s older than its place says
        delay = int(JITTER_MS * rnd() ** 3)
        ms = START_MS + JITTER_MS + place * STEP_MS - delay
        # never an exact minute: window borders mean the same to every program then
        yield _ride(rnd, rng, ms + (ms % 60000 == 0), cards)
        place += 1


def _card(bits: int) -> str:
    return "-".join(f"{bits >> shift & 0xFFFF:04x}" for shift in (48, 32, 16, 0))


def _ride(rnd: Callable[[], float], rng: random.Random, ms: int, cards: list[str]) -> str:
    day, rest = divmod(ms - START_MS, 86_400_000)
    hour, rest = divmod(rest, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    second, milli = divmod(rest, 1000)
    fare = round((3.0 + rng.expovariate(0.1)) * 2) / 2
    tip = round(rnd() * 0.25 * fare * 4) / 4
    zone = 1 + int(260 * rnd() ** 1.5)
    card = cards[int(rnd() * len(cards))]
    return (
        f'{{"vendorid":"{1 + int(rnd() * 2)}","weekday":"{DAYS[day % 7]}","pickuphour":"{hour}",'
        f'"passenger":"{1 + int(rnd() ** 3 * 6)}","distance":"{fare * (0.2 + 0.2 * rnd()):.1f}",'
        f'"pickup_time":"2024-01-{day + 1:02d}T{hour:02d}:{minute:02d}:{second:02d}.{milli:03d}Z",'
        f'"fare":{fare},"zone":{zone},"card":"{card}","tip":{tip}}}\n'
    )


def rides(folder: Path, count: int) -> Path:
    """Return the file with `count` events, made now if it is not there."""
    target = folder / f"rides_{count}.jsonl"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    with draft.open("w", encoding="ascii", buffering=1 << 20) as out:
        larger = _larger(folder, count)
        if larger is None:
            out.writelines(islice(lines(), count))
        else:
            with larger.open(encoding="ascii") as source:
                out.writelines(islice(source, count))
    draft.replace(target)
    return target


def _larger(folder: Path, count: int) -> Path | None:
    """Return a file that starts with the wanted events, if there is one."""
    sizes = {p: p.stem.removeprefix("rides_") for p in folder.glob("rides_*.jsonl")}
    fitting = [p for p, size in sizes.items() if size.isdigit() and int(size) > count]
    return min(fitting, key=lambda p: p.stat().st_size, default=None)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="ascii") as made:
        made.writelines(islice(lines(), int(sys.argv[2])))
