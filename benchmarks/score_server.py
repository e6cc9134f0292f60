"""A scoring server with a fixed latency: what the model costs, without a model.

    python score_server.py PORT [SECONDS]       (needs aiohttp and orjson; uvloop where installed)

POST /score {"data": [[...], ...]} is answered after SECONDS (0.2) with one number per row, in
order: 3 + 2.5 times the row's last value, which anybody can check. N connections kept busy with
batches of B rows carry at most B * N / SECONDS rows per second, whatever the client does.
GET /stats: requests, rows, most requests at a time, and `late`, the answers that left more than
5 ms late because this server was busy. A run with many of those has measured the server.
"""

import asyncio
import sys

import orjson
from aiohttp import web

LATE = 0.005


class Server:
    """Answers the requests and counts them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.open = 0
        self.stats = {"requests": 0, "rows": 0, "most": 0, "late": 0}

    async def score(self, request: web.Request) -> web.Response:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.seconds
        self.open += 1
        self.stats["most"] = max(self.stats["most"], self.open)
        try:
            rows = orjson.loads(await request.read())["data"]
            body = orjson.dumps([3 + 2.5 * float(row[-1]) for row in rows])
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.stats["requests"] += 1
            self.stats["rows"] += len(rows)
            self.stats["late"] += loop.time() > due + LATE
            return web.Response(body=body, content_type="application/json")
        finally:
            self.open -= 1

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats)


def main() -> None:
    try:
        import uvloop

        uvloop.install()
    except ImportError:
        pass
    server = Server(float(sys.argv[2]) if len(sys.argv) > 2 else 0.2)
    app = web.Application(client_max_size=256 << 20)
    app.add_routes([web.post("/score", server.score), web.get("/stats", server.show)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
