"""`streamql repl`: entries from a pipe, and a terminal with somebody typing."""

import json
import os
import sys

import pexpect
import pytest
from click.testing import CliRunner

from streamql.cli import main
from streamql.cli.repl.completion import QueryCompleter
from streamql.cli.repl.prompt import coloured
from streamql.cli.repl.session import Session, ends
from streamql.cli.repl.table import Table, cut, fitted
from streamql.engine import Engine

RIDES = [
    {"id": 1, "city": "Bern", "fare": 7.5, "tags": ["a", "b"]},
    {"id": 2, "city": "Zürich 日本", "fare": None, "tags": []},
    {"id": 3, "city": "line\nbreak", "extra": {"x": True}},
]


@pytest.fixture
def rides(tmp_path):
    path = tmp_path / "rides.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in RIDES))
    return path


def piped(text, *flags, columns=100):
    runner = CliRunner(env={"COLUMNS": str(columns)})
    return runner.invoke(main, ["repl", *flags], input=text)


# -- a pipe -------------------------------------------------------------------------------------


def test_a_query_gives_a_table(rides):
    found = piped("SELECT id, city, fare FROM rides;\n", "-i", f"rides={rides}")
    assert found.exit_code == 0, found.output
    lines = found.stdout.split("\n")
    assert lines[:5] == [
        "id  city         fare",
        "--  -----------  ----",
        " 1  Bern          7.5",
        " 2  Zürich 日本  NULL",
        " 3  line\\nbreak  NULL",
    ]
    assert lines[5].startswith("(3 rows, ")


def test_narrow_terminals_get_a_field_a_line(rides):
    columns = ", ".join(f"id AS a_long_name_{n}" for n in range(6))
    query = f"SELECT {columns} FROM rides WHERE id = 1;"
    found = piped(query, "-i", f"rides={rides}", columns=30)
    assert found.stdout.startswith("a_long_name_0  1\na_long_name_1  1\n")


def test_an_error_shows_the_place_and_ends_a_pipe(rides):
    found = piped("SELECT id,\n  cityy + FROM rides;\nSELECT 1;", "-i", f"rides={rides}")
    assert found.exit_code == 2
    assert "line 2, column 11" in found.stderr
    assert "^" in found.stderr
    assert found.stdout == ""


def test_an_unknown_input_says_how_to_add_it(rides):
    found = piped("SELECT * FROM trips;", "-i", f"rides={rides}")
    assert found.exit_code == 2
    assert "hint: .input trips=PATH adds the input trips" in found.stderr


def test_commands_change_what_queries_see(rides, tmp_path):
    source = tmp_path / "twice.js"
    source.write_text("function twice(n) { return 2 * n; }")
    text = f""".input rides={rides}
.function twice={source}
.time off
.limit 2
.tables
SELECT udf.twice(id) AS n
FROM rides;
"""
    found = piped(text)
    assert found.exit_code == 0, found.output
    assert f"rides  stream     {rides}" in found.stdout
    assert "udf.twice" in found.stdout
    assert found.stdout.endswith("n\n-\n2\n4\n(the first 2 rows; .limit N shows more)\n")


def test_schema_tells_fields_and_types(rides):
    found = piped(".schema\n", "-i", f"rides={rides}")
    assert found.stdout.split("\n")[:5] == [
        "id     bigint",
        "city   nvarchar(max)",
        "fare   float",
        "tags   array",
        "extra  record",
    ]


def test_a_declared_table_holds_for_the_session(rides):
    text = "CREATE TABLE rides (id bigint, fare float);\nSELECT * FROM rides;\nSELECT fairy FROM rides;"
    found = piped(text, "-i", f"rides={rides}")
    assert "rides is declared" in found.stdout
    assert "CREATE TABLE declares id, fare" in found.stderr or "did you mean fare?" in found.stderr
    assert found.exit_code == 2


