"""Where settings come from, how their values are read, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streamql.errors import UsageError
from streamql.settings import Settings


def test_flag_wins_over_variable_over_file_over_default(tmp_path):
    file = tmp_path / "streamql.toml"
    file.write_text("batch_rows = 10\nbatch_bytes = '1MB'\njs_timeout = 3\n")
    found = Settings.load(
        file,
        {"STREAMQL_BATCH_ROWS": "20", "STREAMQL_BATCH_BYTES": "2MiB", "PATH": "x"},
        {"batch_rows": "30"},
    )
    assert (found.batch_rows, found.batch_bytes, found.js_timeout) == (30, 2_097_152, 3.0)
    assert found.input_errors == "skip"


def test_function_settings_merge_by_alias_ignoring_case(tmp_path):
    file = tmp_path / "streamql.toml"
    file.write_text("[functions.score]\nmax_batch_count = 5\nparallel_requests = 2\n")
    flags = {"Score.max_batch_count": "100", "udf.other.header.x-team": "a=b"}
    assert Settings.load(file, {}, flags).functions == {
        "score": {"max_batch_count": "100", "parallel_requests": "2"},
        "other": {"header.x-team": "a=b"},
    }


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("compatibility_level", "1.1", "1.1"),
        ("input_errors", "FAIL", "fail"),
        ("arrival_field", "$arrival", "$arrival"),
        ("batch_rows", "1_000", 1000),
        ("batch_bytes", "64 KiB", 65_536),
        ("js_memory", "512MB", 512_000_000),
        ("js_timeout", "250ms", 0.25),
        ("js_timeout", "00:01:30", 90.0),
        ("late_arrival", "00:00:05", 50_000_000),
        ("late_arrival", "1.00:00:00.5", 864_005_000_000),
        ("out_of_order", "00:00:00", 0),
        ("out_of_order", "2 min", 1_200_000_000),
        ("policy", "drop", "drop"),
    ],
)
def test_values_are_read(key, text, value):
    assert getattr(Settings.load(None, {}, {key: text}), key) == value


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("compatibility_level", "2.0", "1.0, 1.1 or 1.2, found '2.0'"),
        ("input_errors", "stop", "skip, fail or dead_letter"),
        ("batch_rows", "0", "a whole number from 1"),
        ("batch_rows", "ten", "a whole number"),
        ("batch_bytes", "4 miles", "a size such as 4MB"),
        ("js_timeout", "0", "more than 0"),
        ("late_arrival", "5", "00:00:05 or 5s"),
        ("late_arrival", "00:99:00", "00:00:05 or 5s"),
        ("arrival_field", "", "the name of a field"),
    ],
)
def test_misfits_say_what_would_fit(key, text, expected):
    with pytest.raises(UsageError, match=expected):
        Settings.load(None, {}, {key: text})


def test_unknown_names_are_refused_with_the_nearest(tmp_path):
    file = tmp_path / "streamql.toml"
    file.write_text("batch_row = 1\n")
    cases = [
        lambda: Settings.load(None, {}, {"batch_row": "1"}),
        lambda: Settings.load(None, {"STREAMQL_BATCH_ROW": "1"}, {}),
        lambda: Settings.load(file, {}, {}),
        lambda: Settings.with_overrides(None, {"batch_row": 1}),
    ]
    for case in cases:
        with pytest.raises(UsageError, match="no setting 'batch_row'") as caught:
            case()
        assert caught.value.hint == "did you mean batch_rows?"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("batch_rows = [1]", "batch_rows takes one value"),
        ("functions = 3", "functions takes a table"),
        ("[functions]\nscore = 3", r"functions\.score takes a table"),
        ("batch_rows =", "toml, at its end: invalid value"),
        ("batch_rows = 'x'", "toml: batch_rows takes a whole number"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused(tmp_path, content, message):
    file = tmp_path / "streamql.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=message):
        Settings.load(file, {}, {})


def test_a_file_may_use_the_values_of_toml(tmp_path):
    file = tmp_path / "streamql.toml"
    file.write_text("compatibility_level = 1.1\nlate_arrival = 00:00:05\n[functions.f]\na = true\n")
    found = Settings.load(file)
    assert (found.compatibility_level, found.late_arrival) == ("1.1", 50_000_000)
    assert found.functions == {"f": {"a": "true"}}


def test_a_file_that_is_not_there_counts_as_empty(tmp_path):
    assert Settings.load(tmp_path / "streamql.toml", {}, {}) == Settings()


def test_overrides_take_values_and_texts():
    base = Settings(batch_rows=7, functions={"score": {"a": "1"}})
    found = Settings.with_overrides(
        base,
        {
            "batch_bytes": "1MB",
            "js_timeout": timedelta(seconds=2),
            "functions": {"Score": {"b": 2}},
        },
    )
    assert (found.batch_rows, found.batch_bytes, found.js_timeout) == (7, 1_000_000, 2.0)
    assert found.functions == {"score": {"a": "1", "b": "2"}}
    assert base.functions == {"score": {"a": "1"}}


def test_overrides_give_none_back_its_default():
    base = Settings(arrival_field="$at")
    assert Settings.with_overrides(base, {"arrival_field": None}).arrival_field is None
