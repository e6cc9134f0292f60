"""The command line: how flags reach the engine, what is written where, and exit codes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
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
    def sentences(self):
        return ["3 events, 3 rows to out, 0.00 s"]


class FakeJob:
    plan = types.SimpleNamespace(outputs=("out",))

    def run(self, on_progress=None):
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


# -- real processes ---------------------------------------------------------------------------


def streamql(*arguments, **named):
    command = [sys.executable, "-m", "streamql", *arguments]
    root = str(Path(__file__).parents[1])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("STREAMQL_")}
    environment["PYTHONPATH"] = root
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, **named
    )


def test_a_job_writes_rows_to_standard_output_and_the_rest_to_standard_error(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1,"b":"x"}\n{"a":\n{"a":2.5}\n')
    done = streamql("run", "-q", "SELECT b, a INTO o FROM input", "-i", "e.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["a"] for row in rows] == [1, 2.5]
    assert done.stderr.startswith("3 events, 2 rows to o, ")
    assert "1 of 3 events of input malformed, skipped; the first: event 2" in done.stderr


def test_input_errors_can_be_fatal(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n{"a":\n')
    arguments = ["run", "-q", "SELECT a FROM input", "-i", "e.jsonl"]
    done = streamql(*arguments, "--set", "input_errors=fail", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")


def test_standard_input_and_an_output_folder(tmp_path):
    query = "SELECT a INTO x FROM i SELECT a + 1 AS b INTO y FROM i"
    arguments = ["run", "-q", query, "--input", "i=-", "--output-dir", "out"]
    done = streamql(*arguments, cwd=tmp_path, input='{"a":1}\n')
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "out" / "x.jsonl").read_text() == '{"a":1}\n'
    assert (tmp_path / "out" / "y.jsonl").read_text() == '{"b":2}\n'


def test_a_missing_input_and_a_syntax_error(tmp_path):
    done = streamql("run", "-q", "SELECT a FROM input", "-i", "none.jsonl", cwd=tmp_path)
    assert done.returncode in (2, 3)
    assert "none.jsonl" in done.stderr
    done = streamql("run", "-q", "SELECT a FORM input", "-i", "none.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "line 1, column" in done.stderr


def test_a_closed_pipe_ends_quietly(tmp_path):
    with (tmp_path / "e.jsonl").open("w") as file:
        file.writelines(f'{{"a":{i},"pad":"{"x" * 100}"}}\n' for i in range(20_000))
    command = f"{sys.executable} -m streamql run -q 'SELECT * FROM input' -i e.jsonl --quiet"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["a"] == 0


def test_an_interrupt_exits_with_130(tmp_path):
    command = [sys.executable, "-m", "streamql", "run", "-q", "SELECT a FROM input", "-i", "-"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        try:
            process.stdin.write(b'{"a":1}\n')
            process.stdin.flush()
            assert process.stdout.readline() == b'{"a":1}\n'  # it runs, and waits for more
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == b"interrupted\n"  # standard input is still open
            assert process.wait(timeout=30) == 130
        finally:
            process.kill()


def test_version_loads_nothing_heavy():
    heavy = "pyarrow", "numpy", "lark", "httpx", "rich", "jsonschema", "py_mini_racer", "orjson"
    code = (
        "import sys; from streamql.cli import main; main(['--version'], standalone_mode=False); "
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    first, second = done.stdout.splitlines()
    assert first.startswith("streamql ")
    assert second == "[]"


def test_a_run_does_not_load_what_it_does_not_need(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"a":1}\n')
    code = (
        "import sys; from streamql.cli import main; "
        "main(['run', '-q', 'SELECT a FROM input', '-i', 'e.jsonl'], standalone_mode=False); "
        "print([m for m in ('pandas', 'httpx', 'rich', 'py_mini_racer') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert sorted(done.stdout.splitlines()) == ["[]", '{"a":1}'], done.stderr


def test_importing_streamql_is_light_and_complete():
    import streamql

    assert {"Engine", "StreamqlError", "__version__"} <= set(dir(streamql))
    for name in streamql.__all__:
        assert getattr(streamql, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'engin_'"):
        _ = streamql.engin_
