"""Traces: what a job sends to a collector, and that nothing is loaded where none are wished."""

from __future__ import annotations

import subprocess
import sys

import pytest
from adversary import Adversary, Reply
from collector import Collector, attributes
from watched_process import environment

QUERY = "SELECT udf.score(a) AS s INTO o FROM input"


def run(folder, *arguments, **variables):
    command = [sys.executable, "-m", "streamql", "run", *arguments, "--quiet"]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(**variables)
    )


def test_a_job_and_its_requests_are_spans_of_one_trace(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":[1]}\n{"a":[2]}\n{"a":[3]}\n')
    answers = iter([Reply(b"", 503)])

    def behave(request):
        return next(answers, Reply([1 for _ in request.rows]))

    with Collector() as collector, Adversary(behave) as model:
        arguments = ["-q", QUERY, "-i", "e.jsonl", "--function", f"score={model.url}"]
        arguments += ["--set", "score.protocol=azureml"]
        done = run(
            tmp_path,
            *arguments,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20abc",
            OTEL_SERVICE_NAME="fares",
        )
    assert done.returncode == 0, done.stderr
    headers, body = collector.of("/v1/traces")[0]
    assert headers["Authorization"] == "Bearer abc"
    resource = attributes(body["resourceSpans"][0]["resource"])
    assert resource["service.name"] == "fares"
    (job,) = [span for span in collector.spans if span["name"] == "job"]
    requests = [span for span in collector.spans if span["name"] == "score score"]
    assert {span["traceId"] for span in collector.spans} == {job["traceId"]}
    assert {span["parentSpanId"] for span in requests} == {job["spanId"]}
    assert attributes(job)["streamql.input_events.input"] == "3"
    assert attributes(job)["streamql.output_events.o"] == "3"
    statuses = [attributes(span)["streamql.status"] for span in requests]
    assert sorted(statuses)[-1] == "503"
    assert set(statuses) == {"200", "503"}
    attempts = {
        (attributes(s)["streamql.status"], attributes(s)["streamql.attempt"]) for s in requests
    }
    assert attempts >= {("503", "1"), ("200", "2")}
    scored = [s for s in requests if attributes(s)["streamql.status"] == "200"]
    assert sum(int(attributes(span)["streamql.rows"]) for span in scored) == 3
    for span in collector.spans:
        assert int(job["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])


def test_a_checkpoint_is_a_span(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    with Collector() as collector:
        arguments = ["-q", "SELECT a FROM input", "-i", "e.jsonl", "-o", "o.jsonl"]
        arguments += ["--checkpoint", "c"]
        done = run(tmp_path, *arguments, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.returncode == 0, done.stderr
    (job,) = [span for span in collector.spans if span["name"] == "job"]
    found = [span for span in collector.spans if span["name"] == "checkpoint"]
    assert [attributes(s)["streamql.checkpoint"] for s in found] == [
        str(i + 1) for i in range(len(found))
    ]
    assert found
    for span in found:
        assert span["parentSpanId"] == job["spanId"]
        assert int(attributes(span)["streamql.bytes"]) > 0
        assert int(span["startTimeUnixNano"]) < int(span["endTimeUnixNano"])


def test_a_failure_is_the_status_of_the_job(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":0}\n')
    with Collector() as collector:
        arguments = ["-q", "SELECT 1 / a AS b FROM input", "-i", "e.jsonl"]
        done = run(tmp_path, *arguments, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.returncode == 3
    (job,) = collector.spans
    assert job["status"] == {"code": 2, "message": "DataError"}


NONE = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}


@pytest.mark.parametrize("variables", [{}, NONE])
def test_without_a_place_for_telemetry_nothing_is_loaded(tmp_path, variables):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    if variables:
        variables = {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    code = (
        "import sys; from streamql.cli import main; "
        "main(['run', '-q', 'SELECT a FROM input', '-i', 'e.jsonl'], standalone_mode=False); "
        "print([m for m in ('opentelemetry', 'prometheus_client') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment(**variables)
    )
    assert sorted(done.stdout.splitlines()) == ["[]", '{"a":1}'], done.stderr


def test_a_collector_that_is_not_there_holds_nobody_up(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    arguments = ["-q", "SELECT a FROM input", "-i", "e.jsonl"]
    done = run(tmp_path, *arguments, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (0, '{"a":1}\n'), done.stderr
