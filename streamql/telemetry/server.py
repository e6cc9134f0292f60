"""Figures and health of a job over HTTP: /metrics, /healthz and /readyz."""

from __future__ import annotations

import errno
import json
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ..errors import UsageError
from ..runtime.metrics import Metric, info
from .address import Address
from .prometheus import Exposition

if TYPE_CHECKING:  # it is made before what a run needs is loaded, in its order
    from ..runtime.view import JobView

_PATIENCE = 10.0
"""Seconds that a client may take over its request."""
_HINTS = {
    errno.EADDRINUSE: "--metrics 0 takes a port that is free",
    errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all it has",
    errno.EACCES: "ports below 1024 need rights that this user does not have",
}
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"


class MetricsServer:
    """Serves what a job shows. Bound as it is made, so that a wrong address is told at once.

    Raises UsageError when nothing can listen at the address.
    """

    def __init__(self, address: Address, version: str) -> None:
        self._version = version
        self._view: JobView | None = None
        self._exposition = Exposition(self._metrics)
        self._server = _listen(address, self)
        host, port = self._server.server_address[:2]
        self.address = Address(str(host), int(port))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )

    def show(self, view: JobView) -> None:
        """Serve what this job shows from now on."""
        self._view = view

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _metrics(self) -> Iterator[Metric]:
        yield info(self._version)
        if self._view is not None:
            yield from self._view.metrics()

    def answer(self, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, content type and body for a GET."""
        if path == "/metrics":
            return HTTPStatus.OK, _TEXT, self._exposition.text()
        if path in ("/healthz", "/readyz"):
            return self._health(ready=path == "/readyz")
        listed = "there is /metrics, /healthz and /readyz\n"
        return HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", listed.encode()

    def _health(self, ready: bool) -> tuple[HTTPStatus, str, bytes]:
        """A job that is being set up is healthy, but not ready."""
        if self._view is None:
            well, body = not ready, {"status": "starting"}
        else:
            health = self._view.health()
            well, body = health.well, {"status": health.status, **health.figures}
        status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
        return status, _JSON, json.dumps(body).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    owner: MetricsServer

    def server_bind(self) -> None:
        """Bind without asking for the host's full name, which nobody needs and may take long."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE
    server_version = "streamql"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        status, kind, content = self.server.owner.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: they come every few seconds."""


def _listen(address: Address, owner: MetricsServer) -> _Server:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, *_, place = found[0]
        kind = type("_Server", (_Server,), {"address_family": family})
        server: _Server = kind(place[:2], _Handler)
    except OSError as error:
        known = not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno or 0).lower() if known else "no such host"
        hint = _HINTS.get(error.errno or 0) if known else None
        raise UsageError(f"cannot serve metrics at {address}: {reason}", hint=hint) from None
    server.owner = owner
    return server
