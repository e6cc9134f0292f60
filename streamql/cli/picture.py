"""The picture of a profile: four small plots, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Sequence
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
        raise UsageError(f"--plot {path}: there is no such folder")
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
            _plot(axes[0][column], points, x, chosen, rates=True)
            _plot(axes[1][column], points, x, chosen, rates=False)
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


def _plot(
    axes: Any, points: list[Point], x: Callable[[Point], int], chosen: int | None, *, rates: bool
) -> None:
    """Draw rows per second, or the latency with the band up to its 95th percentile."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    from .profile_report import seconds

    at = [x(point) for point in points]
    colour = _RATE if rates else _LATENCY
    values = [point.rate if rates else point.median for point in points]
    axes.plot(at, values, color=colour, linewidth=2, marker="o", markersize=4.5, clip_on=False)
    if not rates:
        above = [point.p95 for point in points]
        axes.fill_between(at, values, above, color=colour, alpha=0.16, linewidth=0)
    axes.set_xscale("log")
    axes.set_ylim(
        0,
        max([*(v if rates else p.p95 for v, p in zip(values, points, strict=True)), 0]) * 1.16 or 1,
    )
    axes.set_title(
        "rows per second" if rates else "latency (median, and up to the 95th percentile)",
        loc="left",
        fontsize=9.5,
        color=colour,
        fontweight="bold",
    )
    axes.xaxis.set_major_locator(FixedLocator(at))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value):,}"))
    axes.tick_params(axis="x", rotation=45 if len(at) > 7 else 0, length=3)
    axes.tick_params(axis="y", length=0)
    shown = (
        (lambda value, _: f"{value:,.0f}")
        if rates
        else (lambda value, _: seconds(value) if value else "0")
    )
    axes.yaxis.set_major_formatter(FuncFormatter(shown))
    axes.grid(axis="y", color=_GRID)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if chosen is None or chosen not in at:
        return
    value = values[at.index(chosen)]
    text = f"{value:,.0f}" if rates else seconds(value)
    axes.axvline(chosen, color=_KNEE, linewidth=1, linestyle=(0, (4, 3)))
    axes.plot([chosen], [value], marker="o", markersize=9, color=_KNEE, clip_on=False)
    late = at.index(chosen) >= len(at) / 2
    axes.annotate(
        f"knee {chosen:,}: {text}" if rates else text,
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
