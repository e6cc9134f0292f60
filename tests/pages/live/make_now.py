"""Writes an event of a minute ahead to now.jsonl: neither late nor early while the test runs."""

import datetime
import json
from pathlib import Path

soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
Path("now.jsonl").write_text(json.dumps({"id": 1, "at": soon.isoformat(), "fare": 5}) + "\n")
