"""Figures that are pushed: those of the page /metrics, in a collector, whatever becomes of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time

import pytest
from adversary import Adversary, Reply
from collector import Collector, attributes, values
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
)
from prometheus_client.parser import text_string_to_metric_families
from watched_process import PATIENCE, Watched, environment

from streamql import Engine
from streamql.runtime.metrics import Metric, info
from streamql.telemetry import sent
from streamql.telemetry.otlp import Endpoint, Sender
from streamql.telemetry.prometheus import Exposition
from streamql.telemetry.pushed import Pushed

BASE = "OTEL_EXPORTER_OTLP_"
QUERY = "SELECT a, udf.score(b) AS s INTO o FROM input WHERE a > 1"


def run(folder, *arguments, **variables):
    command = [sys.executable, "-m", "streamql", "run", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(**variables)
    )


def test_a_collector_has_traces_and_the_figures_of_the_summary(tmp_path):
    events = [*({"a": n, "b": [n]} for n in range(40)), "no event"]
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))
    answers = iter([Reply(b"", 503)])

    def behave(request):
        return next(answers, Reply([1 for _ in request.rows]))

    with Collector() as collector, Adversary(behave) as model:
        arguments = ["-q", QUERY, "-i", "e.jsonl", "-o", "o.jsonl", "--checkpoint", "c"]
        arguments += ["--function", f"score={model.url}", "--set", "score.protocol=azureml"]
        done = run(
            tmp_path,
            *arguments,
            "--log-format=json",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
            OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
            OTEL_SERVICE_NAME="fares",
        )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines()]
    (summary,) = [line for line in said if "events" in line]
    seen = values(collector.metrics)
    assert summary["events"] == seen["streamql_input_events_total", "input"] == 41
    assert summary["malformed"] == seen["streamql_input_deserialization_errors_total", "input"] == 1
    assert summary["rows"] == {"o": seen["streamql_output_events_total", "o"]} == {"o": 38}
    assert summary["requests"] == seen["streamql_function_requests_total", "score"] >= 2
    assert seen["streamql_failed_function_requests_total", "score"] == 1
    assert seen["streamql_function_retries_total", "score", "503"] == 1
    assert seen["streamql_function_events_total", "score"] == 38
    assert seen["streamql_checkpoint_seconds",] >= 1
    assert seen["process_resident_memory_bytes",] > 10_000_000
    scored = [s for s in collector.spans if s["name"] == "score score"]
    assert len(scored) == seen["streamql_function_requests_total", "score"]
    headers, body = collector.of("/v1/metrics")[-1]
    assert headers["Authorization"] == "Bearer abc"
    assert headers["Content-Encoding"] == "gzip"
    _, traced = collector.of("/v1/traces")[0]
    of_metrics = attributes(body["resourceMetrics"][0]["resource"])
    assert of_metrics == attributes(traced["resourceSpans"][0]["resource"])
    assert of_metrics["service.name"] == "fares"


def test_figures_are_pushed_while_the_job_runs(tmp_path):
    """Also those that were not there when it began: of the first checkpoint."""
    settings = ["--checkpoint", "c", "--set", "checkpoint_interval=50ms", "-o", "o.jsonl"]
    with Collector() as collector:
        arguments = ["-q", "SELECT a INTO o FROM input", "-i", "input=-", *settings]
        variables = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/v1/metrics"}
        variables["OTEL_METRIC_EXPORT_INTERVAL"] = "50"
        with Watched(tmp_path, *arguments, **variables) as job:
            job.send({"a": 1}, {"a": 2})
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                seen = values(collector.metrics) if collector.of("/v1/metrics") else {}
                taken = seen.get(("streamql_checkpoint_seconds",), 0)
                if taken and ("streamql_checkpoint_age_seconds",) in seen:
                    break
                time.sleep(0.02)
            assert seen["streamql_input_events_total", "input"] == 2
            assert seen["streamql_checkpoint_age_seconds",] >= 0
            code, _, err = job.finish()
    assert code == 0, err
    assert collector.spans == []  # only a place for metrics was named


def test_counters_gauges_and_histograms_are_told_apart(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    with Collector() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_EXPORTER": "none"}
        done = run(tmp_path, "-q", "SELECT a FROM input", "-i", "e.jsonl", **variables)
    assert (done.returncode, done.stdout) == (0, '{"a":1}\n'), done.stderr
    metrics = collector.metrics
    counter = metrics["streamql_input_events_total"]
    assert counter["sum"]["isMonotonic"] is True
    assert counter["sum"]["aggregationTemporality"] == 2
    assert counter["unit"] == "1"
    assert counter["description"].startswith("Input Events: ")
    (point,) = counter["sum"]["dataPoints"]
    assert attributes(point) == {"input": "input"}
    assert int(point["startTimeUnixNano"]) <= int(point["timeUnixNano"])
    assert "gauge" in metrics["streamql_backlogged_input_events"]
    histogram = metrics["streamql_batch_seconds"]
    assert histogram["unit"] == "s"
    (point,) = histogram["histogram"]["dataPoints"]
    assert sum(map(int, point["bucketCounts"])) == int(point["count"]) == 1
    assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1
    assert point["sum"] > 0
    assert metrics["process_cpu_seconds_total"]["unit"] == "s"
    assert collector.spans == []


class Kept(MetricExporter):
    """Keeps what is exported."""

    def __init__(self):
        super().__init__()
        self.data = None

    def export(self, metrics_data, timeout_millis=10_000, **kwargs):
        self.data = metrics_data
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis=10_000):
        return True

    def shutdown(self, timeout_millis=30_000, **kwargs):
        pass


def flat(data):
    """Return values, counts and sums of what the SDK has collected."""
    found = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        for point in metric.data.data_points:
            labels = tuple(point.attributes.items())
            if hasattr(point, "bucket_counts"):
                found[f"{metric.name}_count", labels] = point.count
                found[f"{metric.name}_sum", labels] = point.sum
            else:
                found[metric.name, labels] = point.value
    return found


def a_job(tmp_path, *watchers):
    engine = Engine()
    engine.register("input", [{"a": n} for n in range(100)])
    job = engine.job("SELECT a INTO o FROM input WHERE a > 50", default_output=f"{tmp_path}/o")

    def show(view):
        for each in watchers:
            each(view)

    return job.run(None, show)


def test_the_page_and_what_is_pushed_are_the_same(tmp_path):
    views, kept = [], Kept()
    pushed = Pushed(kept, "1.2")
    with pushed:
        a_job(tmp_path, views.append, pushed.show)
    pushed.close()

    def read():
        yield info("1.2")
        yield from views[0].metrics()

    text = Exposition(read).text().decode()
    page = {
        (s.name, tuple(s.labels.items())): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if not s.name.endswith("_bucket")
    }
    ours = flat(kept.data)
    assert {name for name, _ in page} == {name for name, _ in ours}
    moving = ("process_",)
    assert {k: v for k, v in page.items() if not k[0].startswith(moving)} == {
        k: v for k, v in ours.items() if not k[0].startswith(moving)
    }


def test_any_reader_of_the_sdk_sees_the_figures(tmp_path):
    reader = InMemoryMetricReader()
    with Pushed(Kept(), "1.2", reader=reader) as pushed:
        summary = a_job(tmp_path, pushed.show)
        seen = flat(reader.get_metrics_data())
    assert seen["streamql_input_events_total", (("input", "input"),)] == summary.events == 100
    assert seen["streamql_output_events_total", (("output", "o"),)] == summary.rows["o"] == 49
    assert seen["streamql_info", (("version", "1.2"),)] == 1
    pushed.close()


class Slow:
    """A job whose figures take ten times longer to read than lies between two pushes."""

    def __init__(self):
        self.rows = 0

    def metrics(self):
        threading.Event().wait(0.01)
        return [Metric("rows_total", "counter", "Rows.", {(): self.rows})]


@pytest.mark.parametrize("every", [0.001, 3600, 1e297])
def test_the_last_figures_come_however_long_they_take_to_read(every):
    kept, job = Kept(), Slow()
    with Pushed(kept, "1.2", every) as pushed:
        pushed.show(job)
        job.rows = 7
    pushed.close()
    assert flat(kept.data)["rows_total", ()] == 7


# -- collectors that are not there, or not well ---------------------------------------------------


def simple(tmp_path, **variables):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    return run(tmp_path, "-q", "SELECT a FROM input", "-i", "e.jsonl", "--quiet", **variables)


def test_a_collector_that_is_not_there_is_told_once_and_harms_nothing(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_METRIC_EXPORT_INTERVAL": "1"}
    variables["OTEL_EXPORTER_OTLP_HEADERS"] = "authorization=secret"
    done = simple(tmp_path, **variables)
    assert (done.returncode, done.stdout) == (0, '{"a":1}\n'), done.stderr
    assert sorted(done.stderr.splitlines()) == [
        f"warning: {url}/v1/{signal} takes no telemetry: connection refused; "
        "the job goes on without"
        for signal in ("metrics", "traces")
    ]


@pytest.mark.parametrize(("status", "said"), [(401, "it answered 401"), (302, "it answered 302")])
def test_a_collector_that_refuses(status, said, tmp_path):
    with Collector(status) as collector:
        done = simple(tmp_path, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{collector.url}/v1/metrics")
    assert (done.returncode, done.stdout) == (0, '{"a":1}\n')
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_collector_that_never_answers_holds_the_end_up_for_a_short_time(tmp_path, monkeypatch):
    """The connection is taken by the system, and nobody ever reads."""
    monkeypatch.setattr(sent, "PATIENCE", 0.2)
    said = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        variables = {f"{BASE}ENDPOINT": url, f"{BASE}TIMEOUT": "3600"}
        with sent.Sent(("TRACES", "METRICS"), variables, "1.2", said.append) as sending:
            summary = a_job(tmp_path, sending.show)
        assert summary.rows == {"o": 49}
        for thread in threading.enumerate():  # they end soon, and the process without them
            if thread.name.startswith("Otel"):
                thread.join(PATIENCE)
                assert not thread.is_alive()
    assert all("no answer in time" in text for text in said)


def test_what_speaks_no_http_is_told():
    said = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            taken, _ = server.accept()
            with taken:
                taken.recv(1)
                taken.sendall(b"SSH-2.0-nobody\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1/metrics?key=secret"
        sender = Sender(Endpoint(url, {}), said.append)
        assert not sender.send({})
        thread.join()
    assert len(said) == 1
    assert "secret" not in said[0]
