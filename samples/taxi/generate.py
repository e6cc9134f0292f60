"""Write the sample's events: taxi trips in time order, the same ones on every run.

    python generate.py [FILE]          (standard library only; FILE is events.jsonl by default)

`train.py` takes other trips from the same source, together with the fare that was paid.
"""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

EVENTS = 3000
SEED = 20240304
START = datetime(2024, 3, 4, tzinfo=UTC)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
RUSH_HOURS = frozenset({7, 8, 9, 16, 17, 18, 19})


def trips(count: int, seed: int) -> Iterator[tuple[dict[str, str], float]]:
    """Yield `count` trips as (event, fare paid), spread over one week."""
    rng = random.Random(seed)
    step = timedelta(days=7) / count
    for number in range(count):
        moment = START + step * number + timedelta(seconds=int(rng.random() * step.total_seconds()))
        distance = round(0.4 + rng.expovariate(1 / 3.2), 1)
        event = {
            "id": f"t{number:05d}",
            "pickup_time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "vendorid": rng.choice("12"),
            "weekday": WEEKDAYS[moment.weekday()],
            "pickuphour": str(moment.hour),
            "passenger": str(1 + int(rng.random() ** 3 * 6)),
            "distance": f"{distance:g}",
        }
        yield event, fare(event, distance) + rng.gauss(0, 0.4)


def fare(event: dict[str, str], distance: float) -> float:
    """Return the tariff: a base, a price per mile, and surcharges by vendor, hour and day."""
    hour, weekend = int(event["pickuphour"]), event["weekday"] in ("Sat", "Sun")
    price = 3.0 + 2.5 * distance
    if event["vendorid"] == "2":
        price += 0.5
    if hour in RUSH_HOURS and not weekend:
        price *= 1.15
    if hour >= 22 or hour < 5:
        price += 1.0
    if int(event["passenger"]) > 4:
        price += 2.0
    return price


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("events.jsonl")
    with target.open("w", encoding="utf-8") as out:
        for event, _ in trips(EVENTS, SEED):
            out.write(json.dumps(event, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
