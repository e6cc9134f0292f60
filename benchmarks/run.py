"""Measure StreamQL beside the programs people would use instead, and print one table of ratios.

    python benchmarks/run.py                        all jobs, 4 million events, 3 runs each
    python benchmarks/run.py --jobs J1 --runs 5 --events 1000000 --data DIR

The data is made once (--data, BENCH_DATA, or bench-data). The runs of a job are interleaved:
repetition by repetition, program by program. The first repetition also compares the outputs.
Exit code 1 when a program failed or outputs differ; a missed target is only shown.
"""

import argparse
import compileall
import json
import os
import shlex
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from jobs import JOBS
from measure import Run, cores, measure, pinned
from rides import rides
from shapes import HERE, Job, Median, Medians, Place, Program

EVENTS = 4_000_000


class Failure(Exception):
    """A program failed, or wrote other rows than its neighbour."""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the chosen jobs and print the table and the targets."""
    options = arguments()
    chosen = [job for job in JOBS if not options.jobs or job.name in options.jobs.split(",")]
    if not chosen:
        say(f"no job {options.jobs}; there are {', '.join(job.name for job in JOBS)}")
        return 2
    # a package that pip installs has its byte code; a checkout may not, and would compile each time
    compileall.compile_dir(HERE.parent / "streamql", quiet=1)
    table, verdicts, failed = [], [], False
    for job in chosen:
        events = size(job, options.events)
        say(f"{job.name}: {job.about}, {events:,} events")
        try:
            medians = run_job(job, events, options)
        except Failure as failure:
            say(f"  FAILED: {failure}")
            failed = True
            continue
        table += rows(job, events, medians)
        verdicts += judged(job, events, medians)
    show(table)
    for line in verdicts:
        say(line)
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Measure StreamQL beside other programs.")
    parser.add_argument("--jobs", default="", help="names, comma-separated; all by default")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("BENCH_DATA", "bench-data"))
    )
    parser.add_argument("--streamql", default=os.environ.get("STREAMQL"), help="the command to run")
    return parser.parse_args()


def size(job: Job, events: int) -> int:
    """Return how many events the job takes when this many were asked for."""
    return min(events, job.events or events)


def streamql(given: str | None) -> list[str]:
    """Return the command: the one given, the one installed beside this Python, or the checkout."""
    if given:
        return shlex.split(given)
    installed = Path(sys.executable).with_name("streamql")
    if installed.exists():
        return [str(installed)]
    path = f"import sys; sys.path.insert(0, {str(HERE.parent)!r}); "
    return [sys.executable, "-c", path + "from streamql.cli import main; main()"]


def run_job(job: Job, events: int, options: argparse.Namespace) -> Medians:
    """Run all programs of a job, interleaved, and return their medians."""
    programs = []
    for program in job.programs:
        missing = program.missing()
        if missing:
            say(f"  {program.name} is left out: {missing}")
        else:
            programs.append(program)
    source = rides(options.data, events)
    others = job.others(options.data, source, events)
    made = options.data / "out"
    made.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Run]] = {program.name: [] for program in programs}
    with server(job.serves, made / "server.log") as url:
        for repetition in range(options.runs * job.runs_factor):
            for program in programs:
                target = made / f"{job.name}_{program.name.replace(' ', '_')}.jsonl"
                place = Place(streamql(options.streamql), source, target, url, others)
                found[program.name].append(run_program(job, program, place))
            if repetition == 0:
                compare(job, programs, made)
    return {name: median(runs) for name, runs in found.items()}


def run_program(job: Job, program: Program, place: Place) -> Run:
    """Run one program once; the scoring job has the first core, its server another."""
    place.target.unlink(missing_ok=True)
    log = place.target.with_suffix(".log")
    core = cores()[0] if job.serves else None
    if place.url:
        asked(place.url, "begin")
    run = measure(program.command(place), log, core=core)
    if run.status:
        tail = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
        raise Failure(f"{program.name} ended with status {run.status}: {tail}")
    if not place.url:
        return run
    counted = asked(place.url, "stats")
    say(f"  {program.name}: the scoring server counted {counted}")
    return replace(run, rate=counted["rows"] / counted["seconds"])


def compare(job: Job, programs: list[Program], made: Path) -> None:
    """Raise Failure unless all programs of the job wrote the same rows."""
    files = [made / f"{job.name}_{p.name.replace(' ', '_')}.jsonl" for p in programs if p.compared]
    for other in files[1:]:
        how = "ordered" if job.ordered else "unordered"
        command = [sys.executable, str(HERE / "outputs.py"), how, str(files[0]), str(other)]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if found:
            raise Failure(f"{files[0].name} and {other.name} differ: {found}")


@contextmanager
def server(seconds: float, log: Path) -> Iterator[str]:
    """Run a scoring server of that latency on the last core (0: none); give its address."""
    if not seconds:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(HERE / "score_server.py"), str(port), str(seconds)]
    with log.open("wb") as out:
        process = subprocess.Popen(pinned(command, cores()[-1]), stdout=out, stderr=out)
    try:
        url = f"http://127.0.0.1:{port}/score"
        await_start(url, process, log)
        yield url
    finally:
        process.terminate()
        process.wait()


def await_start(url: str, process: subprocess.Popen, log: Path) -> None:
    """Wait for the scoring server. Raises Failure when it does not start."""
    for _ in range(100):
        try:
            asked(url, "stats")
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise Failure(f"the scoring server did not start: {log.read_text(errors='replace')[-600:]}")


def asked(url: str, what: str) -> dict[str, float]:
    """Return the scoring server's counters."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url.replace("/score", f"/{what}"), timeout=5) as answer:
        return json.load(answer)


