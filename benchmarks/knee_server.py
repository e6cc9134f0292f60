"""A scoring server with a knee: what a model costs whose batches get slower as they grow.

    python knee_server.py PORT [MOST]           (needs aiohttp and orjson; uvloop where installed)

POST /score {"data": [number, ...]} is answered with the same numbers after 200 ms up to 1,000 rows,
250 ms at 5,000, 300 ms at 10,000, 500 ms at 25,000, and in proportion beyond. With MOST, more than
so many requests at a time are refused with 429, at once.
"""

import asyncio
import sys
from itertools import pairwise

import orjson
from aiohttp import web

KNEE = ((0, 0.2), (1_000, 0.2), (5_000, 0.25), (10_000, 0.3), (25_000, 0.5))


def latency(rows: int) -> float:
    for (low, shorter), (high, longer) in pairwise(KNEE):
        if rows <= high:
            return shorter + (longer - shorter) * (rows - low) / (high - low)
    return KNEE[-1][1] * rows / KNEE[-1][0]


class Server:
    """Answers the requests, as many at a time as it is told."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.open = 0

    async def score(self, request: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self.open >= self.most:
            return web.Response(status=429)
        self.open += 1
        try:
            rows = orjson.loads(await request.read())["data"]
            await asyncio.sleep(max(0.0, began + latency(len(rows)) - loop.time()))
            return web.Response(body=orjson.dumps(rows), content_type="application/json")
        finally:
            self.open -= 1


def main() -> None:
    try:
        import uvloop

        uvloop.install()
    except ImportError:
        pass
    server = Server(float(sys.argv[2]) if len(sys.argv) > 2 else float("inf"))
    app = web.Application(client_max_size=256 << 20)
    app.add_routes([web.post("/score", server.score)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
