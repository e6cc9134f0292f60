"""Settings of scoring functions, and what can be named as a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamql.errors import BindError, Span, UsageError
from streamql.types import Type
from streamql.udf.scoring import (
    OnError,
    ScoringLoop,
    ScoringSettings,
    scoring_function,
)


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
    ("given", "said", "hint"),
    [
        ({"max_batch_cont": "1"}, "score has no setting 'max_batch_cont'", "max_batch_count"),
        ({"rate_limit": "1"}, "score has no setting 'rate_limit'", ""),
        ({"max_batch_count": "0"}, "takes a whole number from 1 to 1,000,000, found '0'", ""),
        ({"max_batch_count": "auto"}, "score.max_batch_count takes a whole number", ""),
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
