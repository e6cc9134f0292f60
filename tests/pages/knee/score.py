"""An entry script that takes no negative numbers."""

import json


def init():
    """There is nothing to load."""


def run(data):
    """Return the second number of each row."""
    rows = json.loads(data)["data"]
    if any(row[1] < 0 for row in rows):
        raise ValueError("negative")
    return [row[1] for row in rows]
