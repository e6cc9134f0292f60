"""What a run of the benchmarks prints at its end: tables, and a line for each target."""

import sys
from collections.abc import Iterable

from figures import Figure
from measure import Run
from shapes import Job, Median, Medians, Part

PROGRAMS = ("job", "program", "wall s", "CPU s", "peak MB", "events/s", "wall ratio", "CPU ratio")
FIGURES = ("job", "figure", "value", "goal")


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Report:
    """Collects what the jobs found."""

    def __init__(self) -> None:
        self._programs: list[tuple[str, ...]] = []
        self._figures: list[tuple[str, ...]] = []
        self._verdicts: list[str] = []

    def job(self, job: Job, events: int, medians: Medians) -> None:
        """Add a row per program; the ratios are StreamQL's figure over the program's."""
        ours = medians["streamql"]
        for name, one in medians.items():
            speed = f"{events / one.wall:,.0f}" if events > 10 else ""
            ratios = ("", "")
            if name != "streamql":
                ratios = (f"{ours.wall / one.wall:.2f}", f"{ours.cpu / one.cpu:.2f}")
            self._programs.append((job.name, name, *_taken(one), speed, *ratios))
        self._judge(job.name, (target.of(medians, events) for target in job.targets))

    def part(self, part: Part, run: Run, figures: Iterable[Figure]) -> None:
        """Add a row for the program, and one for each of its figures."""
        figures = list(figures)
        self._programs.append((part.name, part.script, *_taken(run), "", "", ""))
        self._figures += [(part.name, one.text, one.amount, one.goal) for one in figures]
        self._judge(part.name, figures)

    def left_out(self, part: Part, lacking: str) -> None:
        """Say what a part lacks here."""
        self._verdicts.append(Figure(part.about, None, missing=lacking).verdict(part.name))

    def show(self) -> None:
        """Print all of it."""
        if self._programs:
            _table(PROGRAMS, self._programs)
            say("(medians; a ratio is StreamQL's figure over the program's in its line)\n")
        if self._figures:
            _table(FIGURES, self._figures)
            say("")
        for line in self._verdicts:
            say(line)

    def _judge(self, name: str, figures: Iterable[Figure]) -> None:
        self._verdicts += [one.verdict(name) for one in figures if one.limit is not None]


def _taken(one: Run | Median) -> tuple[str, str, str]:
    return f"{one.wall:.3f}", f"{one.cpu:.3f}", f"{one.peak_mb:.0f}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table whose first two columns are text, and the others figures."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    say("")
    for row in [head, *rows]:
        texts = [
            t.ljust(w) if i < 2 else t.rjust(w)
            for i, (t, w) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(texts).rstrip())
