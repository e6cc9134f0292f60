"""Files that grow, are rotated, cut off or replaced, and directories that files come into."""

from __future__ import annotations

import gzip
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from following import FOLLOWERS, Follower, append

from streamql.connectors.follow import FollowedFiles
from streamql.connectors.following import Following
from streamql.errors import InputError, UsageError
from streamql.formats.catalog import Format


@pytest.fixture(autouse=True)
def _closed():
    yield
    while FOLLOWERS:
        FOLLOWERS.pop().close()


def lines(*numbers):
    return "".join(f'{{"n":{n}}}\n' for n in numbers)


def values(found):
    return [
        [value["n"] if isinstance(value, dict) else value for _, value in look] for look in found
    ]


def test_a_file_gives_what_it_grows_by_with_numbers_that_go_on(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1, 2))
    found = Follower(file).looks(
        [lambda: append(file, lines(3)), lambda: None, lambda: append(file, lines(4, 5))]
    )
    assert values(found) == [[1, 2], [3], [], [4, 5]]
    assert [number for look in found for number, _ in look] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_half_written_line_waits_for_its_end(tmp_path, cut):
    file = tmp_path / "a.jsonl"
    text = lines(1, 22).encode()
    file.write_bytes(text[:cut])
    found = Follower(file).looks([lambda: append(file, text[cut:])])
    assert [n for look in values(found) for n in look] == [1, 22]
    assert len(found[0]) == text[:cut].count(b"\n")


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_half_written_csv_record_waits_for_its_end(tmp_path, cut):
    file = tmp_path / "a.csv"
    text = b'n,t\r\n1,"a\nb"\r\n2,c\r\n3,d\r\n'
    file.write_bytes(text[:cut])
    follower = Follower(file)
    before = follower.look()
    follower.restart()
    append(file, text[cut:])
    assert [v for _, v in before + follower.look()] == [
        {"n": "1", "t": "a\nb"},
        {"n": "2", "t": "c"},
        {"n": "3", "t": "d"},
    ]


def test_a_last_line_without_an_end_is_taken_after_a_while(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"n":1}\n{"n":2}')
    found = Follower(file, quiet=1.5).looks(
        [lambda: None] * 5 + [lambda: append(file, "\n" + lines(3))]
    )
    assert values(found) == [[1], [], [], [2], [], [], [3]]


def test_a_rotated_file_is_read_to_its_end_before_the_new_one(tmp_path):
    file, old = tmp_path / "a.jsonl", tmp_path / "a.jsonl.1"
    file.write_text(lines(1))

    def rotate():
        append(file, lines(2))
        file.rename(old)
        file.write_text(lines(10))

    follower = Follower(file)
    found = follower.looks(
        [
            rotate,
            lambda: append(old, lines(3) + '{"n":4}'),
            lambda: None,
            lambda: append(file, lines(11)),
        ]
    )
    assert values(found) == [[1], [2], [3], [4], [10, 11]]
    assert follower.warnings == []


def test_a_rotated_file_that_the_pattern_meets_is_not_read_again(tmp_path):
    file = tmp_path / "a.log"
    file.write_text(lines(1))

    def rotate():
        file.rename(tmp_path / "a.log.1")
        file.write_text(lines(2))

    found = Follower(f"{tmp_path}/a.log*").looks(
        [rotate, lambda: append(tmp_path / "a.log.1", lines(3))]
    )
    assert values(found) == [[1], [2], [3]]


def test_a_file_rotated_while_nobody_reads_is_found_beside_the_new_one(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1))
    follower = Follower(file)
    follower.look()
    append(file, lines(2))
    file.rename(tmp_path / "a.jsonl.1")
    file.write_text(lines(10))
    follower.restart()
    assert values([follower.look()]) == [[2, 10]]


def test_a_file_that_got_shorter_is_read_from_its_start_with_a_warning(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1, 2, 3))
    follower = Follower(file)
    found = follower.looks([lambda: file.write_text(lines(7))])
    assert values(found) == [[1, 2, 3], [7]]
    assert [n for n, _ in found[1]] == [4]
    assert follower.warnings == [
        f"{file} got shorter (24 bytes were read, 8 are there): read from its start"
    ]


def test_a_file_overwritten_in_place_is_noticed_by_its_first_bytes(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1))
    follower = Follower(file)
    found = follower.looks(
        [lambda: file.write_text(lines(5, 6)), lambda: file.write_text(lines(8, 9))]
    )
    assert values(found) == [[1], [5, 6], [8, 9]]
    assert (
        follower.warnings == [f"{file} holds something else than before: read from its start"] * 2
    )


def test_a_file_replaced_by_a_shorter_one_while_nobody_reads_is_noticed(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1, 2, 3))
    follower = Follower(file)
    follower.look()
    file.unlink()
    file.write_text(lines(7))
    follower.restart()
    assert values([follower.look()]) == [[7]]
    assert "another file than before, or shorter" in follower.warnings[0]


