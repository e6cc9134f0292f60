"""Measure StreamQL beside the programs people would use instead, and print one table of ratios.

    python benchmarks/run.py                        all jobs, 4 million events, 3 runs each
    python benchmarks/run.py --jobs J1 --runs 5 --events 1000000 --data DIR

The data is made once (--data, BENCH_DATA, or bench-data). The runs of a job are interleaved:
repetition by repetition, program by program. The first repetition also compares the outputs.
Parts that measure themselves run once, and tell their figures.
Exit code 1 when a program failed or outputs differ; a missed target is only shown.
"""

import argparse
import compileall
import json
import os
import shlex
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from figures import told
from jobs import JOBS
from measure import Failure, Run, cores, measure, streamql
from parts import PARTS
from report import Report, say
from rides import rides
from servers import serving
from shapes import HERE, Job, Median, Medians, Part, Place, Program

EVENTS = 4_000_000


def main() -> int:
    """Run the chosen jobs and print the table and the targets."""
    options = arguments()
    jobs: dict[str, Job | Part] = {job.name: job for job in (*JOBS, *PARTS)}
    names = options.jobs.split(",") if options.jobs else list(jobs)
    unknown = [name for name in names if name not in jobs]
    if unknown:
        say(f"no job {', '.join(unknown)}; there are {', '.join(jobs)}")
        return 2
    # a package that pip installs has its byte code; a checkout may not, and would compile each time
    compileall.compile_dir(HERE.parent / "streamql", quiet=1)
    report, failed = Report(), False
    for job in (job for name, job in jobs.items() if name in names):
        began = time.monotonic()
        try:
            if isinstance(job, Part):
                run_part(job, options, report)
            else:
                run_whole(job, options, report)
        except Failure as failure:
            say(f"  FAILED: {failure}")
            failed = True
        say(f"  {time.monotonic() - began:.0f} s")
    report.show()
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


def run_whole(job: Job, options: argparse.Namespace, report: Report) -> None:
    """Run a job of whole programs. Raises Failure."""
    events = size(job, options.events)
    say(f"{job.name}: {job.about}, {events:,} events")
    report.job(job, events, run_job(job, events, options))


def run_part(part: Part, options: argparse.Namespace, report: Report) -> None:
    """Run a program that measures itself. Raises Failure."""
    say(f"{part.name}: {part.about}")
    lacking = part.missing()
    if lacking:
        say(f"  is left out: {lacking}")
        report.left_out(part, lacking)
        return
    made = folder(options)
    log = made / f"{part.name}.log"
    environment = {
        "STREAMQL": shlex.join(streamql(options.streamql)),
        "BENCH_DATA": str(options.data),
        **part.environment,
    }
    say(f"  what it prints is in {log}")
    run = measure(part.command(options.events), log, environment=environment)
    said = checked(run, part.script, log)
    figures = told(said)
    if figures is None:
        raise Failure(f"the last line of {part.script} has no figures: {said.strip()[-600:]}")
    report.part(part, run, figures)


def checked(run: Run, name: str, log: Path) -> str:
    """Return what a program printed. Raises Failure when it failed."""
    said = log.read_text(encoding="utf-8", errors="replace")
    if run.status:
        raise Failure(f"{name} ended with status {run.status}: {said.strip()[-600:]}")
    return said


def folder(options: argparse.Namespace) -> Path:
    """Return the folder of outputs and logs, made if need be."""
    made: Path = options.data / "out"
    made.mkdir(parents=True, exist_ok=True)
    return made


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
    made = folder(options)
    found: dict[str, list[Run]] = {program.name: [] for program in programs}
    with ExitStack() as stack:
        url = ""
        if job.serves:
            server = serving(
                "score_server.py", str(job.serves), log=made / "server.log", core=cores()[-1]
            )
            url = f"http://127.0.0.1:{stack.enter_context(server)}/score"
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
    checked(run, program.name, log)
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


if __name__ == "__main__":
    sys.exit(main())
