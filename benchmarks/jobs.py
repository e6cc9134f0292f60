"""What is measured: the jobs, the programs that do each, and the targets."""

from shapes import HERE, Job, Program, Target, ratio
from stateful import STATEFUL

PARALLEL = 20


def scoring(name: str, batch: int, seconds: float, least: int, *more: Target) -> Job:
    """Return the job of scoring over HTTP with batches of a size and a server's latency."""
    peer = (str(batch), str(PARALLEL))
    return Job(
        name,
        f"score over HTTP: {seconds * 1000:.0f} ms, batches of {batch}, {PARALLEL} at a time",
        (
            Program(
                "streamql",
                lambda at: at.run(
                    "score.sql",
                    *("--function", f"score={at.url}"),
                    *("--set", f"score.max_batch_count={batch}"),
                    *("--set", f"score.parallel_requests={PARALLEL}"),
                ),
            ),
            Program("httpx", lambda at: at.peer("httpx_score.py", at.url, *peer), needs="httpx"),
            Program(
                "aiohttp", lambda at: at.peer("aiohttp_score.py", at.url, *peer), needs="aiohttp"
            ),
        ),
        (
            Target(
                "rows per second (or one core is full)",
                lambda m, _: m["streamql"].rate,
                least,
                at_least=True,
            ),
            Target("cores", lambda m, _: m["streamql"].cpu / m["streamql"].wall, 1),
            Target("CPU, times httpx's", ratio("streamql", "httpx", "cpu"), 1),
            # up to twice the rows in flight are held
            Target("peak memory", lambda m, _: m["streamql"].peak_mb, 350 + batch / 20, unit=" MB"),
            *more,
        ),
        events=2_000_000,
        serves=seconds,
    )


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
        "help",
        "streamql --help",
        (Program("streamql", lambda at: [*at.streamql, "--help"], compared=False),),
        (Target("help", lambda m, _: m["streamql"].wall * 1000, 150, unit=" ms"),),
        events=10,
        runs_factor=3,
    ),
    Job(
        "check",
        "check a query of a hundred lines",
        (
            Program(
                "streamql",
                lambda at: [*at.streamql, "check", str(HERE / "queries" / "hundred.sql")],
                compared=False,
            ),
        ),
        (Target("check", lambda m, _: m["streamql"].wall * 1000, 400, unit=" ms"),),
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
    scoring(
        "J7",
        1_000,
        0.2,
        98_000,
        Target(
            "rows per second, its start and end included",
            lambda m, events: events / m["streamql"].wall,
            95_000,
            at_least=True,
        ),
    ),
    scoring("J7-5000", 5_000, 0.25, 380_000),
    *STATEFUL,
)