def test_a_file_that_was_copied_back_is_the_same_file(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(lines(1, 2))
    follower = Follower(file)
    follower.look()
    shutil.copy(file, tmp_path / "copy")
    os.replace(tmp_path / "copy", file)
    append(file, lines(3))
    follower.restart()
    assert values([follower.look()]) == [[3]]
    assert follower.warnings == []


def test_files_come_in_the_order_of_names_within_a_look_and_later_ones_after(tmp_path):
    (tmp_path / "b.jsonl").write_text(lines(2))
    (tmp_path / "a.jsonl").write_text(lines(1))
    (tmp_path / "_hidden").write_text(lines(0))

    def more():
        (tmp_path / "0.jsonl").write_text(lines(3))
        append(tmp_path / "b.jsonl", lines(4))

    assert values(Follower(tmp_path).looks([more])) == [[1, 2], [3, 4]]


def test_a_directory_that_is_deleted_and_comes_back(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text(lines(1))

    def back():
        folder.mkdir()
        (folder / "b.jsonl").write_text(lines(2))

    follower = Follower(folder)
    assert values(
        follower.looks([lambda: shutil.rmtree(folder), lambda: None, lambda: None, back])
    ) == [[1], [], [], [], [2]]


def test_what_is_not_there_yet_is_waited_for(tmp_path):
    file = tmp_path / "a.jsonl"
    follower = Follower(file)
    assert values(follower.looks([lambda: None, lambda: file.write_text(lines(1))])) == [
        [],
        [],
        [1],
    ]
    assert follower.warnings == [f"there is nothing at {file} yet; waiting"]


def test_a_directory_nobody_made_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no directory"):
        FollowedFiles(f"{tmp_path}/x/y.jsonl", Format(), Following())


def test_a_gzip_file_is_read_as_it_comes_and_again_after_a_restart(tmp_path):
    packed = gzip.compress(lines(*range(1, 200)).encode(), 1)
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(packed[:100])
    follower = Follower(file)
    first = follower.look()
    follower.restart()
    append(file, packed[100:])
    second = follower.look()
    assert [n for look in values([first, second]) for n in look] == list(range(1, 200))
    follower.restart()
    append(file, gzip.compress(lines(500).encode()))
    assert values([follower.look()]) == [[500]]


def test_a_parquet_file_is_read_when_its_end_is_there(tmp_path):
    whole = tmp_path / "whole"
    pq.write_table(pa.table({"n": [1, 2, 3]}), whole)
    data = whole.read_bytes()
    file = tmp_path / "a.parquet"
    file.write_bytes(data[:50])
    follower = Follower(file)
    found = follower.looks([lambda: append(file, data[50:]), lambda: None])
    assert values(found) == [[], [1, 2, 3], []]
    follower.restart()
    assert follower.look() == []


def test_a_damaged_file_does_not_stop_the_others(tmp_path):
    packed = bytearray(gzip.compress(lines(*range(1000)).encode()))
    packed[len(packed) // 2] ^= 255
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    (tmp_path / "b.jsonl").write_text(lines(-1))
    follower = Follower(tmp_path)
    assert values([follower.look()])[0][-1] == -1
    assert "these are no gzip data" in follower.warnings[0]
    assert follower.warnings[0].endswith("the rest of it is left out")
    follower.restart()
    append(tmp_path / "b.jsonl", lines(-2))
    assert values([follower.look()]) == [[-2]]


def test_a_damaged_file_stops_a_job_that_is_to_fail(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"x")[:-1] + b"\xff")
    with pytest.raises(InputError, match="damaged"):
        Follower(tmp_path, strict=True).look()


def test_a_file_that_cannot_be_named_a_format_is_left_out_with_a_warning(tmp_path):
    (tmp_path / "a.parquet.gz").write_bytes(b"")
    with pytest.raises(UsageError, match="packed as a whole"):
        Follower(tmp_path)
    (tmp_path / "a.parquet.gz").unlink()
    follower = Follower(tmp_path)
    follower.looks([lambda: (tmp_path / "a.parquet.gz").write_bytes(b"")] * 2)
    assert [w for w in follower.warnings if "left out" in w] == [
        f"{tmp_path}/a.parquet.gz: a parquet file packed as a whole; left out"
    ]


def test_more_files_than_are_kept_open(tmp_path):
    files = [tmp_path / f"{n:03}.jsonl" for n in range(150)]
    for n, file in enumerate(files):
        file.write_text(lines(n))

    def grow():
        for n, file in enumerate(files):
            append(file, lines(1000 + n))

    assert values(Follower(tmp_path).looks([grow])) == [list(range(150)), list(range(1000, 1150))]
    if os.path.isdir("/proc/self/fd"):
        held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        assert sum(path.startswith(f"{tmp_path}/") for path in held) < 120


def test_a_byte_order_mark_and_carriage_returns(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"n":1}\r\n{"n"')
    follower = Follower(file)
    assert values([follower.look()]) == [[1]]
    follower.restart()
    append(file, ':2}\r\n{"n":"\\u0000"}\r\n\x00\r\n')
    assert values([follower.look()])[0][:2] == [2, "\0"]


def test_the_position_fits_into_json(tmp_path):
    (tmp_path / "a.csv").write_text("n\n1\n2\n")
    (tmp_path / "b.jsonl").write_text(lines(1))
    follower = Follower(tmp_path)
    follower.look()
    follower.position = json.loads(json.dumps(follower.position))
    follower.restart()
    append(tmp_path / "a.csv", "3\n")
    assert follower.look() == [(4, {"n": "3"})]
