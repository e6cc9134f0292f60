"""Writes events: more than a few, so that an example may ask for the seventeenth."""

import json
from pathlib import Path

rides = [
    {"id": n, "at": f"2024-03-04T08:{n:02}:00Z", "fare": 5 * n, "passengers": 1, "km": 2 * n}
    for n in range(1, 21)
]
lines = "".join(json.dumps(ride) + "\n" for ride in rides)
for name in ("rides.jsonl", "events.jsonl", "logs/a.jsonl"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(lines)
zones = [{"zone": n, "at": f"2024-03-04T08:{n:02}:30Z"} for n in range(1, 4)]
Path("zones.jsonl").write_text("".join(json.dumps(zone) + "\n" for zone in zones))
Path("rows.jsonl").write_text('{"passengers": 1, "km": 5}\n{"passengers": 2, "km": 3}\n')
