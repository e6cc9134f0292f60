"""Outputs over HTTPS: whom they trust, and who is let in."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys

import pytest
import trustme
from adversary import Adversary, Reply
from table_outputs import write

from streamql import Engine
from streamql.connectors.catalog import open_sink
from streamql.errors import OutputError, UsageError


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority, tmp_path_factory):
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return path


def speaking(authority, name="127.0.0.1", asks=False):
    """Return a server with a certificate for a name; one that `asks` wants the client's, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return Adversary(lambda _: Reply(), tls=context)


def send(server, options=""):
    sink = open_sink(server.url + options)
    try:
        write(sink, n=[1, 2])
        sink.flush()
    finally:
        sink._disconnect()
    return [json.loads(request.body) for request in server.requests]


def test_a_certificate_of_ones_own_is_refused(authority):
    with speaking(authority) as server:
        assert server.url.startswith("https://")
        with pytest.raises(OutputError, match="has a certificate that is not trusted") as caught:
            send(server)
        assert "ca_file=PATH" in caught.value.hint
        assert not caught.value.retriable
        assert server.requests == []


def test_it_is_trusted_when_its_authority_is_named(authority, trusted):
    with speaking(authority) as server:
        assert send(server, f"?ca_file={trusted}") == [[{"n": 1}, {"n": 2}]]


def test_it_is_trusted_when_the_environment_names_its_authority(authority, trusted, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with speaking(authority) as server:
        assert send(server) == [[{"n": 1}, {"n": 2}]]


def test_a_certificate_is_for_its_host(authority, trusted):
    with speaking(authority, "other.example") as server:
        with pytest.raises(OutputError, match=r"not trusted.*127\.0\.0\.1"):
            send(server, f"?ca_file={trusted}")
        assert server.requests == []


def test_a_server_that_asks_for_a_certificate_gets_ours(authority, trusted, tmp_path):
    own = tmp_path / "own.pem"
    own.write_bytes(authority.issue_cert("streamql").private_key_and_cert_chain_pem.bytes())
    with speaking(authority, asks=True) as server:
        with pytest.raises(OutputError):
            send(server, f"?ca_file={trusted}&max_retries=0")
        assert server.requests == []
        options = f"?ca_file={trusted}&client_cert={own}"
        assert send(server, options) == [[{"n": 1}, {"n": 2}]]


@pytest.mark.parametrize("option", ["ca_file", "client_cert"])
def test_a_certificate_that_cannot_be_read_is_an_error_before_the_first_row(option, tmp_path):
    (tmp_path / "odd.pem").write_text("odd")
    for path in (tmp_path / "none.pem", tmp_path / "odd.pem"):
        with pytest.raises(UsageError, match="certificate"):
            open_sink(f"https://127.0.0.1:1/rows?{option}={path}")


@pytest.mark.parametrize("action", ["fail", "retry", "drop"])
def test_no_policy_waits_for_trust_or_drops_for_lack_of_it(action, authority, tmp_path):
    with speaking(authority) as server, Engine(output_errors=action) as engine:
        engine.register("i", [{"n": 1}])
        job = engine.job(
            "SELECT n INTO o FROM i", outputs={"o": server.url}, checkpoint=tmp_path / "state"
        )
        with pytest.raises(OutputError, match="not trusted"):
            job.run()
        assert server.requests == []


def test_a_command_whose_environment_names_the_authority(authority, trusted, tmp_path):
    (tmp_path / "i.jsonl").write_text('{"n":1}\n{"n":2}\n')
    command = [sys.executable, "-m", "streamql", "run", "-q", "SELECT n INTO o FROM i"]
    with speaking(authority) as server:
        command += ["--input", f"i={tmp_path / 'i.jsonl'}", "--output", f"o={server.url}"]
        for environment, code in ({}, 3), ({"SSL_CERT_FILE": str(trusted)}, 0):
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, **environment}
            )
            assert done.returncode == code, done.stderr
            assert ("ca_file=PATH" in done.stderr) == bool(code)
        assert [json.loads(request.body) for request in server.requests] == [[{"n": 1}, {"n": 2}]]
