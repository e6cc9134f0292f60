"""A hand-written httpx client: rows in their order.

INPUT OUTPUT URL BATCH CONNECTIONS
"""

import asyncio
import sys
from collections import deque
from itertools import islice

import httpx
import orjson

BATCH, PARALLEL = int(sys.argv[4]), int(sys.argv[5])
FIELDS = ("vendorid", "weekday", "pickuphour", "passenger", "distance")


async def score(client: httpx.AsyncClient, url: str, lines: list[bytes]) -> bytes:
    """Return the output lines of a batch of input lines."""
    events = [orjson.loads(line) for line in lines]
    body = orjson.dumps({"data": [[e[name] for name in FIELDS] for e in events]})
    answer = await client.post(url, content=body, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    scores = orjson.loads(answer.content)
    rows = zip(events, scores, strict=True)
    return b"".join(
        orjson.dumps({"zone": e["zone"], "fare": e["fare"], "score": s}) + b"\n" for e, s in rows
    )


async def main() -> None:
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    waiting: deque[asyncio.Task[bytes]] = deque()
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
            while lines := list(islice(source, BATCH)):
                if len(waiting) == PARALLEL:
                    out.write(await waiting.popleft())
                waiting.append(asyncio.create_task(score(client, sys.argv[3], lines)))
                await asyncio.sleep(0)
            for task in waiting:
                out.write(await task)


asyncio.run(main())
