"""Finding out what a server serves: `protocol=auto`, and `streamql model probe`."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from adversary import Adversary, Reply, Request
from click.testing import CliRunner
from protocol_bodies import ANSWERS
from test_scoring_signature import DESIGNER, NUMBER, RIDE, swagger, tensor

import streamql
from streamql.cli.group import main
from streamql.errors import UsageError

METADATA = {
    "name": "m",
    "platform": "x",
    "inputs": [tensor("x", "FP32", -1, 2)],
    "outputs": [tensor("y", "FP64", -1)],
}
READY = Reply({"name": "m", "ready": True})
SERVERS: dict[str, tuple[dict[str, Reply], str, str, str]] = {
    # what the server answers, the URL's path, the path that is called, the protocol
    "azureml": (
        {"/swagger.json": Reply(swagger({"type": "array", "items": NUMBER}, NUMBER))},
        "",
        "/score",
        "azureml",
    ),
    "azureml in a folder": (
        {"/api/swagger.json": Reply(swagger({"type": "array", "items": NUMBER}, NUMBER))},
        "/api/score",
        "/api/score",
        "azureml",
    ),
    "designer": ({"/swagger.json": Reply(DESIGNER)}, "/score", "/score", "azureml-designer"),
    "kserve-v2": (
        {"/v2/models/m": Reply(METADATA)},
        "/v2/models/m",
        "/v2/models/m/infer",
        "kserve-v2",
    ),
    "kserve-v2 with one model": (
        {"/v2/repository/index": Reply([{"name": "m"}]), "/v2/models/m": Reply(METADATA)},
        "",
        "/v2/models/m/infer",
        "kserve-v2",
    ),
    "kserve-v1": (
        {"/v1/models/m": READY},
        "/v1/models/m:predict",
        "/v1/models/m:predict",
        "kserve-v1",
    ),
    "kserve-v1 with one model": (
        {"/v1/models": Reply({"models": ["m"]}), "/v1/models/m": READY},
        "/",
        "/v1/models/m:predict",
        "kserve-v1",
    ),
    "tensorflow": (
        {"/v1/models/m": Reply({"model_version_status": []})},
        "/v1/models/m",
        "/v1/models/m:predict",
        "tensorflow",
    ),
    "embeddings": (
        {"/v1/models": Reply({"object": "list", "data": [{"id": "e5"}]})},
        "/v1",
        "/v1/embeddings",
        "openai-embeddings",
    ),
    "mlflow": ({"/ping": Reply(b"\n")}, "", "/invocations", "mlflow"),
    "mlflow behind a folder": (
        {"/a/ping": Reply(b"")},
        "/a/invocations",
        "/a/invocations",
        "mlflow",
    ),
    "nothing but a path": ({}, "/invocations", "/invocations", "mlflow"),
    "another ping": ({"/ping": Reply({"status": "Healthy"})}, "/score", "/score", "azureml"),
}


def base(server: Adversary) -> str:
    return f"http://127.0.0.1:{server.port}"


def run(server: Adversary, path: str, rows: list[Any], **given: str) -> list[Any]:
    with streamql.Engine() as engine:
        engine.register("input", [{"v": row} for row in rows])
        engine.model("score", base(server) + path, protocol="auto", **given)
        return [row["s"] for row in engine.sql("SELECT udf.score(v) AS s FROM input").fetchall()]


@pytest.mark.parametrize("name", SERVERS)
def test_auto_finds_the_protocol_and_the_address(name: str) -> None:
    pages, path, called, protocol = SERVERS[name]

    def behave(request: Request) -> Reply:
        if name == "designer":
            return Reply({"Results": {"out1": [{"n": 1}, {"n": 2}]}})
        return Reply(ANSWERS[protocol]([float(len(row)) for row in request.rows]))

    rows: list[Any] = [[1, 2], [3, 4]]
    wanted: list[Any] = [2.0, 2.0]
    if protocol == "openai-embeddings":
        rows, wanted = ["ab", "abc"], [[2.0], [3.0]]
    elif name == "designer":
        wanted = [{"n": 1}, {"n": 2}]
    with Adversary(behave, pages) as server:
        assert run(server, path, rows) == wanted
        assert [request.path for request in server.requests] == [called]


def test_auto_that_finds_nothing_says_what_it_tried() -> None:
    with Adversary() as server:
        with pytest.raises(UsageError) as caught:
            run(server, "/other", [[1]])
        assert server.requests == []
        asked = [line.split()[1] for line in server.asked]
    assert asked == [
        "/swagger.json",
        "/other/v2/repository/index",
        "/other/v1/models",
        "/ping",
    ]
    assert all(f"{base(server)}{path}: 404" in caught.value.message for path in asked)
    assert "no protocol found" in caught.value.message
    assert "kserve-v2" in str(caught.value.hint)


def test_auto_takes_settings_of_the_protocol_that_is_found() -> None:
    with Adversary(lambda _: Reply({"predictions": [1]}), {"/ping": Reply(b"")}) as server:
        with pytest.raises(UsageError, match=r"score.model is no setting of protocol mlflow"):
            run(server, "", [[1]], model="m")
        assert run(server, "", [[1]]) == [1]


def test_a_server_that_hangs_is_not_waited_for() -> None:
    slow = Reply(swagger(RIDE, NUMBER), delay=30)
    with Adversary(lambda _: Reply([1]), {"/swagger.json": slow}) as server:
        assert run(server, "/score", [[1]], attempt_timeout="100ms") == [1]
        assert server.asked == ["GET /swagger.json"]


# -- the command ---------------------------------------------------------------------------------


def probe(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["model", "probe", *arguments])


def test_probe_shows_what_was_asked_and_what_to_copy() -> None:
    pages = {"/swagger.json": Reply(swagger(RIDE, NUMBER, "rides"))}
    with Adversary(pages=pages) as server:
        url = base(server)
        done = probe(f"{url}/score?code=hunter2", "--set", "key=env:HOME", "--alias", "fare")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith(f"GET  {url}/swagger.json  200 ")
    body = done.stdout.split("\n", 2)[2]
    assert body == (
        f"protocol   azureml\n"
        f"address    {url}/score?...\n"
        f"parameter  rides\n"
        f"signature  {url}/swagger.json\n"
        f"row        record (vendor bigint, day nvarchar(max))\n"
        f"answer     float\n"
        f"\n"
        f"for `streamql run`:\n"
        f"  --function 'fare={url}/score?...' \\\n"
        f"  --set fare.protocol=azureml \\\n"
        f"  --set fare.parameter=rides \\\n"
        f"  --set fare.returns=float \\\n"
        f"  --set fare.key=env:HOME\n"
        f"\n"
        f"or in streamql.toml:\n"
        f"  [functions.fare]\n"
        f'  protocol = "azureml"\n'
        f'  parameter = "rides"\n'
        f'  returns = "float"\n'
        f'  key = "env:HOME"\n'
    )
    assert os.environ["HOME"] not in done.output.replace(url, "")
    assert "hunter2" not in done.output


def test_probe_of_a_server_that_says_nothing() -> None:
    with Adversary(pages={"/swagger.json": Reply(swagger({}, {}))}) as server:
        done = probe(f"{base(server)}/score")
        assert "says nothing about rows and answers" in done.stdout
        assert "row        unknown\nanswer     unknown" in done.stdout
        server.pages = {}
        done = probe(f"{base(server)}/score")
        assert "azureml  (by the URL's path: the server does not tell)" in done.stdout
        assert "signature  none published" in done.stdout


def test_probe_of_what_is_not_there(tmp_path: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = probe(f"http://127.0.0.1:{port}/score")
    assert done.exit_code == 3
    assert f"GET  http://127.0.0.1:{port}/swagger.json  cannot be reached (" in done.stdout
    assert "error: http://127.0.0.1" in done.stderr
    for url, said in (("ftp://h/", "is not the URL of a model"), ("nothing", "is not the URL")):
        done = probe(url)
        assert (done.exit_code, said in done.stderr) == (2, True), done.output
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"not ONNX")
    done = probe(str(file))
    assert done.exit_code == 2
    assert "ONNX" in done.stderr