def median(runs: list[Run]) -> Median:
    """Return the medians of some runs; of the memory the maximum."""
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    rate = statistics.median(run.rate for run in runs)
    return Median(wall, cpu, max(run.peak_mb for run in runs), rate)


def rows(job: Job, events: int, medians: Medians) -> list[tuple[str, ...]]:
    """Return the table's rows of a job; the ratios are StreamQL's figure over the program's."""
    ours, found = medians["streamql"], []
    for name, one in medians.items():
        figures = (f"{one.wall:.3f}", f"{one.cpu:.3f}", f"{one.peak_mb:.0f}")
        speed = f"{events / one.wall:,.0f}" if events > 10 else ""
        ratios = ("", "")
        if name != "streamql":
            ratios = (f"{ours.wall / one.wall:.2f}", f"{ours.cpu / one.cpu:.2f}")
        found.append((job.name, name, *figures, speed, *ratios))
    return found


def judged(job: Job, events: int, medians: Medians) -> list[str]:
    """Return a line for each target of a job."""
    lines = []
    for target in job.targets:
        try:
            value = target.figure(medians, events)
        except KeyError as missing:
            lines.append(f"not measured  {job.name}: {target.text} ({missing.args[0]} did not run)")
            continue
        bound = "at least" if target.at_least else "at most"
        mark = "reached" if target.reached(value) else "MISSED"
        figure = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        wanted = f"{bound} {target.limit:,g}{target.unit}"
        lines.append(f"{mark:13} {job.name}: {target.text} {figure}{target.unit} ({wanted})")
    return lines


def show(table: list[tuple[str, ...]]) -> None:
    """Print the table."""
    head = ("job", "program", "wall s", "CPU s", "peak MB", "events/s", "wall ratio", "CPU ratio")
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    say("")
    for row in [head, *table]:
        texts = [
            t.ljust(w) if i < 2 else t.rjust(w)
            for i, (t, w) in enumerate(zip(row, widths, strict=True))
        ]
        say("  ".join(texts))
    say("(medians; a ratio is StreamQL's figure over the program's in its line)\n")


if __name__ == "__main__":
    sys.exit(main())