def test_save_writes_the_query_or_its_rows(rides, tmp_path):
    query, rows = tmp_path / "q.sql", tmp_path / "rows.csv"
    text = f"SELECT id FROM rides WHERE id > 1;\n.save {query}\n.save {rows}\n"
    found = piped(text, "-i", f"rides={rides}")
    assert found.exit_code == 0, found.output
    assert query.read_text() == "SELECT id FROM rides WHERE id > 1;\n"
    assert rows.read_text().split() == ["id", "2", "3"]


def test_the_query_of_a_file_is_run_first(rides, tmp_path):
    query = tmp_path / "q.sql"
    query.write_text("SELECT id INTO big FROM rides WHERE id > 2; SELECT id INTO all FROM rides")
    found = piped(".quit\nnever read", str(query), "-i", str(rides))
    assert found.exit_code == 0, found.output
    assert "big:\nid\n--\n 3\n" in found.stdout
    assert "(big: 1 row, all: 3 rows, " in found.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (".limit 1", "1 row of each output is shown"),
        (".limit 2", "2 rows of each output are shown"),
        ("help", "A query ends with a semicolon"),
        ("Help();", ".quit                   leave"),
    ],
)
def test_commands_say_what_they_did(command, said):
    found = piped(command)
    assert found.exit_code == 0
    assert said in found.stdout


@pytest.mark.parametrize("word", ["exit", "quit;", "EXIT ;", "quit()", ".quit"])
def test_what_people_type_to_leave_leaves(rides, word):
    found = piped(f"{word}\nnever read;", "-i", str(rides))
    assert (found.exit_code, found.output) == (0, "")


def test_a_pipe_is_text(rides):
    assert piped(b"\xef\xbb\xbfSELECT id FROM input;\r\n", "-i", str(rides)).exit_code == 0
    found = piped(b".time off\n'\xff';", "-i", str(rides))
    assert "error: line 2 of standard input is not UTF-8 text (byte 2)" in found.output
    assert found.exit_code == 2


def test_names_of_wide_letters_stand_in_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"größe":1,"日本":2}\n')
    found = piped(".schema", "-i", str(tmp_path / "a.jsonl"))
    assert found.output.splitlines()[:2] == ["größe  bigint", "日本   bigint"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (".tabels", "did you mean .tables?"),
        (".input", ".input needs NAME=URI, found nothing"),
        (".input nowhere.jsonl", ".input needs NAME=URI, found nowhere.jsonl"),
        (".input a=nowhere.jsonl", "there is no file nowhere.jsonl"),
        (".limit some", ".limit takes a number of rows or all, found 'some'"),
        (".save", ".save needs a file"),
        (".save x.sql", "no query has been run yet"),
        (".schema", "which input?"),
        (".schema riides", "no input riides"),
        (".function f=nothing.js", "nothing.js"),
        (".time maybe", ".time takes on or off, found 'maybe'"),
    ],
)
def test_commands_that_do_not_fit_say_why(command, said):
    found = piped(command)
    assert found.exit_code == 2
    assert said in found.stderr


def test_explain_shows_the_steps_of_the_last_query_or_of_another(rides):
    text = "SELECT id FROM rides WHERE fare > 3;\n.explain\n.explain SELECT idd FROM FROM rides"
    found = piped(text, "-i", f"rides={rides}")
    assert "fare > 3" in found.stdout
    assert found.exit_code == 2
    assert "SELECT idd FROM FROM rides" in found.stderr


def test_malformed_events_are_told(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": \n{"a": 2}\n')
    found = piped("SELECT a FROM input;", "-i", str(path))
    assert "1 of 3 events of input malformed, skipped" in found.stderr


# -- what is typed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True),
        (".help", True),
        ("SELECT 1", False),
        ("SELECT 1;", True),
        ("SELECT ';", False),
        ("SELECT ';'", False),
        ("SELECT ';';  ", True),
        ("SELECT 1; -- done", True),
        ("SELECT 1 -- ;", False),
        ("SELECT /* ; ", False),
        ("SELECT [a;", True),
    ],
)
def test_an_entry_ends_with_its_semicolon(text, whole):
    assert ends(text) is whole


