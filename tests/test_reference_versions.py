"""Which version of reference data is valid, and what happens when files change."""

import json
import os

import numpy as np
import pytest

import streamql
from streamql import instants
from streamql.batch import MAIN, Batch
from streamql.column import from_values
from streamql.connectors.versions import versions_of
from streamql.errors import DataError, InputError, Span, UsageError
from streamql.expressions.nodes import Field
from streamql.plan.nodes import Lookup, Scan
from streamql.rows import ColumnRows
from streamql.runtime.operators.lookup import LookupOperator
from streamql.runtime.references import LOOK_EVERY, ReferenceData
from streamql.settings import Settings
from streamql.types import Type

KEYS = tuple(Field(Type.ANY, Span(0, 0), relation, ("k",)) for relation in ("s", "r"))
PLAN = Lookup(Scan("s"), "r", True, "s", "r", (KEYS,), None)


def joined(operator, times):
    """Return (event, site) of each row that events with the key 1 at these times give."""
    rows = ColumnRows({"k": from_values([1] * len(times))}, len(times))
    numbers = np.arange(1, len(times) + 1)
    found = []
    for out in operator.on_batch(Batch({MAIN: rows}, np.array(times, np.int64), numbers), 0):
        sites = out.relations["r"].field(("site",)).to_pylist()
        found += zip(out.events.tolist(), sites, strict=True)
    return found


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Watched:
    """Reference data in files, and what looking at them leads to."""

    def __init__(self, uri, **settings):
        self.clock = Clock()
        self.warnings = []
        self.data = ReferenceData(
            "r", versions_of(str(uri), 4096), Settings(**settings), self.warnings.append, self.clock
        )
        self.operator = LookupOperator(PLAN, self.data)

    def site(self, time=0):
        return [site for _, site in joined(self.operator, [time])]

    def later(self):
        self.clock.seconds += LOOK_EVERY


def write(path, *sites_of_key_1):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"k": 1, "site": s}) + "\n" for s in sites_of_key_1))


def put_in_place(path, *sites_of_key_1):
    other = path.with_name("new")
    write(other, *sites_of_key_1)
    os.replace(other, path)


def ticks(text):
    return instants.parse_one(text)


TIMES = {
    "slashes and hours": (
        "{date}/{time}/p.jsonl",
        {"2024/03/05/08": "a", "2024/03/05/10": "b", "2024/03/06/00": "c"},
    ),
    "dashes and minutes": (
        "{date}/{time}/p.jsonl",
        {"2024-03-05/08-00": "a", "2024-03-05/10-00": "b", "2024-03-06/00-00": "c"},
    ),
    "in one name": (
        "r_{date}T{time}/p*.jsonl",
        {"r_2024-03-05T08": "a", "r_2024-03-05T10": "b", "r_2024-03-06T00": "c"},
    ),
}


@pytest.mark.parametrize("name", TIMES)
def test_the_version_valid_at_the_time_of_the_event(name, tmp_path):
    pattern, folders = TIMES[name]
    for folder, site in folders.items():
        write(tmp_path / folder / "p.jsonl", site)
    write(tmp_path / "2024/13/01/08/p.jsonl", "no such month")
    watched = Watched(tmp_path / pattern)
    wanted = {
        "2024-03-05T07:59:59.9999999Z": None,
        "2024-03-05T08:00:00Z": "a",
        "2024-03-05T09:59:59Z": "a",
        "2024-03-05T10:00:00Z": "b",
        "2024-03-05T23:59:59Z": "b",
        "2025-01-01T00:00:00Z": "c",
    }
    times = [ticks(text) for text in reversed(wanted)]
    found = joined(watched.operator, times)
    assert [site for _, site in found] == list(reversed(wanted.values()))


def test_matches_in_several_versions_keep_their_order(tmp_path):
    write(tmp_path / "2024-03-05.jsonl", "a", "a2")
    write(tmp_path / "2024-03-06.jsonl", "b")
    watched = Watched(tmp_path / "{date}.jsonl")
    days = [ticks(f"2024-03-0{day}T01:00:00Z") for day in (6, 5, 6, 4, 5)]
    found = joined(watched.operator, days)
    assert found == [(1, "b"), (2, "a"), (2, "a2"), (3, "b"), (4, None), (5, "a"), (5, "a2")]


