"""A server on the loopback interface: python serve.py PORT [MODEL].

Each body that is posted is kept as a line of `posted.jsonl`. It is answered by `run` of the
entry script MODEL.py, with 422 where that raises ValueError; without a model by `{}`. GET answers
with the files of this folder.
"""

import importlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = None
if len(sys.argv) > 2:
    MODEL = importlib.import_module(sys.argv[2])
    MODEL.init()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        known = Path(self.path.strip("/"))
        self._answer(200, known.read_text()) if known.is_file() else self._answer(404, "not here")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with Path("posted.jsonl").open("a") as posted:
            posted.write(body + "\n")
        try:
            self._answer(200, json.dumps(MODEL.run(body) if MODEL else {}))
        except ValueError as error:
            self._answer(422, str(error))

    def _answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
