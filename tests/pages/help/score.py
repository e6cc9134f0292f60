"""A model that adds the numbers of a row, for Azure ML's protocol and for MLflow's."""

import json


def init():
    """There is nothing to load."""


def run(data):
    """Return the sums, where either protocol looks for them."""
    body = json.loads(data)
    rows = body.get("data") or body["dataframe_records"]
    values = [row.values() if isinstance(row, dict) else row for row in rows]
    sums = [sum(v for v in row if not isinstance(v, str)) for row in values]
    return {"result": sums, "predictions": sums} if "dataframe_records" in body else sums
