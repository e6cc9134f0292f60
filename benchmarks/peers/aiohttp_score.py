"""A hand-written aiohttp client: one worker per connection, rows in their order.

INPUT OUTPUT URL BATCH CONNECTIONS
"""

import asyncio
import sys
from collections import deque
from itertools import islice

import aiohttp
import orjson

SOURCE, TARGET, URL = sys.argv[1:4]
BATCH, PARALLEL = int(sys.argv[4]), int(sys.argv[5])
FIELDS = ("vendorid", "weekday", "pickuphour", "passenger", "distance")


async def score(client: aiohttp.ClientSession, lines: list[bytes]) -> bytes:
    """Return the output lines of a batch of input lines."""
    events = [orjson.loads(line) for line in lines]
    body = orjson.dumps({"data": [[e[name] for name in FIELDS] for e in events]})
    async with client.post(URL, data=body, headers={"Content-Type": "application/json"}) as answer:
        answer.raise_for_status()
        scores = orjson.loads(await answer.read())
    rows = zip(events, scores, strict=True)
    return b"".join(
        orjson.dumps({"zone": e["zone"], "fare": e["fare"], "score": s}) + b"\n" for e, s in rows
    )


async def main() -> None:
    waiting: deque[asyncio.Task[bytes]] = deque()
    connector = aiohttp.TCPConnector(limit=PARALLEL)
    async with aiohttp.ClientSession(connector=connector) as client:
        with open(SOURCE, "rb") as source, open(TARGET, "wb") as out:
            while lines := list(islice(source, BATCH)):
                if len(waiting) == PARALLEL:
                    out.write(await waiting.popleft())
                waiting.append(asyncio.create_task(score(client, lines)))
                await asyncio.sleep(0)
            for task in waiting:
                out.write(await task)


asyncio.run(main())
