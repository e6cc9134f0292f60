"""Jobs as processes of their own, killed at random moments and started again.

`kill -9` leaves no time for anything: what is not on the disk by then never was. A job that is killed
again and again must leave what one leaves that nobody disturbs.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("STREAMQL_KILLS", "30"))
"""How often each job is killed."""
_ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("STREAMQL_")}
_PATIENCE = 120.0
"""Seconds in which a run has to show progress, on however busy a machine."""
_MOMENTS = (0.0, 0.06)
"""Seconds between a first sign of progress and the kill."""


@dataclass
class KilledJob:
    """A job in a folder, and how to run it.

    Attributes:
        flags: of `streamql run`, beside the query, outputs and checkpoints.
        outputs: the URI of each output, `{folder}` stands for the folder.
        disturb: called at each kill: what else goes wrong then.
        place: the URI of the checkpoints, if they are not in a directory.
        paths: returns what is there.
        prelude: Python that the process runs first.
        wrapper: the command that runs it, if any.
        limit: called in the process before all else.
    """

    folder: Path
    query: str
    inputs: Mapping[str, Path]
    outputs: Mapping[str, str]
    flags: tuple[str, ...] = ()
    disturb: Callable[[random.Random], None] | None = None
    place: str = ""
    paths: Callable[[], list[str]] | None = None
    prelude: str = ""
    wrapper: tuple[str, ...] = ()
    limit: Callable[[], None] | None = None
    kills: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, *more: str) -> list[str]:
        """Return the command line that runs the job."""
        given = [f"--input={name}={path}" for name, path in self.inputs.items()]
        given += [
            f"--output={name}={uri.format(folder=self.folder)}"
            for name, uri in self.outputs.items()
        ]
        code = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{self.prelude}\n"
            "from streamql.cli import main; main()"
        )
        run = [sys.executable, "-c", code, "run", "-q", self.query, *given, *self.flags, *more]
        return [*self.wrapper, *run]

    def whole(self) -> None:
        """Run without checkpoints and without trouble."""
        done = self.run()
        assert done.returncode == 0, done.stderr

    def survive(self, seed: int, kills: int = KILLS) -> None:
        """Kill the job so many times, each time a moment after it went on, then let it end."""
        self.kill(seed, kills)
        done = self.run(*self.saving)
        assert done.returncode == 0, f"seed {seed}, after {self.kills} kills: {done.stderr}"

    def kill(self, seed: int, kills: int) -> None:
        """Kill the job so many times, each time a moment after it went on."""
        chance = random.Random(seed)
        for _ in range(kills):
            assert self._killed(chance), f"seed {seed}: the job ended after {self.kills} kills"

    @property
    def saving(self) -> tuple[str, ...]:
        """The flags for checkpoints as often as may be."""
        place = self.place or str(self.checkpoints)
        return ("--checkpoint", place, "--set", "checkpoint_interval=20ms")

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    def _killed(self, chance: random.Random) -> bool:
        """Start the job and kill it; tell whether it was still there to be killed."""
        before = self.newest()
        process = self.start(*self.saving)
        # now and then while it starts or takes up its state, else once it has gone on
        if chance.random() < 0.15:
            time.sleep(chance.uniform(0, 0.4))
        else:
            self.wait(lambda: self.newest() != before or process.poll() is not None)
            time.sleep(chance.uniform(*_MOMENTS))
        process.kill()
        status = process.wait()
        assert status in (0, -9), f"exit {status}: {self.log.read_text()}"
        if status == 0:
            return False
        self.kills += 1
        if self.disturb is not None:
            self.disturb(chance)
        return True

    @property
    def log(self) -> Path:
        """What a process says that was started."""
        return self.folder / "log"

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start the job as a process."""
        with self.log.open("wb") as out:
            return subprocess.Popen(
                self.command(*flags),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=_ENVIRONMENT,
                preexec_fn=self.limit,
            )

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, as it must in time."""
        end = time.monotonic() + _PATIENCE
        while not holds():
            assert time.monotonic() < end, f"no progress: {self.log.read_text()}"
            time.sleep(0.002)

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the job to its end, whatever that is."""
        return subprocess.run(
            self.command(*flags),
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=_ENVIRONMENT,
            timeout=300,
            preexec_fn=self.limit,
        )

    def newest(self) -> str:
        """Return the name of the newest checkpoint; nothing if there is none."""
        try:
            names = os.listdir(self.checkpoints) if self.paths is None else self.paths()
        except OSError:
            return ""
        return max((name for name in names if name.startswith("epoch-")), default="")


def write_events(path: Path, count: int, seed: int) -> Path:
    """Write events out of order by up to 3 seconds, some of them very late, and return the path."""
    chance = random.Random(seed)
    with path.open("w") as file:
        for n in range(count):
            second = n / 20 - (chance.random() * 3 if chance.random() < 0.9 else 30)
            minute, rest = divmod(max(0.0, second), 60)
            stamp = f"2024-01-01T{int(minute) // 60:02}:{int(minute) % 60:02}:{rest:06.3f}Z"
            event = {
                "id": n,
                "card": f"c{chance.randrange(20)}",
                "amount": chance.randrange(1, 500) / 4,
                "at": stamp,
                "note": "x" * chance.randrange(40),
            }
            file.write(json.dumps(event) + "\n")
    return path
