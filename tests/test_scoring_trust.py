"""Whom a scoring function trusts: certificates, names, proxies."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from adversary import Adversary, Reply, Request, double
from scoring_model import Model

from streamql.errors import FunctionError, UsageError
from streamql.udf.scoring import ScoringLoop

BROKEN = re.compile("cannot be reached|broke the connection|gave no answer")


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def speaking(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def saved(authority: trustme.CA, folder: Path) -> str:
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def test_a_certificate_has_to_be_trusted(
    loop: ScoringLoop, authority: trustme.CA, tmp_path: Path
) -> None:
    with Adversary(tls=speaking(authority.issue_cert("127.0.0.1"))) as server:
        for policy in ("fail", "null"):
            with pytest.raises(FunctionError) as caught:
                Model(server, loop, on_error=policy).score([1])
            assert "has a certificate that is not trusted" in caught.value.message
            assert "ca_file" in str(caught.value.hint)
        assert server.requests == []
        model = Model(server, loop, ca_file=saved(authority, tmp_path))
        assert model.score([1, 2]) == [2, 4]


def test_a_certificate_is_for_its_host(
    loop: ScoringLoop, authority: trustme.CA, tmp_path: Path
) -> None:
    with Adversary(tls=speaking(authority.issue_cert("other.example"))) as server:
        with pytest.raises(FunctionError, match="not trusted") as caught:
            Model(server, loop, ca_file=saved(authority, tmp_path)).score([1])
        assert server.requests == []
    assert "127.0.0.1" in caught.value.message


def test_a_server_that_wants_a_certificate_gets_ours(
    loop: ScoringLoop, authority: trustme.CA, tmp_path: Path
) -> None:
    context = speaking(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    own = tmp_path / "own.pem"
    own.write_bytes(authority.issue_cert("streamql").private_key_and_cert_chain_pem.bytes())
    given = {"ca_file": saved(authority, tmp_path), "max_retries": "0"}
    with Adversary(tls=context) as server:
        with pytest.raises(FunctionError, match=BROKEN):
            Model(server, loop, **given).score([1])
        assert server.requests == []
        assert Model(server, loop, client_cert=str(own), **given).score([1]) == [2]
    own.write_text("no certificate")
    with Adversary() as server:
        model = Model(server, loop, client_cert=str(own))
        model.function.url = server.url.replace("http:", "https:")
        with pytest.raises(UsageError, match="cannot load the client certificate"):
            model.score([1])


def test_a_server_that_speaks_no_tls(loop: ScoringLoop) -> None:
    with Adversary() as server:
        model = Model(server, loop, max_retries="0", attempt_timeout="300ms")
        model.function.url = server.url.replace("http:", "https:")
        with pytest.raises(FunctionError, match=BROKEN):
            model.score([1])
        assert server.requests == []


def test_a_name_that_nobody_knows(loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unknown(host: Any, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with Adversary() as server:
        model = Model(server, loop, max_retries="2", total_timeout="1h")
        model.function.url = "http://nonexistent.invalid/score"
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(FunctionError) as caught:
            model.score([1])
        # a name may come back: it is tried again, and on_error may decide
        skipping = Model(server, loop, max_retries="0", on_error="null")
        skipping.function.url = model.function.url
        assert skipping.score([1]) == [None]
    assert set(asked) == {"nonexistent.invalid"}
    assert "nonexistent.invalid/score cannot be reached (name or service not known)" in (
        caught.value.message
    )
    assert "3 attempts" in caught.value.message
    assert model.stats.retries == {"connection": 2}


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize(
    ("proxy", "through"), [(None, False), ("none", False), ("env", True), ("own", True)]
)
def test_a_proxy_is_used_when_it_is_asked_for(
    loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch, proxy: str | None, through: bool
) -> None:
    def passing(request: Request) -> Reply:
        assert request.path.startswith("http://127.0.0.1:")  # as proxies are asked
        return double(request)

    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Adversary(passing) as between, Adversary() as server:
        address = between.url.removesuffix("/score")
        for name in PROXIES:
            monkeypatch.setenv(name, address)
        given = {} if proxy is None else {"proxy": address if proxy == "own" else proxy}
        assert Model(server, loop, **given).score([3]) == [6]
        assert (len(between.requests), len(server.requests)) == ((1, 0) if through else (0, 1))


def test_a_proxys_password_is_a_secret(loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    with Adversary(lambda _: Reply(b"", 407)) as between, Adversary() as server:
        address = between.url.removesuffix("/score").replace("//", "//me:hunter2@")
        monkeypatch.setenv("THE_PROXY", address)
        with pytest.raises(FunctionError) as caught:
            Model(server, loop, proxy="env:THE_PROXY", max_retries="0").score([1])
        assert between.requests[0].headers["proxy-authorization"].startswith("Basic ")
        assert "proxy-authorization" not in between.requests[0].rows
    assert "hunter2" not in str(caught.value.message) + str(caught.value.hint)
