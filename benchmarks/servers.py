"""Servers of this folder, each as a process of its own on a free port."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Failure, pinned

HERE = Path(__file__).parent
STARTING = 10.0
"""Seconds in which a server must take connections."""


@contextmanager
def serving(
    script: str, *arguments: str, log: Path | None = None, core: int | None = None
) -> Iterator[int]:
    """Run a server, on one core if asked, what it says in `log`; give its port once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = pinned([sys.executable, str(HERE / script), str(port), *arguments], core)
    if log is None:
        process = subprocess.Popen(command)
    else:
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        _await(port, process, log)
        yield port
    finally:
        process.terminate()
        process.wait()


def _await(port: int, process: subprocess.Popen, log: Path | None) -> None:
    deadline = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    said = log.read_text(errors="replace")[-600:] if log else "see above"
    raise Failure(f"the scoring server did not start: {said}")
