"""What a running job shows: over HTTP from a process, and by a clock that is set."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import types

import pytest
from watched_process import Watched, environment

from streamql import Engine
from streamql.errors import UsageError
from streamql.instants import TICKS_PER_SECOND, parse_one
from streamql.runtime.graph import Graph
from streamql.runtime.limits import Limits
from streamql.runtime.metrics import Histogram, Metric, labelled
from streamql.runtime.view import STALLED, JobView, Watching
from streamql.telemetry.address import address_of
from streamql.telemetry.prometheus import Exposition

QUERY = "SELECT a INTO out FROM rides TIMESTAMP BY t"


def test_a_live_job_shows_its_figures_while_it_runs(tmp_path):
    settings = ["--set", "late_arrival=5s", "--set", "out_of_order=0s"]
    arguments = ["-q", "SELECT a INTO out FROM rides", "-i", "rides=-", *settings]
    with Watched(tmp_path, *arguments) as job:
        job.send({"a": 1}, {"a": 2}, "no json\n", {"a": 3})
        job.until(lambda s: s.get(("streamql_output_events_total", "out")) == 3)
        # figures of one page are read one after the other, while the job goes on
        seen = job.samples()
        assert seen["streamql_input_events_total", "rides"] == 4
        assert seen["streamql_input_deserialization_errors_total", "rides"] == 1
        assert seen["streamql_backlogged_input_events", "rides"] == 0
        assert seen["streamql_batch_seconds_count", "rides"] >= 1
        assert seen["streamql_output_delay_seconds_count", "out"] >= 1
        assert seen["streamql_operator_input_rows_total", "write out"] == 3
        assert seen["streamql_operator_seconds_total", "project a"] > 0
        # nothing older than now can come: the delay is that of the question
        assert 0 <= seen["streamql_watermark_delay_seconds", "out"] < 30
        assert seen["process_resident_memory_bytes",] > 10_000_000
        status, kind, body = job.get("/healthz")
        assert (status, kind) == (200, "application/json")
        health = json.loads(body)
        assert (health["status"], health["events"], health["rows"]) == ("running", 4, {"out": 3})
        assert job.get("/readyz")[0] == 200
        assert job.get("/metrics")[:2] == (200, "text/plain; version=0.0.4; charset=utf-8")
        status, _, body = job.get("/metric")
        assert (status, body) == (404, "there is /metrics, /healthz and /readyz\n")
        code, out, err = job.finish()
    assert code == 0, err
    assert out.count("\n") == 3


def watched_engine(now, **settings):
    """Return an engine whose clock is set, and a list that gets the view of its job."""
    clock = [parse_one(now)]
    return Engine(now=lambda: clock[0], **settings), clock


def values(view):
    """Return the values of all counters and gauges by name and label values."""
    return {
        (metric.name.removeprefix("streamql_"), *(v for _, v in labels)): value
        for metric in view.metrics()
        for labels, value in metric.values.items()
        if metric.kind != "histogram"
    }


def test_events_that_break_the_rules_of_time_are_counted_and_delays_go_by_the_clock(tmp_path):
    engine, clock = watched_engine(
        "2026-01-01T00:01:00Z", late_arrival="10s", out_of_order="5s", arrival_field="at"
    )
    told, seen = threading.Event(), {}

    def rows():
        def event(t, at):
            return {"t": f"2026-01-01T00:{t}Z", "at": f"2026-01-01T00:{at}Z", "a": 1}

        yield [event("00:00", "00:00"), event("00:20", "00:20"), event("00:19", "00:20")]
        yield [event("00:02", "00:20"), event("00:11", "00:21"), event("09:00", "00:21")]
        yield [{"t": "never", "at": "2026-01-01T00:00:21Z"}]
        assert told.wait(30)

    engine.register("rides", (row for block in rows() for row in block))
    job = engine.job(QUERY, default_output=str(tmp_path / "o.jsonl"))
    views = []

    def look(_status):
        if views and not told.is_set() and values(views[0])["input_events_total", "rides"] == 7:
            seen.update(values(views[0]))
            clock[0] += 30 * TICKS_PER_SECOND
            seen["later"] = values(views[0])["watermark_delay_seconds", "out"]
            told.set()

    summary = job.run(look, views.append)
    assert summary.events == 7
    assert seen["late_input_events_total", "rides"] == 1
    assert seen["early_input_events_total", "rides"] == 1
    assert seen["out_of_order_input_events_total", "rides"] == 2
    assert seen["invalid_timestamps_total", "rides"] == 1
    # the newest event is of 00:00:20, and others may be 5 s out of order
    assert seen["watermark_delay_seconds", "out"] == 45
    assert seen["later"] == 75


def test_scoring_functions_are_counted(tmp_path):
    (tmp_path / "score.py").write_text(
        "def init(): pass\ndef run(data):\n    import json\n"
        "    return [1 / row[0] for row in json.loads(data)['data']]\n"
    )
    settings = {"on_error": "null", "max_batch_count": "2"}
    engine = Engine()
    engine.model("inverse", str(tmp_path / "score.py"), **settings)
    engine.register("input", [{"a": [1]}, {"a": [0]}, {"a": [4]}])
    views = []
    query = "SELECT udf.inverse(a) AS x INTO out FROM input"
    engine.job(query, default_output=str(tmp_path / "o.jsonl")).run(None, views.append)
    seen = values(views[0])
    assert seen["function_events_total", "inverse"] == 3
    assert seen["function_requests_total", "inverse"] >= 2
    assert seen["failed_function_requests_total", "inverse"] >= 1
    assert seen["runtime_errors_total", "inverse"] == 1
    assert seen["function_requests_in_flight", "inverse"] == 0


def test_operators_of_one_name_are_told_apart(tmp_path):
    engine = Engine()
    engine.register("input", [{"a": 1}, {"a": 2}])
    query = "SELECT a INTO x FROM input WHERE a > 1 SELECT a INTO y FROM input WHERE a > 0"
    views = []
    engine.job(query, output_dir=str(tmp_path)).run(None, views.append)
    seen = values(views[0])
    given = [seen["operator_output_rows_total", name] for name in ("filter", "filter (2)")]
    assert given == [1, 2]
    assert seen["output_events_total", "x"] == 1


def view_at(clock, writers=None):
    watching = Watching(lambda _: None, lambda: 0)
    return JobView({}, writers or {}, watching, seconds=lambda: clock[0])


def test_a_job_whose_pipeline_does_not_come_round_is_stalled():
    clock = [100.0]
    view = view_at(clock, {"out": types.SimpleNamespace(rows=7)})
    view.begin(Graph([], {}), Limits({}))
    clock[0] += STALLED - 1
    assert view.health().well
    view.turned()
    clock[0] += STALLED
    health = view.health()
    assert (health.well, health.status) == (False, "stalled")
    assert health.figures["stalled_for"] == STALLED
    view.turned()
    assert view.health().status == "running"
    assert view.health().figures["rows"] == {"out": 7}


def test_the_age_of_the_newest_checkpoint_is_shown():
    clock = [100.0]
    view = view_at(clock)
    view.begin(Graph([], {}), Limits({}))
    view.turned(None)
    assert "last_checkpoint_age" not in view.health().figures
    for saved, passed, age in ((1, 0, 0), (1, 7, 7), (2, 3, 0), (2, 4, 4)):
        clock[0] += passed
        view.turned(saved)
        assert view.health().figures["last_checkpoint_age"] == age
    assert values(view)["checkpoint_age_seconds",] == 4


def test_who_keeps_figures_of_its_own_can_show_them():
    view = view_at([0.0])
    view.begin(Graph([], {}), Limits({}))
    own = Metric("streamql_own", "gauge", "Its own.", {labelled(part="a"): 3.0})
    view.collectors.append(lambda: [own])
    assert b'streamql_own{part="a"} 3.0' in Exposition(view.metrics).text()


def test_a_histogram_counts_each_value_in_the_first_bucket_that_holds_it():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.5, 9.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.total) == ([2, 1, 2], 14.5)
    text = Exposition(lambda: [Metric("h", "histogram", "H.", {(): histogram})]).text().decode()
    assert 'h_bucket{le="2.0"} 3.0\nh_bucket{le="+Inf"} 5.0\nh_count 5.0\nh_sum 14.5' in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9464", "127.0.0.1:9464"),
        (":9464", "127.0.0.1:9464"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:9464", "[::1]:9464"),
        ("some-host.local:80", "some-host.local:80"),
    ],
)
def test_addresses(text, shown):
    assert str(address_of(text)) == shown


@pytest.mark.parametrize("text", ["", "host", "host:", "1:2:3", "::1", "a b:1", "65536", "-1", "٣"])
def test_what_is_no_address(text):
    with pytest.raises(UsageError, match="not of the form"):
        address_of(text)


def test_a_port_in_use_and_an_address_of_another_machine_are_told_before_the_job_begins(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')

    def run(address):
        command = [sys.executable, "-m", "streamql", "run", "-q", "SELECT a FROM input"]
        command += ["-i", "e.jsonl", "-o", "o.jsonl", "--metrics", address]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment()
        )
        assert not (tmp_path / "o.jsonl").exists()
        return done.returncode, done.stderr

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = run(str(port))
    assert code == 2
    assert told.startswith(f"error: cannot serve metrics at 127.0.0.1:{port}: address already in")
    code, told = run("192.0.2.1:9464")  # kept free for documentation: no machine has it
    assert code == 2
    assert told.startswith("error: cannot serve metrics at 192.0.2.1:9464: cannot assign")
    assert "\nhint: this machine has no such address" in told


def test_the_server_loads_nothing_that_a_run_loads_in_an_order_of_its_own():
    code = (
        "import sys, streamql.telemetry.server; "
        "print([m for m in ('numpy', 'pyarrow', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment()
    )
    assert done.stdout == "[]\n", done.stderr
