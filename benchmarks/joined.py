"""The second inputs of the join benchmarks: payments for rides, and a table of zones."""

import json
import random
import subprocess
import sys
from pathlib import Path

import orjson

SEED = 20240102
BOROUGHS = ("Manhattan", "Brooklyn", "Queens", "Bronx", "Staten Island", "EWR")


def payments(folder: Path, rides: Path, count: int) -> Path:
    """Return a file of one payment for each ride, in order of time, made now if it is not there.

    About 7 of 10 come within 10 s of their ride, by the same card; the others by any card.
    """
    target = folder / f"payments_{count}.jsonl"
    if not target.exists():
        # in a process of its own: a driver that has grown would count as the memory of its children
        subprocess.run([sys.executable, __file__, rides, target, str(count)], check=True)
    return target


def _make_payments(rides: Path, target: Path, count: int) -> None:
    rng = random.Random(SEED)
    with rides.open("rb") as source:
        known = [orjson.loads(line) for line in source]
    made = []
    for number, ride in enumerate(known, 1):
        paid = rng.random() < 0.7
        card = ride["card"] if paid else known[rng.randrange(count)]["card"]
        delay = rng.randrange(1, 10_000 if paid else 60_000)
        amount = ride["fare"] + ride["tip"]
        made.append((_millis(ride["pickup_time"]) + delay, number, card, ride["zone"], amount))
    made.sort()
    draft = target.with_suffix(".draft")
    with draft.open("w", encoding="ascii") as out:
        for at, number, card, zone, amount in made:
            out.write(
                f'{{"payment_id":{number},"pay_time":"{_iso(at)}","card":"{card}","zone":{zone},'
                f'"amount":{amount}}}\n'
            )
    draft.replace(target)


def _millis(text: str) -> int:
    """Return the milliseconds since 2024-01-01 of a time in January 2024."""
    day, hour, minute = int(text[8:10]) - 1, int(text[11:13]), int(text[14:16])
    return ((day * 24 + hour) * 60 + minute) * 60_000 + int(text[17:19]) * 1000 + int(text[20:23])


def _iso(ms: int) -> str:
    day, rest = divmod(ms, 86_400_000)
    hour, rest = divmod(rest, 3_600_000)
    minute, rest = divmod(rest, 60_000)
    second, milli = divmod(rest, 1000)
    return f"2024-01-{day + 1:02d}T{hour:02d}:{minute:02d}:{second:02d}.{milli:03d}Z"


def zones(folder: Path) -> Path:
    """Return the reference data: 260 zones with borough, name and surcharge."""
    target = folder / "zones.jsonl"
    rng = random.Random(SEED)
    rows = [
        {
            "zone": zone,
            "borough": BOROUGHS[rng.randrange(6)],
            "name": f"Zone {zone:03d}",
            "surcharge": rng.randrange(10) / 4,
        }
        for zone in range(1, 261)
    ]
    target.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    return target


if __name__ == "__main__":
    _make_payments(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
