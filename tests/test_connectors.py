"""Files, standard input and URIs as inputs."""

import gzip
import json
import os
import threading

import pytest

from streamql.column import from_values
from streamql.connectors.catalog import open_sink, open_source
from streamql.connectors.console import ConsoleSource
from streamql.connectors.uri import parse_uri
from streamql.errors import InputError, OutputError, UsageError
from streamql.formats.catalog import Format
from streamql.formats.parquet import ParquetEncoder

LINES = b"".join(b'{"n":%d}\n' % n for n in range(1, 6))


def drain(reader):
    """Return (values of n, event numbers, bad events) of a reader, which is closed."""
    values, events, bad = [], [], []
    while (blocks := reader.read()) is not None:
        for block in blocks:
            values += block.rows.field(("n",)).to_pylist()
            events += block.events.tolist()
            bad += block.bad
    reader.close()
    return values, events, bad


def parquet(values):
    encoder = ParquetEncoder()
    return encoder.columns(["n"], [from_values(values)]) + encoder.end()


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "query", "values"),
    [
        ("a.jsonl", LINES, "", [1, 2, 3, 4, 5]),
        ("a.json", b'[{"n":1},\n {"n":2}]', "", [1, 2]),
        ("a.jsonl.gz", gzip.compress(LINES, mtime=0), "", [1, 2, 3, 4, 5]),
        ("a.log", gzip.compress(LINES, mtime=0), "", [1, 2, 3, 4, 5]),
        ("a.csv", b"n,m\n1,x\n,y\n", "", ["1", None]),
        ("a.csv.gz", gzip.compress(b"n\n1\n", mtime=0), "", ["1"]),
        ("a.tsv", b"m\tn\n1\t2\n", "", ["2"]),
        ("a.txt", b"m;n\n1;2\n", "?format=csv&delimiter=;", ["2"]),
        ("a.txt", b"m|n\n1|2\n", "?format=csv&delimiter=%7C", ["2"]),
        ("a.parquet", parquet([1, 2]), "", [1, 2]),
        ("a b?.jsonl", LINES, "", [1, 2, 3, 4, 5]),
        ("empty.jsonl", b"", "", []),
        ("empty.csv", b"", "", []),
        ("header.csv", b"n,m\n", "", []),
        ("empty.jsonl.gz", b"", "", []),
    ],
)
def test_a_file_is_read(tmp_path, name, data, query, values):
    path = tmp_path / name
    path.write_bytes(data)
    found = drain(open_source(f"{path}{query}").open())
    assert found == (values, list(range(1, len(values) + 1)), [])


def test_a_file_uri_is_decoded(tmp_path):
    (tmp_path / "a b.jsonl").write_bytes(LINES)
    uri = (tmp_path / "a b.jsonl").as_uri()
    assert "%20" in uri
    assert drain(open_source(uri + "?format=json").open())[0] == [1, 2, 3, 4, 5]


@pytest.fixture
def parts(tmp_path):
    """A directory of three files of several formats, a bad event in the second, and clutter."""
    (tmp_path / "sub").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "a.jsonl").write_bytes(b'{"n":1}\n{"n":2}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"n":3}\nno json\n{"n":5}\n')
    (tmp_path / "sub" / "c.jsonl.gz").write_bytes(gzip.compress(b'{"n":6}\n'))
    (tmp_path / ".hidden" / "x.jsonl").write_bytes(LINES)
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / ".crc").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize("pattern", ["", "**/*.json*"])
def test_several_files_are_one_input(parts, pattern):
    values, events, bad = drain(open_source(os.path.join(parts, pattern)).open())
    assert values == [1, 2, 3, 5, 6]
    assert events == [1, 2, 3, 5, 6]
    assert [(b.event, b.line) for b in bad] == [(4, 2)]
    assert bad[0].reason.endswith(f"(in {parts / 'b.jsonl'})")


def test_reading_resumes_at_every_position(parts):
    source = open_source(str(parts))
    reader = source.open()
    positions = [reader.position()]
    counts = [0]
    while (blocks := reader.read()) is not None:
        counts.append(counts[-1] + sum(len(b) for b in blocks))
        positions.append(reader.position())
    positions.append(reader.position())
    counts.append(counts[-1])
    assert len(positions) > 4
    for position, count in zip(positions, counts, strict=True):
        assert json.loads(json.dumps(position)) == position
        rest = drain(source.open(position=position))
        assert rest[:2] == ([1, 2, 3, 5, 6][count:], [1, 2, 3, 5, 6][count:])


