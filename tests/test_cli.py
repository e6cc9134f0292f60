"""The command line: how flags reach the engine, what is written where, and exit codes."""

from __future__ import annotations

import io
import os
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamql.cli import main
from streamql.cli import progress as progress_module
from streamql.cli.arguments import split_name
from streamql.errors import BindError, InputError, Span

QUERY = "SELECT a INTO out FROM input"


class FakeSummary:
    def figures(self):
        return {"events": 3}

    def sentences(self):
        return ["3 events, 3 rows to out, 0.00 s"]


class FakeJob:
    plan = types.SimpleNamespace(outputs=("out",), writes=())

    def stop(self):
        raise AssertionError("nobody has asked for it")

    def run(self, on_progress=None, watch=None):
        if FakeEngine.fails_with is not None:
            raise FakeEngine.fails_with
        return FakeSummary()


class FakeEngine:
    """Writes down what the command line asks of it."""

    calls: list
    settings = None
    fails_with: BaseException | None = None

    def __init__(self, settings):
        FakeEngine.calls = []
        FakeEngine.settings = settings

    def __enter__(self):
        return self

    def __exit__(self, *_):
        FakeEngine.calls.append(("close",))

    def __getattr__(self, name):
        def call(*args, **named):
            FakeEngine.calls.append((name, *args, named) if named else (name, *args))
            return FakeJob()

        return call


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Run `streamql` with a fake engine in an empty folder; gives a function of the arguments."""
    module = types.ModuleType("streamql.engine")
    module.Engine = FakeEngine
    monkeypatch.setitem(sys.modules, "streamql.engine", module)
    monkeypatch.setattr(FakeEngine, "fails_with", None)
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("STREAMQL_")]:
        monkeypatch.delenv(name)
    return lambda *args, **named: CliRunner().invoke(main, args, **named)


def job_of(calls):
    return next(c[-1] for c in calls if c[0] == "job")


def test_flags_reach_the_engine(fake):
    Path("q.sql").write_text("\ufeff" + QUERY)
    result = fake(
        *("run", "q.sql", "--input", "a=a.jsonl", "--input", "b.jsonl?format=csv&delimiter=;"),
        *("--reference", "r=r.csv", "--output", "x=x.jsonl", "--output", "rest.jsonl"),
        *("--functions", "js", "--function", "udf.score=http://h:1/score?a=b"),
        *("--set", "batch_rows=5", "--set", "score.header.x=a=b"),
        *("--checkpoint", "state", "--from-start"),
    )
    assert result.exit_code == 0, result.output
    assert FakeEngine.calls == [
        ("functions_from", "js"),
        ("function_from", "score", "http://h:1/score?a=b"),
        ("register_uri", "a", "a.jsonl"),
        ("register_reference_uri", "r", "r.csv"),
        (
            "job",
            QUERY,
            {
                "bind_input": "b.jsonl?format=csv&delimiter=;",
                "outputs": {"x": "x.jsonl"},
                "output_dir": None,
                "default_output": "rest.jsonl",
                "checkpoint": "state",
                "from_start": True,
                "allow_changed_functions": False,
            },
        ),
        ("close",),
    ]
    assert FakeEngine.settings.batch_rows == 5
    assert FakeEngine.settings.functions == {"score": {"header.x": "a=b"}}


def test_the_query_comes_from_a_flag_or_from_standard_input(fake):
    assert fake("run", "-q", QUERY).exit_code == 0
    first = FakeEngine.calls
    assert fake("run", "-", input=QUERY).exit_code == 0
    assert first == FakeEngine.calls
    assert job_of(first)["default_output"] == "-"


def test_settings_come_from_environment_and_file(fake):
    Path("streamql.toml").write_text("batch_rows = 3\nbatch_bytes = 2000\n")
    assert fake("run", "-q", QUERY, env={"STREAMQL_BATCH_ROWS": "4"}).exit_code == 0
    assert (FakeEngine.settings.batch_rows, FakeEngine.settings.batch_bytes) == (4, 2000)


def test_summary_goes_to_standard_error_unless_quiet(fake):
    result = fake("run", "-q", QUERY)
    assert (result.stdout, result.stderr) == ("", "3 events, 3 rows to out, 0.00 s\n")
    assert fake("run", "-q", QUERY, "--quiet").output == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("rides=rides.jsonl", ("rides", "rides.jsonl")),
        ("rides.jsonl", (None, "rides.jsonl")),
        ("a.csv?format=csv&delimiter=;", (None, "a.csv?format=csv&delimiter=;")),
        ("dir/x=1/a.jsonl", (None, "dir/x=1/a.jsonl")),
        ("a=b=c", ("a", "b=c")),
        ("[my input]=x", ("my input", "x")),
        ("1a=x", (None, "1a=x")),
        ("-", (None, "-")),
    ],
)
def test_only_an_identifier_is_a_name(value, expected):
    assert split_name(value) == expected


def test_a_file_called_so_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a=b.jsonl").touch()
    assert split_name("a=b.jsonl") == (None, "a=b.jsonl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "neither a file nor --query"),
        (["run", "q.sql", "-q", "x"], "both a file and --query"),
        (["run", "none.sql"], "cannot read the query none.sql: no such file"),
        (["run", "SELECT a FROM b"], "hint: a query on the command line"),
        (["run", "-q", "x", "-i", "a", "-i", "b"], "--input is given twice without a name"),
        (["run", "-q", "x", "-i", "n=a", "-i", "N=b"], "--input N=... is given twice"),
        (["run", "-q", "x", "-i", "n="], "the URI is empty"),
        (["run", "-q", "x", "-o", "f", "--output-dir", "d"], "are both given"),
        (["run", "-q", "x", "--reference", "f"], "--reference f has no name"),
        (["run", "-q", "x", "--function", "f.js"], "not of the form ALIAS=SPEC"),
        (["run", "-q", "x", "--function", "a b=f.js"], "'a b' is no function name"),
        (["run", "-q", "x", "--set", "batch_rows"], "not of the form KEY=VALUE"),
        (["run", "-q", "x", "--set", "batch_row=1"], "hint: did you mean batch_rows?"),
        (["run", "-", "--input", "-"], "both the query and an input"),
        (["run", "--inputt", "x"], "--input"),
        (["rnu"], "id you mean"),
        (["functions", "lfet"], "hint: did you mean LEFT?"),
    ],
)
def test_mistakes_on_the_command_line_exit_with_2(fake, arguments, message):
    result = fake(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_query_that_is_no_text(fake):
    Path("q.sql").write_bytes(b"SELECT \xff")
    result = fake("run", "q.sql")
    assert (result.exit_code, "not UTF-8 text (byte 8)" in result.stderr) == (2, True)


def test_a_compile_error_shows_its_place(fake):
    FakeEngine.fails_with = BindError("no column b", Span(7, 8), "did you mean a?")
    result = fake("run", "-q", "SELECT b FROM input")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: no column b\n  line 1, column 8\n  | SELECT b FROM input\n  |        ^\n"
        "hint: did you mean a?\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("cannot read x", event=3), 3, "error: cannot read x (event 3 of the input)\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_failures_of_a_run(fake, error, code, told):
    FakeEngine.fails_with = error
    result = fake("run", "-q", QUERY)
    assert (result.exit_code, result.stderr, result.stdout) == (code, told, "")
    assert FakeEngine.calls[-1] == ("close",)


def test_a_defect_is_one_sentence_and_a_traceback_on_request(fake):
    FakeEngine.fails_with = ZeroDivisionError("division by zero")
    result = fake("run", "-q", QUERY)
    assert result.exit_code == 70
    assert "error: a defect of streamql: ZeroDivisionError: division by zero" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in fake("run", "-q", QUERY, env={"STREAMQL_DEBUG": "1"}).stderr


def test_functions_lists_and_shows():
    listed = CliRunner().invoke(main, ["functions"]).stdout
    for expected in ("LEFT(nvarchar(max), bigint)", "DATEADD(UNIT, bigint, datetime)", "array"):
        assert expected in listed
    shown = CliRunner().invoke(main, ["functions", "left"]).stdout
    assert shown.startswith("LEFT(nvarchar(max), bigint)\n\n")
    assert "sql> LEFT(" in shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_for_terminals_without_rows(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert progress_module.wanted(quiet=False, rows_on_stdout=True)
    assert not progress_module.wanted(quiet=True, rows_on_stdout=False)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert progress_module.wanted(quiet=False, rows_on_stdout=False)
    assert not progress_module.wanted(quiet=False, rows_on_stdout=True)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not progress_module.wanted(quiet=False, rows_on_stdout=False)


def test_progress_begins_after_a_second(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress_module.Progress() as tell:
        tell(types.SimpleNamespace(events=10, rows=1, seconds=0.5))
        assert sys.stderr.getvalue() == ""
        tell(types.SimpleNamespace(events=3000, rows=20, seconds=2.0))
    assert "3,000 events, 1,500 events/s, 20 rows, 2 s" in sys.stderr.getvalue()
