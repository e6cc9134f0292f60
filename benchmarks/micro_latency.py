"""How long one row takes through an idle job: a row into a pipe, its answer out of another.

    python benchmarks/micro_latency.py [rows]

Rows come one at a time, each after the answer to the one before, so that every wake-up on the way
shows. Measured for a plain query, and for one that asks a model whose server answers after 1 ms;
the latter is also asked directly, which is what the job adds its time to. The goal: a median of at
most 5 ms added.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection

from figures import Figure, tell, words
from measure import streamql
from servers import serving

PLAIN = "SELECT id, x * 2 AS y INTO output FROM input"
SCORED = "SELECT id, udf.score(x) AS y INTO output FROM input"
COMMAND = [*streamql(), "run", "--input", "input=-", "--quiet"]
MOST = 5.0
"""Milliseconds that may be added to the model's."""


def asked(ask: Callable[[int], None], rows: int) -> list[float]:
    """Return the milliseconds of each question, one after the other, with idle time between."""
    found = []
    for number in range(rows):
        time.sleep(0.02)
        began = time.perf_counter()
        ask(number)
        found.append(1000 * (time.perf_counter() - began))
    return found[rows // 10 :]  # the first ones load what is needed


def job(query: str, row: bytes, rows: int, *more: str) -> list[float]:
    command = [*COMMAND, "--query", query, *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        def ask(number: int) -> None:
            into.write(row % (number, number))
            into.flush()
            assert json.loads(out.readline())["id"] == number

        found = asked(ask, rows)
        into.close()
        process.wait()
    return found


def direct(port: int, rows: int) -> list[float]:
    connection = HTTPConnection("127.0.0.1", port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    headers = {"Content-Type": "application/json"}

    def ask(number: int) -> None:
        connection.request("POST", "/score", b'{"data": [[%d]]}' % number, headers)
        connection.getresponse().read()

    return asked(ask, rows)


def main(rows: int) -> list[Figure]:
    with serving("score_server.py", "0.001") as port:
        model = [f"--function=score=http://127.0.0.1:{port}/score", "--set=score.protocol=azureml"]
        ways = {
            "the model, asked directly": direct(port, rows),
            "a plain query": job(PLAIN, b'{"id":%d,"x":%d}\n', rows),
            "a query with the model": job(SCORED, b'{"id":%d,"x":[%d]}\n', rows, *model),
        }
    print(f"{'one row, ms':28}{'median':>8}{'95 %':>8}")
    for name, found in ways.items():
        late = statistics.quantiles(found, n=20)[-1]
        print(f"{name:28}{statistics.median(found):8.2f}{late:8.2f}")
    alone, plain, scored = (statistics.median(found) for found in ways.values())
    print(f"added to the model: {scored - alone:.2f} (at most {MOST:g})")
    return [
        Figure("one row of a plain query", plain, unit=" ms"),
        Figure("one row added to a model of 1 ms", scored - alone, MOST, unit=" ms"),
    ]


if __name__ == "__main__":
    tell(main(int((words() or ["200"])[0])))
