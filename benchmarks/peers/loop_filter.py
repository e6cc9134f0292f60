"""A hand-written loop over lines with orjson: filter and project. INPUT OUTPUT"""

import sys

import orjson

with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
    for line in source:
        e = orjson.loads(line)
        if e["fare"] > 20 and e["zone"] < 100:
            row = {name: e[name] for name in ("vendorid", "zone", "fare", "tip", "pickup_time")}
            row["total"] = e["fare"] + e["tip"]
            out.write(orjson.dumps(row) + b"\n")
