"""The pytest plugin: jobs driven step by step, in tests of its users and by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamql.errors import CompileError, FunctionError, UsageError
from streamql.testing.bench import Bench

pytest_plugins = ("pytester",)
COUNTS = (
    "SELECT k, COUNT(*) AS n INTO counts FROM entry TIMESTAMP BY t "
    "GROUP BY k, TumblingWindow(minute, 1)"
)


@pytest.fixture
def bench(tmp_path):
    with Bench(tmp_path) as made:
        yield made


def test_the_plugin_in_a_users_tests(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    pytester.makefile(
        ".sql", query="SELECT id, udf.score(v) AS s INTO alerts FROM entry WHERE v > 1"
    )
    pytester.makepyfile(
        """
        def test_alerts(streamql):
            streamql.model("score", lambda row: row * 2)
            job = streamql.job("query.sql")
            job.send("entry", id=1, v=5, at="00:00:01")
            job.send("entry", {"id": 2, "v": 0})
            assert job.output("alerts") == [{"id": 1, "s": 10}]

        def test_that_fails(streamql):
            job = streamql.job("query.sql", functions={"score": abs})
            assert job.output("alert") == []
        """
    )
    done = pytester.runpytest_subprocess("-p", "streamql.pytest_plugin", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*UsageError: the query has no output alert"])


def test_the_plugin_loads_no_engine():
    code = "import sys, streamql.pytest_plugin; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_windows_end_when_time_has_passed(bench):
    job = bench.job(COUNTS)
    job.send("entry", k="a", at="00:00:10")
    job.send("ENTRY", {"k": "a"}, at="00:00:20")
    job.advance("39s")
    assert job.output("counts") == []
    job.advance("1s")
    assert job.output("counts") == [{"k": "a", "n": 2}]
    assert job.now == "2024-01-01T00:01:00Z"
    job.send("entry", k="b")
    assert len(job.output("counts")) == 1
    job.end()
    job.end()
    assert job.output("counts")[1:] == [{"k": "b", "n": 1}]


def test_events_arrive_at_their_own_time_unless_the_test_says(bench):
    job = bench.job(COUNTS, settings={"late_arrival": "5s", "policy": "drop"})
    job.send("entry", k="a", t="2024-01-01T00:00:58Z")
    job.send("entry", k="late", t="2024-01-01T00:00:59Z", at="00:01:03")
    job.send("entry", k="too late", t="2024-01-01T00:00:50Z", at="00:01:04")
    assert job.output("counts") == []
    job.advance("1s")
    assert sorted(row["k"] for row in job.output("counts")) == ["a", "late"]


def test_time_does_not_go_back(bench):
    job = bench.job(COUNTS, now="2024-05-06T07:00:00Z")
    job.send("entry", k="a", at="2024-05-06T07:01:00Z")
    with pytest.raises(UsageError, match="an event for entry at 2024-05-06T07:00:30Z"):
        job.send("entry", k="b", at="30s")


def test_two_inputs_and_reference_data(bench, tmp_path):
    (tmp_path / "zones.csv").write_text("id,zone\n1,A\n")
    job = bench.job(
        "SELECT l.id, z.zone FROM l JOIN r ON l.id = r.id AND DATEDIFF(second, l, r) BETWEEN 0 AND 9 "
        "JOIN zones z ON CAST(l.id AS nvarchar(max)) = z.id",
        references={"zones": "zones.csv"},
    )
    job.send("l", id=1)
    job.send("r", id=1, at="5s")
    job.advance("1s")
    assert job.output("output") == [{"id": 1, "zone": "A"}]
    job.send("r", id=1, at="15s")
    job.end()
    assert len(job.output("output")) == 1


@pytest.mark.parametrize(
    "answers",
    [{7: "seven"}, [(7, "seven"), ([1, 2], "pair")], lambda row: "seven" if row == 7 else row],
)
def test_models_answer_what_the_test_says(bench, answers):
    bench.model("score", answers)
    job = bench.job("SELECT udf.score(v) AS s INTO o FROM entry")
    job.send("entry", v=7)
    assert job.output("o") == [{"s": "seven"}]


def test_a_row_without_an_answer_is_an_error(bench):
    bench.model("score", [([1, 2], "pair")])
    job = bench.job("SELECT udf.score(v) AS s INTO o FROM entry")
    job.send("entry", v=[1, 2])
    assert job.output("o") == [{"s": "pair"}]
    with pytest.raises(FunctionError, match=r"no answer to \[2, 1\]"):
        job.send("entry", v=[2, 1])


def test_functions_of_a_folder_and_of_projects(bench, tmp_path):
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "twice.js").write_text("function main(x) { return x * 2; }")
    job = bench.job("SELECT udf.twice(v) AS s INTO o FROM entry", functions="functions")
    job.send("entry", v=7)
    assert job.output("o") == [{"s": 14}]
    sample = Path(__file__).parents[1] / "samples" / "azure-project"
    bench.model("score", lambda row: row[0] / 10)
    job = bench.job(sample)
    car = {"TollId": 1, "LicensePlate": "JNB 7001", "Axles": 2, "Weight": 1.4, "Toll": 5}
    job.send("entry", car, at="2024-05-06T08:00:10Z")
    job.end()
    assert [row["TagChance"] for row in job.output("cars")] == [0.5]
    assert [row["MiddleToll"] for row in job.output("booths")] == [5]


def test_mistakes_are_told_at_once(bench):
    with pytest.raises(CompileError):
        bench.job("SELECT nope( FROM entry")
    with pytest.raises(UsageError, match="no query"):
        bench.job("nowhere.sql")
    with pytest.raises(UsageError, match="no setting 'late_arrivel'"):
        bench.job(COUNTS, settings={"late_arrivel": "5s"})
    job = bench.job(COUNTS)
    with pytest.raises(UsageError, match="the query has no input entri"):
        job.send("entri", k=1)
