"""A model that doubles numbers, after a few milliseconds: doubling_server.py PORT."""

import asyncio
import sys

from aiohttp import web


async def score(request: web.Request) -> web.Response:
    """Answer a batch."""
    rows = (await request.json())["data"]
    await asyncio.sleep(0.004)
    return web.json_response([2 * row for row in rows])


def main() -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_post("/score", score)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
