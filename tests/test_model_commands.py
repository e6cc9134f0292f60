"""`streamql model profile` and `streamql model call` as a person types them."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from adversary import Adversary, Reply, Request, double, last
from click.testing import CliRunner, Result
from protocol_bodies import ANSWERS
from test_onnx import linear
from test_scoring_hostile import PROTOCOLS, expected, rows
from test_scoring_signature import swagger

from streamql.cli import main
from streamql.cli.bars import Series, bars

SWAGGER = {"/swagger.json": Reply(swagger({"type": "array"}, {"type": "number"}, "rides"))}
SCRIPT = """
import json
def init(): pass
def run(data):
    rows = json.loads(data)["data"]
    if any(row[0] < 0 for row in rows): raise ValueError("negative")
    return [row[0] * 2 for row in rows]
"""


def model(*arguments: Any, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["model", *map(str, arguments)])


def sample(folder: Path, *values: Any) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(value)}\n" for value in values))
    return file


def script(folder: Path) -> Path:
    file = folder / "score.py"
    file.write_text(SCRIPT)
    return file


# -- profile -------------------------------------------------------------------------------------


def test_a_profile_from_the_sample_to_the_settings(tmp_path: Path) -> None:
    def refusing(request: Request) -> Reply:
        if server.open > 4:
            return Reply(b"too many", 429, {"retry-after": "0"})
        if len(request.rows) > 300:
            return Reply(b"too large", 413)
        return Reply([1.5 for _ in request.rows], delay=0.03)

    file = sample(tmp_path, [1, "a"], [2, "b"], [3, "c"])
    with Adversary(refusing, SWAGGER) as server:
        url = f"http://127.0.0.1:{server.port}"
        done = model(
            "profile",
            f"{url}/score?code=hunter2",
            "--sample",
            file,
            "--set",
            "key=env:SCORE_KEY",
            "--alias",
            "fare",
            "--partitions",
            3,
            SCORE_KEY="sesame-open-now",
            COLUMNS="80",
        )
        assert done.exit_code == 0, done.output
        assert all("data" not in json.loads(r.body) for r in server.requests)  # it is `rides`
        assert server.requests[0].headers["authorization"] == "Bearer sesame-open-now"
        assert server.requests[1].rows[:4] == [[3, "c"], [1, "a"], [2, "b"], [3, "c"]]
        refused = [r for r in server.requests if len(r.rows) > 300]
    assert len(refused) == 1
    out = done.stdout
    assert "sesame" not in done.output
    assert "hunter2" not in done.output
    assert out.startswith(f"{url}/score?...  (azureml, 3 rows of 7 bytes in the sample)\n")
    assert re.search(r"^ +50 +\S+ ms +\S+ ms +[\d,]+  0$", out, re.MULTILINE)
    assert re.search(r"^ +500 .*1 x 413$", out, re.MULTILINE)
    assert re.search(r"^ +8 .*\d x 429$", out, re.MULTILINE)
    assert "stopped: 500 rows: answered 413" in out
    assert "stopped: 8 at a time: answered 429 Too Many Requests: too many" in out
    assert "refuses more than 4 or so at a time" in out
    assert re.search(r"^knee: \d+ rows in a request, \d at a time$", out, re.MULTILINE)
    found = re.search(
        r"--set fare.max_batch_count=(\d+) \\\n  --set fare.parallel_requests=(\d)", out
    )
    assert found is not None
    assert int(found[1]) <= 200
    assert int(found[2]) <= 4
    assert "  --set fare.protocol=azureml \\\n  --set fare.key=env:SCORE_KEY \\\n" in out
    assert (
        f'  [functions.fare]\n  protocol = "azureml"\n  key = "env:SCORE_KEY"\n  max_batch_count = "{found[1]}"'
        in out
    )
    assert re.search(
        r"^  3 partitions: \d+ x 3 x \d / \S+ ms = [\d,]+ events/s$", out, re.MULTILINE
    )
    assert "\x1b[" not in out
    told = [line for line in out.splitlines() if url not in line]
    assert max(map(len, told)) <= 100


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_profile_speaks_every_protocol(tmp_path: Path, protocol: str) -> None:
    def behave(request: Request) -> Reply:
        return Reply(ANSWERS[protocol]([float(last(one)) for one in request.rows]))

    given = rows(protocol)[:3]
    with Adversary(behave) as server:
        done = model(
            *("profile", server.url, "--sample", sample(tmp_path, *given)),
            *("--protocol", protocol, "--max-batch", 7, "--max-parallel", 2, "--max-time", "5s"),
        )
        # a request goes on where the one before has ended, and the sample begins again
        sent = [row for request in server.requests[:2] for row in request.rows]
        assert {len(request.rows) for request in server.requests} == {7}
    assert done.exit_code == 0, done.output
    assert sent == [given[n % 3] for n in range(14)]
    assert f"({protocol}, 3 rows of " in done.stdout
    assert "--set score.max_batch_count=7 " in done.stdout


@pytest.mark.parametrize("kind", ["png", "svg", "html"])
def test_a_picture(tmp_path: Path, kind: str) -> None:
    picture = tmp_path / f"profile.{kind}"
    done = model(
        "profile",
        script(tmp_path),
        "--sample",
        sample(tmp_path, [1, 2]),
        "--plot",
        picture,
        "--max-batch",
        200,
        "--max-time",
        "2s",
    )
    assert done.exit_code == 0, done.output
    assert f"the picture is in {picture}" in done.stdout
    content = picture.read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG\r\n")
        return
    text = content.decode()
    assert "<svg" in text
    assert text.startswith("<!doctype html>" if kind == "html" else "<?xml")
    # nothing is loaded from elsewhere
    assert not re.search(r'(src|href)="(?!#)', text.replace("http://www.w3.org", ""))
    if kind == "html":
        assert "knee: " in text


def test_models_in_this_process(tmp_path: Path) -> None:
    file = sample(tmp_path, [1, 2, 3])
    for spec in (script(tmp_path), linear(tmp_path / "m.onnx")):
        done = model("profile", spec, "--sample", file, "--max-batch", 100, "--max-time", "2s")
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith(f"{spec}  (1 row of 7 bytes in the sample)")
        assert "no more than 1 at a time was tried" in done.stdout
        assert "parallel_requests" not in done.stdout
        assert "1 partition:" in done.stdout
        assert "2 partitions" not in done.stdout
    isolated = model(
        "profile",
        script(tmp_path),
        "--sample",
        file,
        "--set",
        "isolate=true",
        "--max-batch",
        50,
        "--max-parallel",
        2,
        "--max-time",
        "10s",
    )
    assert isolated.exit_code == 0, isolated.output
    assert re.search(r"--set score.parallel_requests=[12]$", isolated.stdout, re.MULTILINE)


def test_a_profile_that_cannot_be(tmp_path: Path) -> None:
    path, good = script(tmp_path), sample(tmp_path, [1])
    bad, empty = tmp_path / "bad.jsonl", tmp_path / "empty.jsonl"
    bad.write_text("[1]\n[2\n")
    empty.write_text("\n")
    for arguments, said in (
        (["--sample", bad], "bad.jsonl: line 2 is not JSON"),
        (["--sample", empty], "empty.jsonl has no rows"),
        (["--sample", tmp_path / "none"], "there is no file"),
        (["--sample", good, "--max-time", "soon"], "--max-time takes"),
        (["--sample", good, "--plot", "profile.gif"], "a picture is one of .png, .svg, .html"),
        (["--sample", good, "--plot", tmp_path / "no" / "p.png"], "there is no such folder"),
        (["--sample", good, "--set", "nonsense=1"], "no setting 'nonsense'"),
    ):
        done = model("profile", path, *arguments)
        assert (done.exit_code, said in done.stderr) == (2, True), done.output
    done = model("profile", path, "--sample", sample(tmp_path, [-1]))
    assert done.exit_code == 3
    assert "failed in run()" in done.stderr
    assert "negative" in done.stderr
    with Adversary(lambda _: Reply(b"who are you", 401)) as server:
        done = model("profile", server.url, "--sample", good, "--protocol", "azureml")
        assert len(server.requests) == 1
    assert done.exit_code == 3
    assert "answered 401 Unauthorized: who are you" in done.stderr
    assert "hint: give the endpoint's key" in done.stderr


def test_bars_fit_and_are_in_proportion() -> None:
    labels = ["50", "1,000"]
    series = [
        Series("rows/s", [250.0, 1000.0], ["250", "1,000"]),
        Series("latency", [0.2, 0.0], ["200 ms", ""]),
    ]
    for width in (40, 60, 80, 100):
        lines = bars("rows", labels, series, width)
        assert max(map(len, lines)) <= width
        one = [line.count("█") for line in bars("rows", labels, series[:1], width)]
        assert one[2] == max(one) > 0
        assert abs(4 * one[1] - one[2]) <= 4
    # below each other where they do not fit
    narrow = bars("rows", labels, series, 24)
    assert [line.split() for line in narrow if "rows" in line] == [
        ["rows", "rows/s"],
        ["rows", "latency"],
    ]
    assert all(line.isascii() for line in bars("rows", labels, series, 60, plain=True))


# -- call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_row_is_scored_in_every_protocol(protocol: str) -> None:
    row = rows(protocol)[4]

    def behave(request: Request) -> Reply:
        return Reply(ANSWERS[protocol]([float(last(one)) for one in request.rows]))

    with Adversary(behave) as server:
        done = model("call", server.url, "--row", json.dumps(row), "--protocol", protocol)
    assert done.exit_code == 0, done.output
    assert [json.loads(done.stdout)] == expected(protocol, [4.0])


def test_rows_are_scored_in_one_request_with_what_the_server_says() -> None:
    with Adversary(double, SWAGGER) as server:
        done = model("call", server.url, "--row", "[1, 2.5]", "--row", '["x", 3]')
        assert [json.loads(r.body) for r in server.requests] == [{"rides": [[1, 2.5], ["x", 3]]}]
    assert done.stdout == "5.0\n6.0\n"


def test_rows_are_scored_by_models_in_this_process(tmp_path: Path) -> None:
    assert model("call", script(tmp_path), "--row", "[4]").stdout == "8\n"
    assert model("call", linear(tmp_path / "m.onnx"), "--row", "[1, 2, 3]").stdout == "321.0\n"
    isolated = model("call", script(tmp_path), "--row", "[4]", "--set", "isolate=true")
    assert isolated.stdout == "8\n"


def test_a_row_that_cannot_be_scored(tmp_path: Path) -> None:
    path = script(tmp_path)
    done = model("call", path, "--row", "[-1]")
    assert (done.exit_code, done.stdout) == (3, "")
    assert "negative; row [-1]\n" in done.stderr  # it is no event of an input
    done = model("call", path, "--row", "[1]", "--row", "[-1]", "--set", "on_error=default: 0")
    assert done.stdout == "2\n0\n"
    done = model("call", path, "--row", "[1]", "--row", "[-1]", "--set", "on_error=skip")
    assert done.stdout == "2\n"
    done = model("call", path, "--row", "Mon")
    assert done.exit_code == 2
    assert "is not JSON" in done.stderr
    assert "a text is quoted twice" in done.stderr
    assert model("call", path).exit_code == 2


def unknown(*host: Any, **named: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_server_that_does_not_answer_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    with Adversary(lambda _: Reply(b"later", 503)) as server:
        done = model("call", server.url, "--row", "1")
        assert len(server.requests) == 3
    assert done.exit_code == 3
    assert "answered 503 Service Unavailable (3 attempts in" in done.stderr
    assert done.stderr.count("warning: ") == 1
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for more in ([], ["--protocol", "azureml"]):
        done = model("call", "http://nonexistent.invalid/score", "--row", "1", *more)
        assert done.exit_code == 3
        assert "cannot be reached (name or service not known) (3 attempts" in done.stderr
