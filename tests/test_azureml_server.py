"""Azure ML's own inference server serves the taxi model, and the engine scores through it."""

import socket
import subprocess
import sys
import time

import httpx
import pytest
import taxi

import streamql

pytestmark = pytest.mark.skipif(
    not taxi.installed("azureml_inference_server_http", "inference_schema", *taxi.NEEDS),
    reason="the extras `server` and `samples` are not installed",
)

# `azmlinfsrv` listens on all interfaces and has no option for it; this is its entry point with
# the loopback interface only
AZMLINFSRV = (
    "from azureml_inference_server_http import amlserver\n"
    "amlserver.DEFAULT_HOST = '127.0.0.1'\n"
    "amlserver.run()"
)
COUNT = 250


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a running server with the sample's entry script."""
    taxi.train()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("azureml") / "server.log"
    arguments = ["--entry_script", str(taxi.FOLDER / "score.py"), "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", AZMLINFSRV, *arguments],
            cwd=taxi.FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address, log)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(process, address, log) -> None:
    """Return when the server answers; fail with its log if it does not."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


@pytest.fixture(scope="module")
def fares():
    """The fares the entry script gives in this process."""
    taxi.train()
    script = taxi.module("score")
    script.init()
    return script.run(taxi.events(COUNT))


def test_swagger_declares_the_parameter(server):
    spec = httpx.get(f"{server}/swagger.json", trust_env=False).json()
    assert list(spec["definitions"]["ServiceInput"]["properties"]) == ["data"]


@pytest.mark.parametrize("form", ["arrays", "records"])
def test_server_gives_the_fares_of_the_script(server, fares, form):
    fields = ("vendorid", "weekday", "pickuphour", "passenger", "distance")
    events = [{name: event[name] for name in fields} for event in taxi.events(COUNT)]
    data = events if form == "records" else [list(event.values()) for event in events]
    answer = httpx.post(f"{server}/score", json={"data": data}, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, fares)


@pytest.mark.parametrize("name", taxi.QUERIES)
def test_query_scores_through_the_server(server, fares, name):
    with streamql.Engine() as engine:
        engine.register("input", taxi.events(COUNT))
        engine.javascript("createArray", taxi.create_array())
        engine.model("score", f"{server}/score")
        rows = engine.sql(taxi.query(name)).fetchall()
    assert [next(iter(row.values())) for row in rows] == fares