def completions(text, rides):
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    with Engine() as engine:
        engine.register_uri("rides", str(rides))
        engine.register_uri("odd name", str(rides))
        engine.javascript("twice", "function twice(n) { return 2 * n; }")
        completer = QueryCompleter(Session(engine, None))
        return [c.text for c in completer.get_completions(Document(text), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("SELECT ci", "city"),
        ("sel", "select"),
        ("SEL", "SELECT"),
        ("SELECT * FROM ", "rides"),
        ("SELECT * FROM ", "[odd name]"),
        ("SELECT udf.", "udf.twice("),
        ("SELECT CONC", "CONCAT("),
        (".sch", ".schema"),
        (".schema r", "rides"),
    ],
)
def test_tab_offers(text, offered, rides):
    assert offered in completions(text, rides)


def test_a_line_keeps_its_text_when_coloured():
    for line in ("SELECT 'it''s' -- x", "select [a b] FROM x WHERE n > 1.5e3", ".help", "'open"):
        assert "".join(text for _, text, *_ in coloured(line)) == line
    assert ("class:keyword", "SELECT") in coloured("SELECT a")


@pytest.mark.parametrize(
    ("wanted", "room", "widths"),
    [
        ([3, 5], 20, [3, 5]),
        ([30, 30], 20, [10, 10]),
        ([3, 30], 20, [3, 17]),
        ([30, 20, 4], 40, [18, 18, 4]),
        ([30, 30, 30], 10, None),
    ],
)
def test_widths_are_taken_from_the_widest(wanted, room, widths):
    found = fitted(wanted, room)
    assert found == widths


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_a_table_is_never_wider_than_the_terminal(width):
    rows = [
        {"n": n, "text": "日本" * n, "more": "x" * (3 * n), "last": {"a": [n] * n}}
        for n in range(30)
    ]
    from rich.cells import cell_len

    table = Table(rows, width)
    for line in [*table.head().split("\n"), *table.lines(rows)]:
        assert all(cell_len(part) <= width for part in line.split("\n"))
    assert cut("日本語", 4) == "日…"


# -- a terminal ---------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path, rides):
    environment = {
        **os.environ,
        "TERM": "xterm",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    code = "import sys; sys.argv[0] = 'streamql'; from streamql.cli import main; main()"
    child = pexpect.spawn(
        sys.executable,
        ["-c", code, "repl", "-i", f"rides={rides}"],
        env=environment,
        encoding="utf-8",
        timeout=60,
        dimensions=(30, 90),
    )
    child.expect("streamql>")
    yield child
    child.close(force=True)


def test_a_person_types_queries_over_several_lines(terminal):
    terminal.send("SELECT city\r")
    terminal.send("FROM rides WHERE id = 1;\r")
    terminal.expect("Bern")
    terminal.expect(r"1 row, ")
    terminal.send("SELECT nothing FROM nowhere;\r")
    terminal.expect("unknown input nowhere")
    terminal.expect("streamql>")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    terminal.wait()
    assert terminal.exitstatus == 0


def test_ctrl_c_ends_an_endless_query_and_not_the_session(terminal, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # open for reading too, so that neither side waits for the other
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        terminal.send(f".input live={pipe}\r")
        terminal.expect("live reads")
        os.write(descriptor, b'{"seen": "first event"}\n')
        terminal.send("SELECT seen FROM live;\r")
        terminal.expect("first event")
        os.write(descriptor, b'{"seen": "second event"}\n')
        terminal.expect("second event")
        terminal.sendintr()
        terminal.expect("interrupted")
        terminal.expect("streamql>")
        terminal.send("SELECT city FROM rides WHERE id = 1;\r")
        terminal.expect("Bern")
    finally:
        os.close(descriptor)
