"""An explanation as a graph: a Mermaid flowchart, or an SVG drawing that needs nothing else.

Steps stand in layers: each one below all that it reads. Within a layer they are put in the order of
what they read, which keeps lines from crossing where they need not.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterator

from .model import Explanation, Step

_SHOWN = ("where", "columns", "keys", "bounds", "computes", "timestamp by", "policy", "keeps",
          "drops", "batches", "model", "from", "to", "delivery", "volatile")  # fmt: skip
"""The facts that a box has room for."""
_CHARACTERS = 38
_LINES = 3
_FILLS = {
    "input": "#e3f1ff", "output": "#e2f6e9", "score": "#fff1db", "group": "#f1e9ff",
    "join": "#f1e9ff", "lookup": "#f1e9ff", "analyze": "#f1e9ff", "match": "#f1e9ff",
}  # fmt: skip
_WIDTH, _LINE, _GAP_X, _GAP_Y, _PAD = 270, 15, 34, 44, 10


def as_mermaid(found: Explanation) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart."""
    yield "flowchart TD"
    for step in found.steps:
        lines = [f"<b>{_escaped(step.title)}</b>", *(_escaped(x) for x in _lines(step))]
        left, right = {"input": ("[(", ")]"), "output": ("([", "])")}.get(step.kind, ("[", "]"))
        yield f'    s{step.number}{left}"{"<br/>".join(lines)}"{right}'
    for step in found.steps:
        for source in step.reads:
            rows = found.steps[source - 1].measured
            label = f'|"{rows.rows_out:,} rows"|' if rows is not None else ""
            yield f"    s{source} -->{label} s{step.number}"


def _escaped(text: str) -> str:
    """Return a text that Mermaid shows as it is: its own entities are #35; and the like."""
    special = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(special.get(c, c) for c in text)


def as_svg(found: Explanation) -> str:
    """Return a drawing of the graph."""
    layers = _layers(found)
    heights = {s.number: _PAD * 2 + _LINE * (1 + len(_lines(s))) for s in found.steps}
    widest = max(len(layer) for layer in layers)
    total = widest * (_WIDTH + _GAP_X) + _GAP_X
    corners: dict[int, tuple[float, float]] = {}
    y = float(_GAP_Y) / 2
    for layer in layers:
        x = (total - len(layer) * (_WIDTH + _GAP_X) + _GAP_X) / 2
        for step in layer:
            corners[step.number] = (x, y)
            x += _WIDTH + _GAP_X
        y += max(heights[s.number] for s in layer) + _GAP_Y
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{y:.0f}" '
        f'viewBox="0 0 {total} {y:.0f}" font-family="sans-serif" font-size="11">',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#56657a"/>'
        "</marker></defs>",
        f'<rect width="{total}" height="{y:.0f}" fill="#ffffff"/>',
    ]
    middle = _WIDTH / 2
    for step in found.steps:
        x2, y2 = corners[step.number]
        for source in step.reads:
            x1, y1 = corners[source]
            parts.append(_edge(x1 + middle, y1 + heights[source], x2 + middle, y2))
    read = {source for step in found.steps for source in step.reads}
    for step in found.steps:
        x, y = corners[step.number]
        parts += _box(step, x, y, heights[step.number])
        if step.measured is not None and step.number in read:
            parts.append(_count(step.measured.rows_out, x + middle, y + heights[step.number]))
    return "\n".join((*parts, "</svg>"))


def _edge(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line that goes down behind other boxes and bends in the gap above its target."""
    above = max(y1, y2 - _GAP_Y)
    bend = (y2 - above) / 2
    return (
        f'<path d="M{x1:.0f},{y1:.0f} L{x1:.0f},{above:.0f} C{x1:.0f},{above + bend:.0f} '
        f'{x2:.0f},{y2 - bend:.0f} {x2:.0f},{y2:.0f}" fill="none" stroke="#56657a" '
        'marker-end="url(#end)"/>'
    )


def _count(rows: int, x: float, y: float) -> str:
    """Return the rows that leave a box, below its middle."""
    return (
        f'<text x="{x + 6:.0f}" y="{y + 14:.0f}" fill="#56657a" stroke="#ffffff" '
        f'stroke-width="3" paint-order="stroke">{rows:,} rows</text>'
    )


def _box(step: Step, x: float, y: float, height: int) -> Iterator[str]:
    fill = _FILLS.get(step.kind, "#f4f6f8")
    yield (
        f'<g><title>{html.escape(step.title)}</title><rect x="{x:.0f}" y="{y:.0f}" '
        f'width="{_WIDTH}" height="{height}" rx="6" fill="{fill}" stroke="#9aa7b6"/>'
    )
    title = textwrap.shorten(step.title, _CHARACTERS, placeholder="…")
    at = y + _PAD + _LINE - 4
    yield (
        f'<text x="{x + _PAD:.0f}" y="{at:.0f}" font-weight="bold" font-size="12" '
        f'fill="#1f2933">{html.escape(title)}</text>'
    )
    for number, line in enumerate(_lines(step), 1):
        yield (
            f'<text x="{x + _PAD:.0f}" y="{at + number * _LINE:.0f}" fill="#3b4754">'
            f"{html.escape(line)}</text>"
        )
    yield "</g>"


def _layers(found: Explanation) -> list[list[Step]]:
    depth: dict[int, int] = {}
    for step in found.steps:
        depth[step.number] = 1 + max((depth[s] for s in step.reads), default=-1)
    layers: list[list[Step]] = [[] for _ in range(max(depth.values()) + 1)]
    for step in found.steps:
        layers[depth[step.number]].append(step)
    place: dict[int, float] = {}
    for layer in layers:
        layer.sort(
            key=lambda s: (
                sum(place[r] for r in s.reads) / len(s.reads) if s.reads else 0,
                s.number,
            )
        )
        for at, step in enumerate(layer):
            place[step.number] = at - (len(layer) - 1) / 2
    return layers


def _lines(step: Step) -> list[str]:
    """Return the facts that a box shows, each cut to a few lines."""
    lines: list[str] = []
    for label, text in step.facts:
        if label in _SHOWN:
            whole = textwrap.wrap(f"{label}: {text}", _CHARACTERS + 4)
            if len(whole) > _LINES:
                whole = [*whole[: _LINES - 1], whole[_LINES - 1][:_CHARACTERS] + "…"]
            lines += whole
    return lines
