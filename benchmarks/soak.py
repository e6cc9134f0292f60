"""A job under steady input, killed every minute: is its memory flat, and is every row there once?

    python benchmarks/soak.py --minutes 60 --rate 2000

Events are appended to a file that `streamql run --follow --checkpoint` reads; windows of ten
seconds of event time go to another file. Once a minute the process is killed, or asked to stop, and
started again. At the end the whole file is read once more without checkpoints, and the rows must be
the same. Exit code 1 when they are not, or when memory grew.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

QUERY = (
    "SELECT card, COUNT(*) AS n, SUM(amount) AS s, System.Timestamp() AS w INTO o "
    "FROM a TIMESTAMP BY at GROUP BY card, TumblingWindow(second, 10)"
)
GROWTH = 1.3
"""How much the memory of a run may exceed that of the first ones that took up a state."""


def main() -> int:
    """Run, and tell what was seen."""
    options = arguments()
    folder = Path(tempfile.mkdtemp(prefix="streamql-soak-"))
    events = folder / "a.jsonl"
    events.touch()
    stopped = threading.Event()
    writer = threading.Thread(target=write, args=(events, options.rate, stopped), daemon=True)
    writer.start()
    peaks: list[float] = []
    end = time.monotonic() + options.minutes * 60
    kills = 0
    while time.monotonic() < end:
        hard = kills % 3 != 2
        peaks.append(run(folder, min(options.every, end - time.monotonic()), hard))
        kills += 1
        say(f"run {kills}: peak {peaks[-1]:.0f} MB, {lines(folder / 'o.jsonl'):,} rows so far")
    stopped.set()
    writer.join()
    # all that came is read: the job is idle for a while, and is asked to stop
    peaks.append(run(folder, 10, hard=False))
    whole = folder / "whole.jsonl"
    subprocess.run([*command(folder, whole), "--quiet"], check=True)
    same = begins_with(whole, folder / "o.jsonl")
    first = max(peaks[1:3] or peaks)
    grew = max(peaks) / first
    say(f"{lines(events):,} events, {kills} restarts, {lines(folder / 'o.jsonl'):,} rows")
    say(f"memory: {first:.0f} MB at first, {max(peaks):.0f} MB at most ({grew:.2f} times)")
    say("the rows are those of a job that nobody disturbed" if same else f"ROWS DIFFER: {folder}")
    return 0 if same and grew <= GROWTH else 1


def arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Watch a job under steady input and kills.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=2000, help="events a second")
    parser.add_argument("--every", type=float, default=60, help="seconds between two kills")
    return parser.parse_args()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(path: Path, rate: int, stopped: threading.Event) -> None:
    """Append events, a tenth of a second's worth at a time."""
    chance = random.Random(1)
    number = 0
    with path.open("a") as file:
        while not stopped.wait(0.1):
            for _ in range(rate // 10):
                second = number / rate
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_704_067_200 + second))
                card = f"c{chance.randrange(200)}"
                event = {"card": card, "amount": chance.randrange(400) / 4, "at": stamp + "Z"}
                file.write(json.dumps(event) + "\n")
                number += 1
            file.flush()


def command(folder: Path, output: Path) -> list[str]:
    """Return the command line of the job."""
    program = Path(sys.executable).with_name("streamql")
    flags = ["--input", f"a={folder / 'a.jsonl'}", "--output", f"o={output}"]
    return [str(program), "run", "-q", QUERY, *flags, "--set", "out_of_order=2s", "--replay"]


def run(folder: Path, seconds: float, hard: bool) -> float:
    """Run the job for a while, end it, and return its peak memory in MB."""
    flags = ["--follow", "--checkpoint", str(folder / "state"), "--set", "checkpoint_interval=2s"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*command(folder, folder / "o.jsonl"), *flags], stderr=log, stdout=log
        )
    time.sleep(max(1.0, seconds))
    process.send_signal(signal.SIGKILL if hard else signal.SIGTERM)
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"exit {code}: {(folder / 'log').read_text()[-800:]}")
    return usage.ru_maxrss / 1024


def lines(path: Path) -> int:
    """Return how many lines a file has."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


def begins_with(whole: Path, part: Path) -> bool:
    """Tell whether a file is the beginning of another: windows still open are not there yet."""
    with whole.open("rb") as one, part.open("rb") as other:
        return all(line == next(one, None) for line in other)


if __name__ == "__main__":
    sys.exit(main())
