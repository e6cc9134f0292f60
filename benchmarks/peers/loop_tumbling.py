"""A loop written by hand: a tumbling window with a watermark 5 s behind the newest event."""

import sys
from datetime import UTC, datetime

import orjson

LATE = 5.0


def main(source: str, target: str) -> None:
    """Read events, keep open windows in dicts, write the windows that the watermark has passed."""
    windows: dict[float, dict[int, list[float]]] = {}
    watermark, first_end = 0.0, float("inf")
    with open(source, "rb") as events, open(target, "wb") as out:
        for line in events:
            event = orjson.loads(line)
            at = datetime.fromisoformat(event["pickup_time"]).timestamp()
            end = (at // 60 + 1) * 60
            if end <= watermark:
                continue
            if end not in windows:
                windows[end] = {}
                first_end = min(windows)
            distance = float(event["distance"])
            found = windows[end].get(event["zone"])
            if found is None:
                windows[end][event["zone"]] = [1, event["fare"], event["tip"], distance]
            else:
                found[0] += 1
                found[1] += event["fare"]
                found[2] += event["tip"]
                found[3] = max(found[3], distance)
            if at - LATE > watermark:
                watermark = at - LATE
                if watermark >= first_end:
                    close(windows, watermark, out)
                    first_end = min(windows, default=float("inf"))
        close(windows, float("inf"), out)


def close(windows, until, out) -> None:
    """Write and forget the windows that end by then."""
    for end in sorted(w for w in windows if w <= until):
        stamp = datetime.fromtimestamp(end, UTC).isoformat()
        for zone, (count, fare, tip, distance) in windows.pop(end).items():
            row = {"zone": zone, "n": count, "fare_sum": fare, "tip_avg": tip / count}
            out.write(orjson.dumps(row | {"dist_max": distance, "window_end": stamp}) + b"\n")


main(sys.argv[1], sys.argv[2])
