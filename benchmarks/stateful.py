"""Jobs that keep state: windows, joins, analytic functions."""

from collections.abc import Mapping
from pathlib import Path

from joined import payments, zones
from shapes import Command, Job, Medians, Place, Program, Target, ratio


def _query(name: str, *more: str) -> Command:
    return lambda at: at.run(name, *more)


def _rate(text: str, least: float) -> Target:
    return Target(
        f"{text}, events per second",
        lambda medians, events: events / medians["streamql"].wall,
        least,
        at_least=True,
    )


def _rate_ratio(left: str, right: str, share: float) -> Target:
    return Target(f"wall of {left}, times that of {right}", ratio(left, right, "wall"), share)


def _zones(folder: Path, *_: object) -> Mapping[str, Path]:
    return {"zones": zones(folder)}


def _payments(folder: Path, rides: Path, count: int) -> Mapping[str, Path]:
    return {"payments": payments(folder, rides, count)}


def _peak(medians: Medians, _: int) -> float:
    return medians["streamql"].peak_mb


def _filter(at: Place) -> list[str]:
    return Place(at.streamql, at.source, at.target).run("filter.sql")


STATEFUL = (
    Job(
        "J2",
        "tumbling window: 260 keys, four aggregates",
        (
            Program("streamql", _query("tumbling.sql")),
            Program("5 s disorder", _query("tumbling.sql", "--set", "out_of_order=5s")),
            Program("duckdb", lambda at: at.peer("duckdb_tumbling.py"), needs="duckdb"),
            Program("loop", lambda at: at.peer("loop_tumbling.py"), needs="orjson"),
            Program(
                "spark", lambda at: at.peer("spark_tumbling.py"), needs="pyspark", compared=False
            ),
            Program(
                "flink", lambda at: at.peer("flink_tumbling.py"), needs="pyflink", compared=False
            ),
        ),
        (
            Target("CPU, times DuckDB's", ratio("streamql", "duckdb", "cpu"), 3.5),
            Target(
                "times faster than the loop", ratio("loop", "streamql", "wall"), 3, at_least=True
            ),
            Target("times faster than Spark", ratio("spark", "streamql", "wall"), 5, at_least=True),
            Target("times faster than Flink", ratio("flink", "streamql", "wall"), 5, at_least=True),
            Target("peak memory", _peak, 400, unit=" MB"),
        ),
        ordered=False,
    ),
    Job(
        "J3",
        "hopping window of 5 minutes every minute",
        (
            Program("streamql", _query("hopping.sql")),
            Program("tumbling", _query("tumbling.sql"), compared=False),
            Program("duckdb", lambda at: at.peer("duckdb_hopping.py"), needs="duckdb"),
        ),
        (_rate_ratio("streamql", "tumbling", 1.5),),
        ordered=False,
    ),
    Job(
        "J4",
        "temporal join of rides and as many payments",
        (
            Program("streamql", _query("join.sql")),
            Program("duckdb", lambda at: at.peer("duckdb_join.py"), needs="duckdb"),
        ),
        (Target("wall, times DuckDB's", ratio("streamql", "duckdb", "wall"), 3.5),),
        events=500_000,
        ordered=False,
        others=_payments,
    ),
    Job(
        "J6",
        "reference join, CASE, text functions",
        (
            Program("streamql", _query("lookup.sql")),
            Program("J1", _filter, compared=False),
        ),
        (_rate_ratio("streamql", "J1", 1.5),),
        others=_zones,
    ),
    Job(
        "sliding",
        "sliding window of a minute, 40,000 keys",
        (Program("streamql", _query("sliding.sql")),),
        (_rate("sliding", 300_000),),
        events=1_000_000,
    ),
    Job(
        "session",
        "session window, 40,000 keys",
        (Program("streamql", _query("session.sql")),),
        (_rate("session", 300_000),),
        events=1_000_000,
    ),
    Job(
        "lag",
        "LAG within an hour, 40,000 partitions",
        (Program("streamql", _query("lag.sql")),),
        (_rate("LAG", 300_000),),
        events=1_000_000,
    ),
    Job(
        "aggregate",
        "JavaScript aggregate in a tumbling window",
        (Program("streamql", _query("aggregate_code.sql")),),
        (_rate("JavaScript aggregate", 500_000),),
        events=1_000_000,
    ),
    Job(
        "keys",
        "tumbling window over 100,000 keys beside 96",
        (
            Program("streamql", _query("many_keys.sql")),
            Program("few keys", _query("few_keys.sql"), compared=False),
        ),
        (_rate_ratio("streamql", "few keys", 2.0),),
        events=1_000_000,
    ),
)
