"""The picture of a profile: four small plots, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import OutputError, UsageError

if TYPE_CHECKING:
    from ..udf.scoring.knee import Advice
    from ..udf.scoring.profiler import Point, Profile

_INK, _SOFT, _GRID = "#1f2933", "#6b7785", "#e4e8ec"
_RATE, _LATENCY, _KNEE = "#1668b8", "#b5541c", "#12805c"
_KINDS = (".png", ".svg", ".html")


def check_picture(path: str) -> None:
    """Raise UsageError when no picture can be made there: better before than after a minute."""
    if Path(path).suffix.lower() not in _KINDS:
        raise UsageError(f"--plot {path}: a picture is one of {', '.join(_KINDS)}")
    if not Path(path).absolute().parent.is_dir():
        raise UsageError(f"--plot {path}: there is no such folder", hint="create it first")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError(
            "--plot needs matplotlib, which is not installed",
            hint="pip install 'streamql[plot]'; the plot on the terminal needs nothing",
        ) from None


def draw(
    path: Path, title: str, profile: Profile, advice: Advice | None, lines: Sequence[str]
) -> None:
    """Write the picture. Raises OutputError."""
    figure = _figure(title, profile, advice)
    made = io.BytesIO()
    kind = path.suffix.lower().removeprefix(".")
    metadata = {"Date": None} if kind != "png" else {}
    figure.savefig(made, format="png" if kind == "png" else "svg", dpi=160, metadata=metadata)
    content = made.getvalue()
    if kind == "html":
        content = _page(title, content.decode(), lines).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None


def _figure(title: str, profile: Profile, advice: Advice | None) -> Any:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    plain = {
        "font.family": "sans-serif",
        "font.size": 9.5,
        "text.color": _INK,
        "axes.edgecolor": _SOFT,
        "axes.labelcolor": _SOFT,
        "xtick.color": _SOFT,
        "ytick.color": _SOFT,
        "svg.hashsalt": "streamql",
    }
    batches = [p for p in profile.sizes if p.good]
    numbers = [p for p in profile.numbers if p.good]
    columns: list[tuple[str, list[Point], Callable[[Point], int], int | None]] = [
        (
            "rows in a request, one at a time",
            batches,
            lambda p: p.batch,
            advice.at.batch if advice else None,
        )
    ]
    if len(numbers) > 1:
        label = f"requests at a time, {numbers[0].batch:,} rows each"
        columns.append(
            (label, numbers, lambda p: p.parallel, advice.at.parallel if advice else None)
        )
    with rc_context(plain):
        figure = Figure(
            figsize=(4.9 * len(columns) + 0.6, 6.4),
            layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, hspace=0.04, wspace=0.05),
        )
        axes = figure.subplots(2, len(columns), sharex="col", squeeze=False)
        for column, (label, points, x, chosen) in enumerate(columns):
            at = [x(point) for point in points]
            _plot(axes[0][column], at, _rates(points, chosen), chosen)
            _plot(axes[1][column], at, _latencies(points), chosen)
            axes[1][column].set_xlabel(label, labelpad=8)
        figure.suptitle(
            _headline(title, advice), x=0.015, ha="left", fontsize=11.5, linespacing=1.5
        )
    return figure


def _headline(title: str, advice: Advice | None) -> str:
    if advice is None:
        return title
    at = advice.at
    return (
        f"{title}\n{at.batch:,} rows in a request, {at.parallel} at a time: "
        f"{advice.expected(1):,.0f} events/s per partition"
    )


@dataclass(frozen=True)
class _Curve:
    """What is drawn over the settings that were tried.

    Attributes:
        title, colour: what it is called, and drawn in.
        values: one for each setting.
        above: how far the band above the values reaches; the values where there is none.
        text: a value in words.
        knee: what stands at the chosen setting, `{}` for its value.
    """

    title: str
    colour: str
    values: list[float]
    above: list[float]
    text: Callable[[float], str]
    knee: str


def _rates(points: list[Point], chosen: int | None) -> _Curve:
    rates = [point.rate for point in points]
    knee = f"knee {chosen or 0:,}: {{}}"
    return _Curve("rows per second", _RATE, rates, rates, "{:,.0f}".format, knee)


def _latencies(points: list[Point]) -> _Curve:
    from .profile_report import seconds

    return _Curve(
        "latency (median, and up to the 95th percentile)",
        _LATENCY,
        [point.median for point in points],
        [point.p95 for point in points],
        lambda value: seconds(value) if value else "0",
        "{}",
    )


def _plot(axes: Any, at: list[int], curve: _Curve, chosen: int | None) -> None:
    """Draw a curve over the settings `at`, and mark the chosen one."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    shape: dict[str, Any] = {"linewidth": 2, "marker": "o", "markersize": 4.5, "clip_on": False}
    axes.plot(at, curve.values, color=curve.colour, **shape)
    if curve.above is not curve.values:
        axes.fill_between(
            at, curve.values, curve.above, color=curve.colour, alpha=0.16, linewidth=0
        )
    axes.set_xscale("log")
    axes.set_ylim(0, max([*curve.above, 0]) * 1.16 or 1)
    axes.set_title(curve.title, loc="left", fontsize=9.5, color=curve.colour, fontweight="bold")
    axes.xaxis.set_major_locator(FixedLocator(at))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value):,}"))
    axes.tick_params(axis="x", rotation=45 if len(at) > 7 else 0, length=3)
    axes.tick_params(axis="y", length=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: curve.text(value)))
    axes.grid(axis="y", color=_GRID)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if chosen is not None and chosen in at:
        _mark(axes, at, curve, chosen)


def _mark(axes: Any, at: list[int], curve: _Curve, chosen: int) -> None:
    """Draw a line at the chosen setting, with the value of the curve there."""
    value = curve.values[at.index(chosen)]
    axes.axvline(chosen, color=_KNEE, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot([chosen], [value], marker="o", markersize=9, color=_KNEE, clip_on=False)
    late = at.index(chosen) >= len(at) / 2
    axes.annotate(
        curve.knee.format(curve.text(value)),
        (chosen, value),
        xytext=(-9 if late else 9, 9),
        textcoords="offset points",
        ha="right" if late else "left",
        color=_KNEE,
        fontweight="bold",
    )


def _page(title: str, svg: str, lines: Sequence[str]) -> str:
    """Return a page that needs nothing from elsewhere."""
    picture = svg[svg.index("<svg") :]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title>
<style>
body {{ margin: 2rem auto; max-width: 66rem; padding: 0 1rem; color: {_INK};
  font: 15px/1.5 system-ui, sans-serif; }}
svg {{ width: 100%; height: auto; }}
pre {{ padding: 1rem; overflow-x: auto; background: #f5f7f9; font-size: 13px; }}
</style>
{picture}
<pre>{html.escape(chr(10).join(lines).strip())}</pre>
</html>
"""
