"""Run a command from start to exit and measure it. POSIX; standard library only."""

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failure(Exception):
    """A program failed, or wrote other rows than its neighbour."""


@dataclass(frozen=True)
class Run:
    """What one run took. CPU includes the processes it started; memory is the largest process."""

    wall: float
    cpu: float
    peak_mb: float
    status: int
    rate: float = 0.0


def measure(
    command: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
    timeout: float = 600,
) -> Run:
    """Run the command with its output in `log`, on one core if asked; end it after `timeout`.

    The kernel counts the memory of the starting process into the peak of the started one, until it
    executes its program: whoever calls this must stay small.
    """
    with log.open("wb") as out:
        start = time.monotonic()
        process = subprocess.Popen(
            pinned(command, core),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        # a timer and a blocking wait: a wait with a timeout polls, and adds up to 50 ms
        timer = threading.Timer(timeout, process.kill)
        timer.daemon = True
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / unit, process.returncode)


def streamql(given: str | None = None) -> list[str]:
    """Return the command: the one given or in STREAMQL, the one installed here, or the checkout."""
    given = given or os.environ.get("STREAMQL")
    if given:
        return shlex.split(given)
    installed = Path(sys.executable).with_name("streamql")
    if installed.exists():
        return [str(installed)]
    path = f"import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r}); "
    return [sys.executable, "-c", path + "from streamql.cli import main; main()"]


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """Return the command bound to one core, where the system can do that."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return list(command)
    bind = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); "
    return [
        sys.executable,
        "-c",
        bind + "os.execvp(sys.argv[2], sys.argv[2:])",
        str(core),
        *command,
    ]


def cores() -> list[int]:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
