"""How a profile is told: the tables as they grow, the bars, the knee and the settings to copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .bars import Series, bars
from .settings_shown import to_copy

if TYPE_CHECKING:
    from ..udf.scoring.knee import Advice
    from ..udf.scoring.profiler import Point, Profile

_PARTITIONS = (1, 2, 4, 8)


def seconds(value: float) -> str:
    """Return a latency as a person reads it: `0.42 ms`, `203 ms`, `1.25 s`."""
    if value >= 0.9995:
        return f"{value:,.2f} s"
    digits = 2 if value < 0.00995 else 1 if value < 0.0995 else 0
    return f"{value * 1000:.{digits}f} ms"


class Tables:
    """Writes a line for each point as it comes, and the head of a table before its first line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._sizes: bool | None = None
        self._last = 0

    def point(self, point: Point) -> None:
        """Write one point."""
        # the first of the second table is the one that does not have more rows
        sizes = self._sizes is not False and point.parallel == 1 and point.batch > self._last
        if sizes is not self._sizes:
            if sizes:
                self._write("one request at a time, more and more rows in it:")
            else:
                self._write("")
                self._write(f"{point.batch:,} rows in a request, more and more at a time:")
            self._write(_line("rows" if sizes else "requests", "median", "p95", "rows/s", "errors"))
        self._sizes, self._last = sizes, point.batch
        self._write(line_of(point, point.batch if sizes else point.parallel))


def line_of(point: Point, first: int) -> str:
    """Return a point as a line of a table."""
    errors = ", ".join(f"{count} x {label}" for label, count in sorted(point.failures.items()))
    if not point.latencies:
        return _line(f"{first:,}", "", "", "", errors or "-")
    figures = seconds(point.median), seconds(point.p95), f"{point.rate:,.0f}"
    return _line(f"{first:,}", *figures, errors or "0")


def _line(first: str, middle: str, p95: str, rate: str, errors: str) -> str:
    return f"{first:>8} {middle:>8} {p95:>8} {rate:>10}  {errors}"


def plot(profile: Profile, width: int, plain: bool) -> list[str]:
    """Return bars of rows per second and latency; [] where there is nothing to compare."""
    lines: list[str] = []
    for points, name in ((profile.sizes, "rows"), (profile.numbers, "requests")):
        good = [point for point in points if point.good]
        if len(good) < 2:
            continue
        labels = [f"{p.batch if name == 'rows' else p.parallel:,}" for p in good]
        series = [
            Series("rows/s", [p.rate for p in good], [f"{p.rate:,.0f}" for p in good]),
            Series("latency", [p.median for p in good], [seconds(p.median) for p in good]),
        ]
        lines += ["", *bars(name, labels, series, width, plain=plain)]
    return lines


def ending(profile: Profile, advice: Advice | None) -> list[str]:
    """Return where the measuring stopped, the knee, and what else is to be known."""
    lines = ["", f"stopped: {profile.size_end}"]
    if profile.number_end:
        lines.append(f"stopped: {profile.number_end}")
    if advice is None:
        return lines
    at = advice.at
    lines += ["", f"knee: {at.batch:,} rows in a request, {at.parallel} at a time"]
    lines.append("  the fewest rows, then the fewest requests, that reach 90 % of the most rows/s")
    if advice.sooner is not None:
        sooner = advice.sooner
        lines.append(
            f"  for sooner answers: {sooner.batch:,} rows in {seconds(sooner.median)}; "
            "beyond, latency grows faster than rows/s"
        )
    if profile.most_parallel is not None:
        lines.append(
            f"  the server refuses more than {profile.most_parallel} or so at a time, "
            "of all partitions together"
        )
    if advice.client_bound:
        lines.append("  this process was busy: the model may be able to do more than this machine")
    return lines


def promises(advice: Advice, partitions: int | None, here: bool) -> list[str]:
    """Return the events per second to expect; `here`: the model is in the job's process."""
    at = advice.at
    lines = ["expected: rows x partitions x requests at a time / latency"]
    if here:
        partitions = 1  # they share this process
    counts = _PARTITIONS if partitions is None else sorted({1, partitions})
    lines += [
        f"  {count} partition{'s' if count > 1 else ''}: "
        f"{at.batch:,} x {count} x {at.parallel} / {seconds(at.median)} = "
        f"{advice.expected(count):,.0f} events/s"
        for count in counts
    ]
    if partitions is None or partitions > 1:
        lines.append("  (more than 1: if the server is as quick with so many requests)")
    return lines


def settings(alias: str, spec: str, found: dict[str, str], advice: Advice) -> str:
    """Return the flags and the lines of `streamql.toml` with which a job does what was measured."""
    chosen = {**found, "max_batch_count": str(advice.at.batch)}
    if "://" in spec or found.get("isolate"):
        chosen["parallel_requests"] = str(advice.at.parallel)
    return to_copy(alias, spec, chosen)
