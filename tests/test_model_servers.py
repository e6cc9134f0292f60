"""Real model servers as subprocesses: Azure ML's, MLflow's, and MLServer for the open protocol."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import taxi
from click.testing import CliRunner

import streamql
from streamql.cli.group import main
from streamql.errors import FunctionError

FOLDER = Path(__file__).parent / "servers"
BIN = Path(__file__).parent.parent / ".venv-servers" / "bin"
# the server's own entry point, with the loopback interface only
AZMLINFSRV = (
    "from azureml_inference_server_http import amlserver\n"
    "amlserver.DEFAULT_HOST = '127.0.0.1'\n"
    "amlserver.run()"
)
ROWS = [{"a": 1.0, "b": 2.0, "c": 3.5}, {"a": 4, "b": 5, "c": 6}, {"a": 0.5, "b": 0, "c": 0}]
ARRAY = "SELECT udf.score(udf.arr(a, b, c)) AS s FROM input"
PAIR = "WITH r AS (SELECT a, b FROM input) SELECT udf.score(r) AS s FROM r"


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def started(command: list[str], folder: Path, log: Path, ready: str) -> Iterator[None]:
    """Run a server until the end; it is there when `ready` answers 200."""
    # a server of .venv-servers starts others by their names
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", "")])
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path},
        )
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(ready, timeout=5, trust_env=False).status_code == 200:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def azureml(request: Any, tmp_path_factory: Any) -> Iterator[str]:
    if not taxi.installed("azureml_inference_server_http", "inference_schema", "pandas"):
        pytest.skip("the extra `server` is not installed")
    (port,) = free_ports(1)
    command = [sys.executable, "-c", AZMLINFSRV, "--port", str(port)]
    command += ["--entry_script", str(FOLDER / request.param)]
    url = f"http://127.0.0.1:{port}"
    with started(command, FOLDER, tmp_path_factory.mktemp("azureml") / "log", url):
        yield url


@pytest.fixture(scope="module")
def mlflow(request: Any, tmp_path_factory: Any) -> Iterator[str]:
    if not (BIN / "mlflow").exists():
        pytest.skip("`make test` installs MLflow into .venv-servers")
    folder = tmp_path_factory.mktemp("mlflow")
    subprocess.run([BIN / "python", FOLDER / "make_mlflow.py", folder], check=True, timeout=120)
    (port,) = free_ports(1)
    command = [str(BIN / "mlflow"), "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", request.param, "--port", str(port), "--host", "127.0.0.1"]
    url = f"http://127.0.0.1:{port}"
    with started(command, folder, folder / "log", f"{url}/ping"):
        yield url


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: Any) -> Iterator[str]:
    if not (BIN / "mlserver").exists():
        pytest.skip("`make test` installs MLServer into .venv-servers (not for Python 3.13)")
    folder = tmp_path_factory.mktemp("mlserver") / "models"
    shutil.copytree(FOLDER / "mlserver", folder)
    http, grpc, metrics = free_ports(3)
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    settings |= {"host": "127.0.0.1", "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{http}"
    ready = f"{url}/v2/models/sum/ready"
    with started([str(BIN / "mlserver"), "start", "."], folder, folder / "log", ready):
        yield url


def run(url: str, query: str, rows: list[Any], **settings: str) -> tuple[list[Any], list[str]]:
    """Return the results of a query through a server, and the warnings."""
    warnings: list[str] = []
    with streamql.Engine() as engine:
        engine.on_warning = warnings.append
        engine.register("input", rows)
        engine.javascript("arr", "function main(a, b, c) { return [a, b, c]; }")
        engine.model("score", url, **settings)
        return [row["s"] for row in engine.sql(query).fetchall()], warnings


def probe(url: str) -> str:
    done = CliRunner().invoke(main, ["model", "probe", url])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("azureml", ["numpy_score.py"], indirect=True)
def test_azureml_with_an_array_signature(azureml: str) -> None:
    shown = probe(azureml)
    assert f"address    {azureml}/score\nparameter  values\n" in shown
    assert "row        array of float\nanswer     float\n" in shown
    # the parameter's name is that of the signature
    assert run(f"{azureml}/score", ARRAY, ROWS) == ([6.5, 15.0, 0.5], [])
    bad = [*ROWS, {"a": "x", "b": 1, "c": 2}]
    found, _ = run(f"{azureml}/score", ARRAY, bad, validate="all", on_error="null")
    assert found == [6.5, 15.0, 0.5, None]
    for version in (2, 3):
        source = f"{azureml}/swagger.json?version={version}"
        assert run(f"{azureml}/score", ARRAY, ROWS, signature=source)[0] == [6.5, 15.0, 0.5]


@pytest.mark.parametrize("azureml", ["frame_score.py"], indirect=True)
def test_azureml_with_a_frame_signature(azureml: str) -> None:
    shown = probe(f"{azureml}/score")
    assert "parameter  rides\n" in shown
    assert "row        record (vendor bigint, weekday nvarchar(max), distance float)\n" in shown
    assert "answer     nvarchar(max)\n" in shown
    query = "SELECT udf.score(input) AS s FROM input"
    rides = [{"vendor": 1, "weekday": "Mon", "distance": 2.5}]
    rides += [{"vendor": 2, "weekday": "Tue", "distance": 1}]
    assert run(f"{azureml}/score", query, rides) == (["Mon 1", "Tue 2"], [])
    with pytest.raises(FunctionError) as caught:
        run(f"{azureml}/score", query, [{**rides[0], "vendor": "one"}], validate="all")
    assert "column 'vendor' is \"one\", the model wants integer" in caught.value.message


@pytest.mark.parametrize("azureml", ["plain_score.py"], indirect=True)
def test_azureml_without_a_signature(azureml: str) -> None:
    assert "says nothing about rows and answers" in probe(f"{azureml}/score")
    found, warnings = run(f"{azureml}/score", ARRAY, ROWS)
    assert found == [6.5, 15, 0.5]
    assert "gives no signature" in warnings[0]
    assert warnings[0].endswith("the call has the type any")


@pytest.mark.parametrize("mlflow", ["frame"], indirect=True)
@pytest.mark.parametrize("protocol", ["auto", "mlflow"])
def test_mlflow_with_records(mlflow: str, protocol: str) -> None:
    assert "protocol   mlflow\n" in probe(mlflow)
    bad = [*ROWS, {"a": "x", "b": 1}]
    found, _ = run(mlflow, PAIR, bad, protocol=protocol, on_error="null")
    assert found == [pytest.approx(8.0), pytest.approx(23.0), pytest.approx(1.0), None]


@pytest.mark.parametrize("mlflow", ["matrix"], indirect=True)
def test_mlflow_with_arrays(mlflow: str) -> None:
    query = "SELECT udf.score(pair) AS s FROM input"
    rows = [{"pair": [row["a"], row["b"]]} for row in ROWS]
    found, _ = run(f"{mlflow}/invocations", query, rows, protocol="mlflow")
    assert found == [pytest.approx(8.0), pytest.approx(23.0), pytest.approx(1.0)]


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("", {"protocol": "auto"}),
        ("", {"protocol": "kserve-v2", "model": "sum"}),
        ("/v2/models/sum/infer", {"protocol": "kserve-v2"}),
    ],
)
def test_mlserver(mlserver: str, path: str, settings: dict[str, str]) -> None:
    shown = probe(f"{mlserver}{path}")
    assert f"address    {mlserver}/v2/models/sum/infer\nmodel      sum\n" in shown
    assert "row        array of 3 x float\nanswer     float\n" in shown
    for query in (ARRAY, "SELECT udf.score(input) AS s FROM input"):
        assert run(f"{mlserver}{path}", query, ROWS, **settings) == ([6.5, 15.0, 0.5], [])
    bad = [*ROWS, {"a": "x", "b": 1, "c": 2}]
    found, _ = run(f"{mlserver}{path}", ARRAY, bad, on_error="null", **settings)
    assert found == [6.5, 15.0, 0.5, None]


def rides(count: int) -> list[dict[str, Any]]:
    """Rows for all three scripts; each eleventh is one that they cannot score."""
    chance = random.Random(11)
    found: list[dict[str, Any]] = []
    for number in range(count):
        row = {name: round(chance.uniform(-9, 9), 3) for name in "abc"}
        row |= {"vendor": number, "weekday": chance.choice(["Mon", "Tue"]), "distance": 1.5}
        found.append(row | ({"a": "x", "vendor": "one"} if number % 11 == 10 else {}))
    return found


@pytest.mark.parametrize(
    "azureml", ["numpy_score.py", "plain_score.py", "frame_score.py"], indirect=True
)
def test_a_script_here_apart_and_behind_a_server_agree(azureml: str, request: Any) -> None:
    script = request.node.callspec.params["azureml"]
    query = ARRAY
    if script == "frame_score.py":
        query = "WITH ride AS (SELECT vendor, weekday, distance FROM input) "
        query += "SELECT udf.score(ride) AS s FROM ride"
    rows, path = rides(40), str(FOLDER / script)
    for policy, batch in (("null", "7"), ("default: -1", "1"), ("skip", "1000")):
        given = {"on_error": policy, "max_batch_count": batch}
        here, _ = run(path, query, rows, **given)
        # a run() that fails is a 500, which is tried again with growing pauses
        behind, _ = run(f"{azureml}/score", query, rows, max_retries="0", **given)
        assert here == behind
        assert len(here) == (37 if policy == "skip" else 40)
        if policy == "null":
            assert [n for n, value in enumerate(here) if value is None] == [10, 21, 32]
            apart, _ = run(path, query, rows, isolate="true", **given)
            assert apart == here
