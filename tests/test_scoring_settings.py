"""Settings of scoring functions, and what can be named as a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamql import Engine, units
from streamql.errors import BindError, Span, UsageError
from streamql.settings import Settings
from streamql.types import Type
from streamql.udf.scoring import (
    OnError,
    ScoringLoop,
    ScoringSettings,
    refuse_host,
    scoring_function,
)
from streamql.udf.scoring.options import CacheSize, Rate
from streamql.udf.scoring.tuner import Limits


@pytest.fixture(scope="module")
def loop() -> Iterator[ScoringLoop]:
    made = ScoringLoop()
    yield made
    made.close()


# -- settings and the factory -------------------------------------------------------------------


def test_settings_are_read() -> None:
    given = {
        "max_batch_count": "100",
        "max_batch_bytes": "2MB",
        "max_batch_wait": "0ms",
        "attempt_timeout": "250ms",
        "total_timeout": "2m",
        "on_error": "default: 0",
        "header.x-team": "rides",
        "protocol": "azureml-designer",
        "input_name": "in",
    }
    read = ScoringSettings.from_strings(given)
    assert (read.max_batch_count, read.max_batch_bytes) == (100, 2_000_000)
    assert (read.max_batch_wait, read.attempt_timeout, read.total_timeout) == (0, 0.25, 120)
    assert (read.on_error.action, read.on_error.default) == (OnError.DEFAULT, 0)
    assert read.headers == {"x-team": "rides"}
    assert read.protocol.name == "azureml-designer"
    assert ScoringSettings.from_strings({}) == ScoringSettings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_batch_count", "auto", Limits(1, 100_000)),
        ("max_batch_count", "auto:100-25000", Limits(100, 25_000)),
        ("parallel_requests", "auto", Limits(1, 100)),
        ("parallel_requests", "7", 7),
        ("rate_limit", "500 rows/s", Rate(500, rows=True)),
        ("rate_limit", "2.5requests/s", Rate(2.5, rows=False)),
        ("rate_limit", "none", None),
        ("ordered", "false", False),
        ("cache", "off", None),
        ("cache", "100,000", CacheSize(100_000, None)),
        ("cache", "5000, 10min", CacheSize(5_000, 600)),
        ("breaker", "50%", 0.5),
        ("breaker", "off", None),
        ("breaker_pause", "5s", 5.0),
    ],
)
def test_settings_of_batches_and_limits(name: str, text: str, value: object) -> None:
    read = ScoringSettings.from_strings({name: text})
    assert getattr(read, name) == value


@pytest.mark.parametrize(
    ("given", "said", "hint"),
    [
        ({"max_batch_cont": "1"}, "score has no setting 'max_batch_cont'", "max_batch_count"),
        ({"rate_limit": "1"}, "takes none or a rate such as 5000 rows/s", ""),
        ({"rate_limit": "0 rows/s"}, "takes none or a rate such as 5000 rows/s", ""),
        ({"max_batch_count": "0"}, "from 1 to 1,000,000, auto or auto:LOW-HIGH, found '0'", ""),
        ({"max_batch_count": "auto:9-3"}, "auto or auto:LOW-HIGH, found 'auto:9-3'", ""),
        ({"parallel_requests": "auto:1-99999"}, "a whole number from 1 to 10,000, auto", ""),
        ({"cache": "10 potatoes"}, "takes off, a number of rows, or that and a time", ""),
        ({"breaker": "0.5"}, "takes off or the share of failed requests", ""),
        ({"breaker": "0%"}, "takes off or the share of failed requests", ""),
        ({"attempt_timeout": "100"}, "score.attempt_timeout takes a duration", ""),
        ({"max_batch_bytes": "4 potatoes"}, "score.max_batch_bytes takes a size", ""),
        ({"on_error": "ignore"}, "takes fail, null, default: VALUE, skip", ""),
        ({"on_error": "default"}, "takes default: VALUE", ""),
        ({"key": "hunter2"}, "score.key takes env:NAME or file:PATH", "environment variable"),
        ({"header.x-api-key": "hunter2"}, "takes env:NAME or file:PATH", "environment"),
        ({"header.Content-Type": "text/csv"}, "set by the request itself", ""),
        ({"headers": "a: b"}, "no setting 'headers'", "header.NAME=VALUE"),
        ({"protocol": "azureml-desinger"}, "(did you mean azureml-designer?)", ""),
        ({"input_name": "a"}, "of protocol azureml-designer, not of azureml", "protocol="),
        ({"client_key": __file__}, "without score.client_cert", ""),
        ({"proxy": "http://me:hunter2@host"}, "without a password", ""),
        ({"returns": "decimal"}, "score.returns takes bigint, float", ""),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, str], said: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        ScoringSettings.from_strings(given)
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")
    if given.get("key"):
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ftp://host/score", "neither an http"),
        ("http://", "is not the URL of a model"),
        ("http://host:99999/score", "is not the URL of a model"),
        ("http://ho st/", "is not the URL of a model"),
        ("https://me:hunter2@host/score", "has a password in it"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("model.bin", "is no model"),
    ],
)
def test_specs_that_are_no_models(loop: ScoringLoop, spec: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        scoring_function("score", spec, ScoringSettings(), loop)
    assert said in caught.value.message
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_one_argument_only(loop: ScoringLoop) -> None:
    function = scoring_function("score", "http://127.0.0.1:1/", ScoringSettings(), loop)
    assert function.check([Type.ARRAY], Span(0, 1), [Span(0, 1)]) is Type.ANY
    for count in (0, 2):
        with pytest.raises(BindError) as caught:
            function.check([Type.ANY] * count, Span(0, 9), [Span(1, 2), Span(4, 5)][:count])
        assert "createArray" in str(caught.value.hint)
        assert "WITH" in str(caught.value.hint)


def test_a_missing_key_and_a_missing_sink_are_told_before_the_first_row(
    loop: ScoringLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    for given, said in (
        ({"key": "env:NO_SUCH_KEY"}, "NO_SUCH_KEY is not set"),
        ({"on_error": "dead_letter"}, "a place for the dead letters"),
    ):
        parsed = ScoringSettings.from_strings(given)
        with pytest.raises(UsageError, match=said):
            scoring_function("score", "http://127.0.0.1:1/", parsed, loop).open()


@pytest.mark.parametrize(
    ("url", "allowed", "fits"),
    [
        ("http://models.local/score", "models.local", True),
        ("http://MODELS.local.:5001/score", "models.local", True),
        ("http://models.local:5001/", "models.local:5001", True),
        ("http://models.local:5002/", "models.local:5001", False),
        ("https://models.local/", "models.local:443", True),
        ("http://a.b.example.com/", "other, *.example.com", True),
        ("http://example.com/", "*.example.com", False),
        ("http://evilexample.com/", "*.example.com", False),
        ("http://models.local@evil.com/", "models.local", False),
        ("http://[::1]:5001/", "[::1]:5001", True),
        ("http://[::1]:5001/", "[::1]", True),
        ("http://127.0.0.1/", "none", False),
        ("http:///score", "*.example.com", False),
    ],
)
def test_allowed_hosts(url: str, allowed: str, fits: bool) -> None:
    hosts = units.hosts(allowed)
    assert hosts is not None
    if fits:
        refuse_host("score", url, hosts)
        return
    with pytest.raises(UsageError, match="is not among those that models may be on") as caught:
        refuse_host("score", url, hosts)
    assert "allowed_hosts is" in (caught.value.hint or "")


def test_an_engine_refuses_other_hosts_before_it_asks_them() -> None:
    def engine(**settings: str) -> Engine:
        return Engine(Settings.with_overrides(None, settings))

    with pytest.raises(UsageError, match=r"host 'evil\.com'"):
        engine(allowed_hosts="models.local").model("score", "http://evil.com/score")
    engine(allowed_hosts="models.local").model("score", "http://models.local/score")
    engine(allowed_hosts="any").model("score", "http://evil.com/score")
