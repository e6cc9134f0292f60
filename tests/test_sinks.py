"""Files, standard output and memory as outputs."""

import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamql import Engine
from streamql.column import from_values
from streamql.connectors.catalog import open_sink
from streamql.connectors.console import ClosedPipe, ConsoleSink
from streamql.connectors.filesink import file_in_directory
from streamql.errors import OutputError
from streamql.formats.catalog import Format

NAMES = ["n", "t"]
COLUMNS = [from_values([1, 2]), from_values(["x", None])]
ROWS = [{"n": 1, "t": "x"}, {"n": 2, "t": None}, {"n": 1, "t": "x"}, {"n": 2, "t": None}, {"n": 9}]


def fill(sink):
    sink.write(NAMES, COLUMNS)
    sink.write(NAMES, [c.slice(0, 0) for c in COLUMNS])
    sink.flush()
    sink.write(NAMES, COLUMNS)
    sink.write_records(pa.array(['{"n":9}']))
    sink.close()
    assert sink.rows == 5


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.txt?format=lines"])
def test_json_lines(tmp_path, name):
    fill(open_sink(str(tmp_path / name)))
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    assert [json.loads(line) for line in data.splitlines()] == ROWS


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("a.json?format=array", lambda path: json.loads(path.read_bytes())),
        ("a.parquet", lambda path: pq.read_table(path).to_pylist()),
    ],
)
def test_other_formats(tmp_path, name, read):
    fill(open_sink(str(tmp_path / name)))
    (path,) = tmp_path.iterdir()
    assert [{"t": None} | row for row in read(path)] == [{"t": None} | row for row in ROWS]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", "n,t\n1,x\n2,\n1,x\n2,\n9,\n"),
        ("a.tsv", "n\tt\n1\tx\n2\t\n1\tx\n2\t\n9\t\n"),
        ("a.txt?format=csv&header=false&delimiter=;", "1;x\n2;\n1;x\n2;\n9;\n"),
    ],
)
def test_csv(tmp_path, name, expected):
    fill(open_sink(str(tmp_path / name)))
    (path,) = tmp_path.iterdir()
    assert path.read_text() == expected


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b""), ("a.json?format=array", b"[]\n"), ("a.csv", b"")],
)
def test_an_output_without_rows_is_a_whole_file(tmp_path, name, content):
    open_sink(str(tmp_path / name)).close()
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == content


def test_flushed_rows_can_be_seen(tmp_path):
    path = tmp_path / "a.jsonl"
    sink = open_sink(str(path))
    sink.write(NAMES, COLUMNS)
    assert len(path.read_bytes().splitlines()) == 2
    sink.close()


def test_an_output_directory_is_made(tmp_path):
    for output in ("alerts", "a/b", "..", ".x", "größe", "日本", "a.b", "50%", "a\u3000b"):
        fill(open_sink(file_in_directory(str(tmp_path / "new" / "out"), output)))
    names = sorted(p.name for p in (tmp_path / "new" / "out").iterdir())
    assert names == [
        *("%2E..jsonl", "%2Ex.jsonl", "50%25.jsonl", "a%2Fb.jsonl", "a%E3%80%80b.jsonl"),
        *("a.b.jsonl", "alerts.jsonl", "größe.jsonl", "日本.jsonl"),
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such/a.jsonl", "there is no directory"),
        (".", "it is a directory"),
        ("file/a.jsonl", "not a directory"),
    ],
)
def test_places_that_cannot_be_written(tmp_path, name, message):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=message) as caught:
        open_sink(os.path.join(tmp_path, name))
    assert str(tmp_path) in caught.value.message
    with pytest.raises(OutputError, match="cannot create"):
        file_in_directory(str(tmp_path / "file"), "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for the superuser")
def test_a_read_only_target(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"")
    path.chmod(0o400)
    with pytest.raises(OutputError, match="permission denied"):
        open_sink(str(path))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_says_where_and_how_much():
    sink = open_sink("/dev/full")
    with pytest.raises(OutputError, match=r"/dev/full: no space left on device; 0 rows") as caught:
        sink.write(NAMES, COLUMNS)
    assert "make room" in caught.value.hint
    sink.close()


def test_a_closed_pipe_has_its_own_error():
    read_end, write_end = os.pipe()
    sink = ConsoleSink(Format(), write_end)
    sink.write(NAMES, COLUMNS)
    os.close(read_end)
    with pytest.raises(ClosedPipe, match="after 2 rows"):
        sink.write(NAMES, COLUMNS)
    sink.close()
    os.close(write_end)


def test_standard_output_stays_open():
    read_end, write_end = os.pipe()
    fill(ConsoleSink(Format(), write_end))
    os.write(write_end, b"more\n")
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        lines = file.read().splitlines()
    assert [json.loads(line) for line in lines[:5]] == ROWS
    assert lines[5:] == [b"more"]


def test_an_output_directory_holds_all_outputs_whatever_they_are_called(tmp_path):
    with Engine() as engine:
        engine.register("i", [{"a": 1}])
        script = "SELECT a INTO [../up] FROM i; SELECT a INTO [x?format=csv] FROM i"
        engine.job(script, output_dir=str(tmp_path / "out")).run()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    found = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert found == {"%2E.%2Fup.jsonl": '{"a":1}\n', "x%3Fformat=csv.jsonl": '{"a":1}\n'}
