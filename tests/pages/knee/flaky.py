"""A model that gives numbers back, and refuses each of its first three requests."""

import itertools
import sys

import orjson
from aiohttp import web

REQUESTS = itertools.count(1)


async def score(request):
    """Answer a request."""
    if next(REQUESTS) <= 3:
        return web.Response(status=503)
    return web.json_response(orjson.loads(await request.read())["data"])


app = web.Application(client_max_size=1 << 28)
app.add_routes([web.post("/score", score)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
