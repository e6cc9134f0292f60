"""What a job of the benchmarks is: programs that do the same work, or one that measures itself."""

import importlib.util
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from figures import Figure

HERE = Path(__file__).parent
Medians = Mapping[str, "Median"]
Command = Callable[["Place"], list[str]]


@dataclass(frozen=True)
class Median:
    """The medians of one program's runs of one job."""

    wall: float
    cpu: float
    peak_mb: float
    rate: float = 0.0
    """Rows per second from the first request to the last answer, by the scoring server's clock."""


@dataclass(frozen=True)
class Place:
    """What a command is filled with."""

    streamql: list[str]
    source: Path
    target: Path
    url: str = ""
    others: Mapping[str, Path] = field(default_factory=dict)
    """The files of further inputs, by name; zones are reference data."""

    def run(self, query: str, *more: str) -> list[str]:
        """Return the command line of StreamQL for one of the queries here."""
        files = ["--input", f"rides={self.source}", "--output", f"output={self.target}"]
        for name, file in self.others.items():
            files += ["--reference" if name == "zones" else "--input", f"{name}={file}"]
        functions = ["--functions", str(HERE / "functions")]
        return [*self.streamql, "run", str(HERE / "queries" / query), *files, *functions, *more]

    def peer(self, script: str, *more: str) -> list[str]:
        """Return the command line of a peer."""
        program = "node" if script.endswith(".js") else sys.executable
        script = str(HERE / "peers" / script)
        others = [str(file) for file in self.others.values()]
        return [program, script, str(self.source), str(self.target), *others, *more]


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
        return missing(self.needs) if self.needs else None


@dataclass(frozen=True)
class Target:
    """A figure to reach, out of the medians; skipped when one of its programs did not run."""

    text: str
    figure: Callable[[Medians, int], float]
    limit: float
    at_least: bool = False
    unit: str = ""

    def of(self, medians: Medians, events: int) -> Figure:
        """Return the figure that some medians make."""
        value, lacking = None, ""
        try:
            value = self.figure(medians, events)
        except KeyError as program:
            lacking = f"{program.args[0]} did not run"
        return Figure(self.text, value, self.limit, self.at_least, self.unit, lacking)


@dataclass(frozen=True)
class Job:
    """Programs that do the same work, and what StreamQL must reach beside them."""

    name: str
    about: str
    programs: tuple[Program, ...]
    targets: tuple[Target, ...]
    events: int | None = None
    """How many events, where the job does not take the size that was asked for."""
    serves: float = 0.0
    """The latency of the scoring server that the job needs; 0 for none."""
    runs_factor: int = field(default=1)
    """How many times more runs a short job gets."""
    ordered: bool = True
    """Whether all programs write their rows in one order."""
    others: Callable[[Path, Path, int], Mapping[str, Path]] = field(default=lambda *_: {})
    """Makes the files of further inputs: of a folder, the rides, and how many there are."""


@dataclass(frozen=True)
class Part:
    """One part alone: a program of this folder that measures itself and tells its figures."""

    name: str
    about: str
    script: str
    words: Callable[[int], tuple[object, ...]]
    """Its arguments for so many events."""
    needs: tuple[str, ...] = ()
    """Python modules."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, events: int) -> list[str]:
        """Return the command line."""
        words = [str(word) for word in self.words(events)]
        return [sys.executable, str(HERE / self.script), *words, "--json"]

    def missing(self) -> str | None:
        """Return what the program lacks here, None if it can run."""
        return next((lack for lack in map(missing, self.needs) if lack), None)


def missing(needs: str) -> str | None:
    """Return what is to be said where a Python module, or `node`, is not there."""
    if needs == "node":
        return None if shutil.which("node") else "no node on the path"
    if importlib.util.find_spec(needs) is None:
        return f"the Python package {needs} is not installed (extra `bench`)"
    return None


def ratio(left: str, right: str, what: str) -> Callable[[Medians, int], float]:
    """Return the figure `what` of the left program over that of the right one."""
    return lambda medians, _: getattr(medians[left], what) / getattr(medians[right], what)
