"""What is said of files that are not there, of mistakes on the command line, and of long lines."""

import pytest
from click.testing import CliRunner

from streamql.cli import main
from streamql.errors import BindError, Span, render
from streamql.testing.bench import Bench


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "query.sql").write_text("SELECT udf.f(a) AS x FROM input")
    return tmp_path


def said(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["run", "qery.sql"], "cannot read the query qery.sql: no such file or directory",
         "did you mean query.sql?"),
        (["run", "query.sql", "--input", "row.jsonl"], "there is no file row.jsonl",
         "did you mean rows.jsonl?"),
        (["run", "query.sql", "--function", "f=f.js"], "udf.f: there is no file f.js",
         "the directory . has query.sql, rows.jsonl"),
        (["run", "query.sql", "--function", "f=f.py:f"], "udf.f: there is no file f.py", "has"),
        (["run", "query.sql", "--function", "f=f.py"], "udf.f: there is no file f.py", "has"),
        (["model", "probe", "f.onnx"], "there is no file f.onnx", "has"),
        (["model", "call", "f.onnx", "--row", "1"], "udf.score: there is no file f.onnx", "has"),
        (["model", "profile", "f.py", "--sample", "row.jsonl"], "there is no file row.jsonl",
         "did you mean rows.jsonl?"),
        (["functions", "test", "f", "--function", "f=f.js"], "udf.f: there is no file f.js", "has"),
        (["run", "query.sql", "--from-start"], "--from-start says what to do with checkpoints",
         "add --checkpoint DIR"),
        (["run", "query.sql", "--function", "f=f.rb"], "cannot make udf.f from f.rb",
         "a function is a .js file"),
        (["run", "--inputt", "x"], "no such option '--inputt'", "did you mean --input"),
        (["-x"], "no such option '-x'", "streamql --help tells"),
        (["run", "query.sql", "--input"], "option '--input' requires an argument",
         "streamql run --help tells"),
        (["model", "call", "x"], "missing option '--row'", "streamql model call --help tells"),
        (["explain", "--format", "png"], "invalid value for '--format': 'png' is not one of",
         "explain --help tells more"),
        (["functions", "test", "f", "--args", "[1"], "--args [1 is not JSON: expecting", "quoted"),
        (["model", "call", "f.py", "--row", "[1"], "udf.score: there is no file f.py", "has"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_form(folder, arguments, message, hint):
    code, text = said(*arguments)
    lines = text.replace("main ", "streamql ").splitlines()
    assert code == 2
    assert lines[0].startswith(f"error: {message}")
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert len(lines) == 2


def test_settings_of_a_function_that_is_not_there_name_the_nearest(folder):
    (folder / "score.js").write_text("function score(a) { return a; }")
    flags = ["--input", "rows.jsonl", "--function", "score=score.js", "--set", "scor.js_timeout=1s"]
    code, text = said("run", "-q", "SELECT udf.score(a) AS s FROM input", *flags)
    assert code == 2
    assert "error: scor.js_timeout is set, and there is no function scor" in text
    assert "hint: did you mean score?" in text


def test_a_settings_file_may_be_written_on_windows(folder):
    (folder / "streamql.toml").write_bytes(
        b"\xef\xbb\xbfbatch_rows = 5\r\ninput_errors = 'skip'\r\n"
    )
    assert said("run", "-q", "SELECT a FROM input", "--input", "rows.jsonl")[0] == 0


def test_data_that_are_not_packed_as_their_name_says(folder):
    (folder / "rows.jsonl.gz").write_text('{"a": 1}\n')
    code, text = said("run", "-q", "SELECT a FROM input", "--input", "rows.jsonl.gz")
    assert code == 3
    assert "rows.jsonl.gz: these are no gzip data: they begin with" in text
    uri = "rows.jsonl.gz?compression=none"
    assert said("run", "-q", "SELECT a FROM input", "--input", uri)[0] == 0


def test_the_line_in_an_entry_script_is_told(folder):
    text = "def init():\n    pass\n\ndef run(data):\n    raise KeyError('fare')\n"
    (folder / "f.py").write_text(text)
    flags = ["--input", "rows.jsonl", "--function", "f=f.py"]
    assert (
        "f.py failed in run() (f.py, line 5): KeyError: 'fare'"
        in said("run", "query.sql", *flags)[1]
    )


def test_a_model_that_is_none_is_told_with_its_call(folder):
    (folder / "f.onnx").write_text("nothing")
    code, text = said("run", "query.sql", "--input", "rows.jsonl", "--function", "f=f.onnx")
    assert code == 2
    assert "error: udf.f: f.onnx is no ONNX model: " in text
    assert "  | SELECT udf.f(a) AS x FROM input\n  |        ^^^^^^^^\n" in text


def test_an_event_of_a_fixture_is_numbered_in_its_input(folder):
    with Bench(folder) as bench:
        job = bench.job("SELECT CAST(a AS bigint) AS n FROM input")
        job.send("input", {"a": "1"})
        with pytest.raises(Exception, match="cannot cast 'x'") as caught:
            job.send("input", {"a": "x"})
    assert caught.value.event == 2


@pytest.mark.parametrize("width", [30, 40, 80])
def test_a_long_line_is_cut_around_its_place(width):
    text = "SELECT " + ", ".join(f"column{n}" for n in range(30)) + ", foo(a) AS z, b FROM x"
    at = text.index("foo(a)")
    lines = render(BindError("wrong", Span(at, at + 6)), text, width).split("\n")
    assert max(map(len, lines)) <= width
    start = lines[3].index("^")
    assert lines[2][start : start + 6] == "foo(a)"
    assert lines[1] == f"  line 1, column {at + 1}"
    assert text in render(BindError("wrong", Span(at, at + 6)), text)


def test_a_line_that_is_very_long_is_shown_around_the_place_in_a_pipe_as_well(folder):
    columns = ", ".join(f"a AS c{n}" for n in range(1000))
    (folder / "long.sql").write_text(f"SELECT {columns}, nope(a) AS x FROM input")
    code, text = said("run", "long.sql", "--input", "rows.jsonl")
    line, carets = text.splitlines()[2:4]
    assert code == 2
    assert line.startswith("  | …")
    assert len(line) < 250
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert line[start:end] in ("nope", "nope(a)")
