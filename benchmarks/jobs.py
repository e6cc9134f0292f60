"""What is measured: the jobs, the programs that do each, and the targets."""

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
Medians = Mapping[str, "Median"]
Command = Callable[["Place"], list[str]]


@dataclass(frozen=True)
class Median:
    """The medians of one program's runs of one job."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Place:
    """What a command is filled with."""

    streamql: list[str]
    source: Path
    target: Path
    url: str = ""

    def run(self, query: str, *more: str) -> list[str]:
        """Return the command line of StreamQL for one of the queries here."""
        files = ["--input", f"rides={self.source}", "--output", f"output={self.target}"]
        functions = ["--functions", str(HERE / "functions")]
        return [*self.streamql, "run", str(HERE / "queries" / query), *files, *functions, *more]

    def peer(self, script: str, *more: str) -> list[str]:
        """Return the command line of a peer."""
        program = "node" if script.endswith(".js") else sys.executable
        script = str(HERE / "peers" / script)
        return [program, script, str(self.source), str(self.target), *more]


@dataclass(frozen=True)
class Program:
    """One way to do a job."""

    name: str
    command: Command
    needs: str = ""
    """A Python module, or `node`."""
    compared: bool = True
    """Whether its output must equal that of the job's first program."""

    def missing(self) -> str | None:
        """Return why this program cannot run here, None if it can."""
        if self.needs == "node":
            return None if shutil.which("node") else "no node on the path"
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"the Python package {self.needs} is not installed (extra `bench`)"
        return None


@dataclass(frozen=True)
class Target:
    """A figure to reach, out of the medians; skipped when one of its programs did not run."""

    text: str
    figure: Callable[[Medians, int], float]
    limit: float
    at_least: bool = False
    unit: str = ""

    def reached(self, value: float) -> bool:
        """Return whether the value is on the right side of the limit."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Job:
    """Programs that do the same work, and what StreamQL must reach beside them."""

    name: str
    about: str
    programs: tuple[Program, ...]
    targets: tuple[Target, ...]
    events: int | None = None
    """How many events, where the job does not take the size that was asked for."""
    serves: bool = False
    """Whether the job needs the scoring server."""
    runs_factor: int = field(default=1)
    """How many times more runs a short job gets."""


def ratio(left: str, right: str, what: str) -> Callable[[Medians, int], float]:
    """Return the figure `what` of the left program over that of the right one."""
    return lambda medians, _: getattr(medians[left], what) / getattr(medians[right], what)


JOBS = (
    Job(
        "version",
        "streamql --version",
        (Program("streamql", lambda at: [*at.streamql, "--version"], compared=False),),
        (Target("start", lambda m, _: m["streamql"].wall * 1000, 150, unit=" ms"),),
        events=10,
        runs_factor=3,
    ),
    Job(
        "ten",
        "filter and project ten events",
        (Program("streamql", lambda at: at.run("filter.sql")),),
        (Target("ten events", lambda m, _: m["streamql"].wall * 1000, 700, unit=" ms"),),
        events=10,
        runs_factor=3,
    ),
    Job(
        "J1",
        "filter and project",
        (
            Program("streamql", lambda at: at.run("filter.sql")),
            Program("duckdb", lambda at: at.peer("duckdb_filter.py"), needs="duckdb"),
            Program("loop", lambda at: at.peer("loop_filter.py"), needs="orjson"),
        ),
        (
            Target("CPU, times DuckDB's", ratio("streamql", "duckdb", "cpu"), 2.5),
            Target("wall, times DuckDB's", ratio("streamql", "duckdb", "wall"), 2.5),
            Target("peak memory", lambda m, _: m["streamql"].peak_mb, 400, unit=" MB"),
        ),
    ),
    Job(
        "J5",
        "one JavaScript call per event",
        (
            Program("streamql", lambda at: at.run("code.sql")),
            Program("no call", lambda at: at.run("no_code.sql"), compared=False),
            Program("node", lambda at: at.peer("node_code.js"), needs="node"),
        ),
        (
            Target("times faster than Node", ratio("node", "streamql", "wall"), 3, at_least=True),
            Target(
                "wall, times our run without the call", ratio("streamql", "no call", "wall"), 1.3
            ),
            Target("peak memory", lambda m, _: m["streamql"].peak_mb, 400, unit=" MB"),
        ),
    ),
    Job(
        "J7",
        "score over HTTP: 200 ms, batches of 1000, 20 at a time",
        (
            Program(
                "streamql",
                lambda at: at.run(
                    "score.sql",
                    *("--function", f"score={at.url}"),
                    *("--set", "score.max_batch_count=1000"),
                    *("--set", "score.parallel_requests=20"),
                ),
            ),
            Program("httpx", lambda at: at.peer("httpx_score.py", at.url), needs="httpx"),
        ),
        (
            Target(
                "rows per second",
                lambda m, events: events / m["streamql"].wall,
                95_000,
                at_least=True,
            ),
            Target("cores", lambda m, _: m["streamql"].cpu / m["streamql"].wall, 1),
            Target("peak memory", lambda m, _: m["streamql"].peak_mb, 400, unit=" MB"),
        ),
        events=2_000_000,
        serves=True,
    ),
)