def test_a_new_file_is_found_while_the_job_runs(tmp_path):
    write(tmp_path / "2024/03/05.jsonl", "a")
    watched = Watched(tmp_path / "{date}.jsonl")
    late = ticks("2024-03-07T00:00:00Z")
    assert watched.site(time=late) == ["a"]
    write(tmp_path / "2024/03/06.jsonl", "b")
    assert watched.site(time=late) == ["a"]
    watched.later()
    assert watched.site(time=late) == ["b"]
    assert watched.site(time=ticks("2024-03-05T12:00:00Z")) == ["a"]


def test_an_unreadable_new_version_leaves_the_one_before_it(tmp_path):
    write(tmp_path / "2024/03/05.jsonl", "a")
    (tmp_path / "2024/03/06.jsonl").write_text("{broken\n")
    watched = Watched(tmp_path / "{date}.jsonl")
    for _ in range(2):
        assert watched.site(time=ticks("2024-03-07T00:00:00Z")) == ["a"]
    assert len(watched.warnings) == 1
    assert "stay as they were: all rows" in watched.warnings[0]
    (tmp_path / "2024/03/06.jsonl").write_text('{"k": 1, "site": "b"}\n')
    watched.later()
    assert watched.site(time=ticks("2024-03-07T00:00:00Z")) == ["b"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{date}/x.csv", "no file matches"),
        ("{time}/x.csv", "has 0 {date} and 1 {time}"),
        ("{date}/{date}.csv", "has 2 {date} and 0 {time}"),
        ("missing.csv", "there is no file"),
    ],
)
def test_paths_that_do_not_fit(pattern, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        streamql.Engine().register_reference_uri("r", str(tmp_path / pattern))
    assert message in caught.value.message


# -- files that change ----------------------------------------------------------------------


def test_a_file_put_in_place_is_read_at_the_next_look(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, "old")
    watched = Watched(path)
    assert watched.site(time=1_000) == ["old"]
    put_in_place(path, "new", "newer")
    assert watched.site(time=2_000) == ["old"]
    watched.later()
    # what counts is when events come, not their timestamps
    assert watched.site(time=500) == ["new", "newer"]
    assert watched.warnings == []


def test_a_file_written_over_is_read_when_it_is_quiet(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, "old")
    watched = Watched(path)
    path.write_text('{"k": 1, "site": "new"}\n{"k": 1, "si')
    watched.later()
    assert watched.site() == ["old"]
    write(path, "new", "and more")
    watched.later()
    assert watched.site() == ["old"]
    watched.later()
    assert watched.site() == ["new", "and more"]
    assert watched.warnings == []


@pytest.mark.parametrize("bad", ["{broken\n", "[1, 2\n"])
def test_a_bad_file_keeps_the_rows_and_warns_once(bad, tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, "old")
    watched = Watched(path)
    path.write_text(bad)
    for _ in range(4):
        watched.later()
        assert watched.site() == ["old"]
    assert len(watched.warnings) == 1
    assert watched.warnings[0].startswith("reference data r stay as they were: all rows")
    put_in_place(path, "new")
    watched.later()
    assert watched.site() == ["new"]


def test_a_file_that_is_gone_stays_in_effect(tmp_path):
    path = tmp_path / "r.jsonl"
    write(path, "old")
    watched = Watched(path)
    path.unlink()
    watched.later()
    assert watched.site() == ["old"]
    write(path, "back again")
    for _ in range(2):  # its inode may be the old one, used anew
        watched.later()
        found = watched.site()
    assert found == ["back again"]


def test_malformed_rows_are_left_out_and_told(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"k": 1, "site": "a"}\n{broken\n{"k": 1, "site": "b"}\n')
    watched = Watched(path)
    assert watched.site() == ["a", "b"]
    assert len(watched.warnings) == 1
    assert watched.warnings[0].startswith(
        "1 of 3 rows of the reference data r malformed, skipped; the first: row 2, line 2: "
    )


@pytest.mark.parametrize(
    ("text", "settings", "error"),
    [
        ("{broken\n", {}, InputError),
        ('{"k": 1}\n{broken\n', {"input_errors": "fail"}, DataError),
    ],
)
def test_data_that_cannot_be_read_stop_the_job(text, settings, error, tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(error, match="reference data r"):
        Watched(path, **settings)