def test_a_position_in_the_middle_of_a_file_skips_its_events(parts):
    position = {"file": str(parts / "b.jsonl"), "before": 2, "events": 3}
    values, events, bad = drain(open_source(str(parts)).open(position=position))
    assert (values, events, [b.event for b in bad]) == ([5, 6], [5, 6], [4])
    with pytest.raises(InputError, match="is no longer there"):
        open_source(str(parts)).open(position={"file": "gone", "before": 0, "events": 0})


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("b.json", "there is no file", "did you mean"),
        ("zzz", "there is no file", "a.jsonl"),
        ("*.csv", "no file matches", "a.jsonl"),
        ("nowhere/a.jsonl", "there is no file", "there is no directory"),
        (".hidden/sub", "there is no file", "x.jsonl"),
        ("a.jsonl?fromat=csv", "no option 'fromat'", "did you mean format?"),
        ("a.jsonl?format=csv&format=json", "given twice", ""),
    ],
)
def test_what_is_missing_is_refused_at_once(parts, name, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        open_source(str(parts / name))
    assert hint in (caught.value.hint or "")


def test_a_directory_without_files_is_refused(tmp_path):
    (tmp_path / ".hidden").write_bytes(LINES)
    with pytest.raises(UsageError, match="has no files"):
        open_source(str(tmp_path))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINES)
    source = open_source(str(path))
    path.unlink()
    with pytest.raises(InputError, match=r"cannot read .*a.jsonl: no such file"):
        source.open().read()


def test_events_before_a_truncation_are_delivered(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    lines = b"".join(
        b'{"n":%d,"x":"%s"}\n' % (n, os.urandom(20).hex().encode()) for n in range(3000)
    )
    path.write_bytes(gzip.compress(lines, mtime=0)[:-3000])
    reader = open_source(str(path)).open()
    found = []

    def read():
        while (blocks := reader.read()) is not None:
            found.extend(v for b in blocks for v in b.rows.field(("n",)).to_pylist())
            assert not [b.bad for b in blocks if b.bad]

    with pytest.raises(InputError, match="end too early") as caught:
        read()
    reader.close()
    assert 1000 < len(found) < 3000
    assert found == list(range(len(found)))
    assert f"({len(found):,} events before that are fine)" in caught.value.message
    assert str(path) in caught.value.message


def test_damaged_parquet_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(parquet(list(range(100)))[:-9])
    reader = open_source(str(path)).open()
    with pytest.raises(InputError, match=r"a\.parquet: the parquet file cannot be read"):
        reader.read()
    reader.close()


# -- standard input -----------------------------------------------------------------------------


def test_a_pipe_gives_its_events_at_once():
    read_end, write_end = os.pipe()
    reader = ConsoleSource(Format(), read_end).open()
    for n in range(3):
        os.write(write_end, b'{"n":%d}\n' % n)
        values: list[int] = []
        while not values:
            values = [v for b in reader.read() for v in b.rows.field(("n",)).to_pylist()]
        assert values == [n]
    os.close(write_end)
    assert drain(reader)[0] == []
    os.close(read_end)


@pytest.mark.parametrize(
    ("data", "layout"),
    [
        (LINES, Format()),
        (gzip.compress(LINES, mtime=0), Format()),
        (parquet([1, 2, 3, 4, 5]), Format("parquet")),
    ],
)
def test_a_pipe_of_any_format(data, layout):
    read_end, write_end = os.pipe()

    def write():
        os.write(write_end, data)
        os.close(write_end)

    threading.Thread(target=write).start()
    position = {"events": 2}
    found = drain(ConsoleSource(layout, read_end).open(position=position))
    assert found[:2] == ([3, 4, 5], [3, 4, 5])
    os.close(read_end)


def test_a_named_pipe_is_a_file(tmp_path):
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: path.write_bytes(LINES))
    thread.start()
    assert drain(open_source(str(path)).open())[0] == [1, 2, 3, 4, 5]
    thread.join()


# -- URIs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "scheme", "path", "options"),
    [
        ("-", "console", "-", {}),
        ("-?format=csv", "console", "-", {"format": "csv"}),
        ("a/b.csv", "file", "a/b.csv", {}),
        (
            "a%20b.csv?delimiter=%3B&header=false",
            "file",
            "a%20b.csv",
            {"delimiter": ";", "header": "false"},
        ),
        ("part-?.jsonl", "file", "part-?.jsonl", {}),
        ("part-?.txt?format=json", "file", "part-?.txt", {"format": "json"}),
        ("file:///a%20b", "file", "/a b", {}),
        ("file://localhost/a", "file", "/a", {}),
        ("C:/data/x.jsonl", "file", "C:/data/x.jsonl", {}),
        ("KAFKA://host:9092/topic?group=g", "kafka", "host:9092/topic", {"group": "g"}),
    ],
)
def test_uris(text, scheme, path, options):
    uri = parse_uri(text)
    assert (uri.scheme, uri.path, dict(uri.options)) == (scheme, path, options)


@pytest.mark.parametrize("text", ["", " ", "file://host/a"])
def test_uris_that_mean_nothing(text):
    with pytest.raises(UsageError):
        parse_uri(text)


@pytest.mark.parametrize("open_", [open_source, open_sink])
def test_unknown_schemes_are_named_with_the_known_ones(open_):
    with pytest.raises(UsageError, match="no connector for kafka://") as caught:
        open_("kafka://x/y")
    assert "file://" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        open_("fiel:///y")
    assert caught.value.hint == "did you mean file?"


def test_packing_that_cannot_be_written_leaves_the_file_alone(tmp_path):
    path = tmp_path / "a.jsonl.zz"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="cannot be packed as deflate"):
        open_sink(str(path))
    assert path.read_bytes() == b"old"
