"""Where telemetry goes: what OpenTelemetry's variables say."""

from __future__ import annotations

import pytest

from streamql.errors import UsageError
from streamql.telemetry.otlp import Endpoint, Sender, interval
from streamql.telemetry.wanted import wanted

BASE = "OTEL_EXPORTER_OTLP_"


@pytest.mark.parametrize(
    ("variables", "signals"),
    [
        ({}, ()),
        ({f"{BASE}ENDPOINT": "x"}, ("TRACES", "METRICS")),
        ({f"{BASE}METRICS_ENDPOINT": "x"}, ("METRICS",)),
        ({f"{BASE}TRACES_ENDPOINT": "x"}, ("TRACES",)),
        ({f"{BASE}ENDPOINT": "x", "OTEL_METRICS_EXPORTER": "none"}, ("TRACES",)),
        ({f"{BASE}ENDPOINT": "x", "OTEL_METRICS_EXPORTER": "prometheus"}, ("TRACES",)),
        ({f"{BASE}ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "console, otlp"}, ("TRACES", "METRICS")),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, ("METRICS",)),
        ({f"{BASE}ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"}, ()),
    ],
)
def test_which_signals_are_wanted(variables, signals):
    assert wanted(variables) == signals


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://localhost:4318/v1/metrics"),
        ({"ENDPOINT": "http://c:1/"}, "http://c:1/v1/metrics"),
        ({"ENDPOINT": "https://c/base"}, "https://c/base/v1/metrics"),
        ({"METRICS_ENDPOINT": "http://c:1/here"}, "http://c:1/here"),
        ({"METRICS_ENDPOINT": "http://m:1/x", "ENDPOINT": "http://c"}, "http://m:1/x"),
    ],
)
def test_where_figures_go(variables, url):
    assert Endpoint.of("METRICS", {BASE + k: v for k, v in variables.items()}).url == url


def test_headers_timeouts_and_compression_of_a_signal_win():
    variables = {"HEADERS": "a=1, b = two%20words ,c", "TIMEOUT": "3", "COMPRESSION": "gzip"}
    variables |= {"METRICS_HEADERS": "d=4", "METRICS_TIMEOUT": "0.5"}
    variables = {BASE + k: v for k, v in variables.items()}
    traces, metrics = (Endpoint.of(signal, variables) for signal in ("TRACES", "METRICS"))
    assert (traces.headers, traces.timeout) == ({"a": "1", "b": "two words"}, 3.0)
    assert (metrics.headers, metrics.timeout) == ({"d": "4"}, 0.5)
    assert traces.zipped
    assert metrics.zipped
    assert "two words" not in repr(traces)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ENDPOINT": "localhost:4318"}, "ENDPOINT is no URL of HTTP"),
        ({"METRICS_ENDPOINT": "file:///etc/passwd"}, "METRICS_ENDPOINT is no URL of HTTP"),
        ({"ENDPOINT": "http://me:secret@c"}, "ENDPOINT has a user in its URL"),
        ({"ENDPOINT": "http://c:port"}, "ENDPOINT has a port that is none"),
        ({"PROTOCOL": "grpc"}, "PROTOCOL is grpc"),
        ({"METRICS_TIMEOUT": "soon"}, "METRICS_TIMEOUT is 'soon', which is no number of seconds"),
        ({"TIMEOUT": "-1"}, "TIMEOUT is '-1', which is no number of seconds"),
    ],
)
def test_what_cannot_be_a_place_is_told_before_the_job_begins(variables, said):
    with pytest.raises(UsageError) as error:
        Endpoint.of("METRICS", {BASE + k: v for k, v in variables.items()})
    assert error.value.message.startswith(BASE + said)
    assert "secret" not in f"{error.value.message} {error.value.hint}"


@pytest.mark.parametrize(
    ("said", "seconds"), [(None, 60), ("", 60), ("50", 0.05), ("1e300", 1e297)]
)
def test_the_time_between_two_pushes(said, seconds):
    variables = {} if said is None else {"OTEL_METRIC_EXPORT_INTERVAL": said}
    assert interval(variables) == seconds


@pytest.mark.parametrize("said", ["0", "-5", "soon", "nan", "inf"])
def test_a_time_between_two_pushes_that_is_none(said):
    with pytest.raises(UsageError) as error:
        interval({"OTEL_METRIC_EXPORT_INTERVAL": said})
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    assert error.value.message == f"{name} is {said!r}, which is no number of milliseconds"


def test_a_file_of_authorities_that_is_not_there_is_told(tmp_path):
    missing = str(tmp_path / "ca.pem")
    endpoint = Endpoint("https://c", {}, authorities=missing)
    with pytest.raises(UsageError, match=r"cannot read .*ca\.pem: no such file"):
        Sender(endpoint, lambda _: None)
