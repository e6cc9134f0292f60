"""What a run says on standard error: as JSON, from a level on, and never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime

import pytest
from adversary import Adversary, Reply
from watched_process import Watched, environment

EVENTS = '{"a":1}\n{"a":\n{"a":0}\n'


def run(folder, *arguments, **variables):
    command = [sys.executable, "-m", "streamql", "run", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment(**variables)
    )


def lines(text):
    """Return the objects of a log; each has a time, a level and a message."""
    found = [json.loads(line) for line in text.splitlines()]
    for entry in found:
        assert datetime.fromisoformat(entry["time"]).tzinfo is not None
        assert list(entry)[:3] == ["time", "level", "message"]
    return found


@pytest.fixture
def events(tmp_path):
    (tmp_path / "e.jsonl").write_text(EVENTS)
    return tmp_path


def test_the_summary_has_its_figures_as_fields(events):
    done = run(events, "-q", "SELECT a INTO o FROM input", "-i", "e.jsonl", "--log-format", "json")
    first, second = lines(done.stderr)[:2]
    assert (first["level"], first["events"], first["rows"]) == ("info", 3, {"o": 2})
    assert (first["malformed"], first["rejected"]) == (1, 0)
    assert first["message"].startswith("3 events, 2 rows to o, ")
    assert second["message"].startswith("1 of 3 events of input malformed")
    assert done.stdout == '{"a":1}\n{"a":0}\n'


@pytest.mark.parametrize(
    ("query", "error", "code", "place"),
    [
        ("SELECT a FORM input", "ParseError", 2, (1, 10)),
        ("SELECT\n  1 / a AS b FROM input", "DataError", 3, (2, 3)),
    ],
)
def test_an_error_has_its_parts_as_fields(events, query, error, code, place):
    done = run(events, "-q", query, "-i", "e.jsonl", "--log-format", "json")
    assert done.returncode == code
    (told,) = [entry for entry in lines(done.stderr) if entry["level"] == "error"]
    assert (told["error"], told["exit_code"]) == (error, code)
    assert (told["line"], told["column"]) == place
    assert told["hint"]
    if code == 3:
        assert told["event"] == 3


def test_what_functions_say_and_what_libraries_log_are_entries_too(events):
    (events / "f.js").write_text(
        "function f(x) { console.log('one'); console.error('two'); return x; }"
    )
    (events / "g.py").write_text(
        "import logging, warnings\n"
        "def g(x):\n"
        "    logging.getLogger('lib').warning('three')\n"
        "    warnings.warn('four')\n"
        "    return x\n"
    )
    query = "SELECT udf.f(a) AS a, udf.g(a) AS b FROM input WHERE a = 1"
    arguments = ["--function", "f=f.js", "--function", "g=g.py:g", "--log-format", "json"]
    done = run(events, "-q", query, "-i", "e.jsonl", *arguments)
    assert done.returncode == 0, done.stderr
    told = {(e["level"], e.get("function")): e for e in lines(done.stderr)}
    assert told["info", "udf.f"]["message"].endswith("console.log: one")
    assert told["error", "udf.f"]["message"].endswith("console.error: two")
    others = [e for e in lines(done.stderr) if "logger" in e]
    assert [e["logger"] for e in others] == ["lib", "py.warnings"]
    assert others[0]["message"] == "three"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_level_leaves_out_what_is_less_important(events, form):
    arguments = ["-q", "SELECT a FROM input", "-i", "e.jsonl", "--log-format", form]
    assert run(events, *arguments, "--log-level", "warning").stderr == ""
    failing = ["-q", "SELECT 1 / a AS b FROM input", "-i", "e.jsonl", "--log-format", form]
    assert "divi" in run(events, *failing, "--log-level", "error").stderr


SECRETS = {"key": "s3cr3t-of-the-key", "header": "s3cr3t-of-the-header", "query": "s3cr3t-in-url"}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("status", [200, 401, 503])
def test_no_secret_is_told_anywhere(tmp_path, form, status):
    """The server repeats the headers in its answers, as some do."""
    (tmp_path / "key").write_text(SECRETS["key"] + "\n")
    (tmp_path / "q.sql").write_text("SELECT udf.score(a) AS s INTO o FROM rides")

    def behave(request):
        if status == 200:
            return Reply([1 for _ in request.rows])
        return Reply(json.dumps(request.headers).encode(), status)

    with Adversary(behave) as server:
        url = f"{server.url}?code={SECRETS['query']}"
        arguments = ["q.sql", "-i", "rides=-", "--function", f"score={url}", "-o", "o.jsonl"]
        arguments += ["--set", "score.key=file:key", "--set", "score.header.x-api-key=env:API_KEY"]
        arguments += ["--set", "score.max_retries=1", "--set", "score.on_error=dead_letter"]
        arguments += ["--set", "dead_letters=dead.jsonl", "--log-format", form]
        arguments += ["--log-level", "debug"]
        with Watched(tmp_path, *arguments, API_KEY=SECRETS["header"], STREAMQL_DEBUG="1") as job:
            job.send({"a": [1]})
            shown = ""
            if status != 401:  # that ends the job: nobody may ask again with this key
                job.until(lambda s: s.get(("streamql_function_events_total", "score")) == 1)
                shown = job.get("/metrics")[2] + job.get("/healthz")[2]
            code, out, err = job.finish()
        assert code == (3 if status == 401 else 0), err
        assert server.requests, "the model was asked"
        sent = json.dumps([request.headers for request in server.requests])
        assert SECRETS["key"] in sent
        assert SECRETS["header"] in sent
    files = [p.read_text() for p in tmp_path.iterdir() if p.name in ("o.jsonl", "dead.jsonl")]
    told = "\n".join([shown, out, err, *files])
    for name, secret in SECRETS.items():
        assert secret not in told, f"the secret of the {name} is told"
