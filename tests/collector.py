"""A collector of OpenTelemetry on a loopback port: what it is sent must be what OTLP says."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
_IDS = ("traceId", "spanId", "parentSpanId")


class Collector(ThreadingHTTPServer):
    """Takes traces and metrics, each request checked against the official messages.

    Attributes:
        status: what it answers.
        requests: path, headers and body of each.
        refused: what was not of the form, in words.
    """

    daemon_threads = True

    def __init__(self, status=200):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.requests = []
        self.refused = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        self._thread.join()
        assert not self.refused

    def of(self, path):
        """Return headers and bodies of the requests for a path."""
        return [(headers, body) for at, headers, body in self.requests if at == path]

    @property
    def spans(self):
        return [
            span
            for _, body in self.of("/v1/traces")
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    @property
    def metrics(self):
        """Return the metrics of the last request, by name."""
        _, body = self.of("/v1/metrics")[-1]
        return {
            metric["name"]: metric
            for resource in body["resourceMetrics"]
            for scope in resource["scopeMetrics"]
            for metric in scope["metrics"]
        }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        data = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        body = json.loads(data)
        try:
            ParseDict(_in_base64(body), KINDS[self.path]())
        except Exception as error:
            self.server.refused.append(f"{self.path}: {error}")
        self.server.requests.append((self.path, self.headers, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def _in_base64(value, key=""):
    """Return a body with its ids as protobuf has them: OTLP writes them in hexadecimal."""
    if isinstance(value, dict):
        return {k: _in_base64(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_in_base64(v) for v in value]
    return base64.b64encode(bytes.fromhex(value)).decode() if key in _IDS else value


def attributes(thing):
    """Return the attributes of a span, a resource or a point."""
    return {a["key"]: next(iter(a["value"].values())) for a in thing["attributes"]}


def values(metrics):
    """Return the single values and the counts of histograms by name and labels."""
    found = {}
    for name, metric in metrics.items():
        kind = next(k for k in ("sum", "gauge", "histogram") if k in metric)
        for point in metric[kind]["dataPoints"]:
            key = (name, *attributes(point).values())
            value = next(point[k] for k in ("asInt", "asDouble", "count") if k in point)
            found[key] = float(value)
    return found
