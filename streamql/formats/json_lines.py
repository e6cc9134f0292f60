"""JSON lines of one shape, read as columns without parsing each line.

For a whole block numpy finds the quotes; the edges between literals and values follow from them.
The literal bytes of all lines are brought together by one Arrow `take` and compared with the
template's at once, and every value that is no string is judged. A line that differs in one byte of
a literal goes another way (`json_read`), so a template is never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..column import Column, nulls
from ..extract import extract
from ..rows import Rows, find
from ..text import every_second, first_bytes, loads, mask_of, string_array
from ..types import Type
from .json_legal import MAX_DEPTH, legal
from .json_template import Node, Place, Template

Index = NDArray[np.int64]
Edges = NDArray[np.int32]

_CHUNK = 8192  # lines whose quote positions are looked at together: they stay in the cache

# What makes the text of a record or array differ from the one the parser's values would give:
# blanks, escapes, exponents, zeros at the end of a fraction, long or tiny numbers, minus zero, and
# objects inside of arrays (they may have a key twice). It may hit too much (inside of strings).
_UNUSUAL = r"\s|\\|[0-9][eE]|\.[0-9]+0[,\]}]|[0-9.]{16}|-0|0\.0000|\[.*\{"


@dataclass(slots=True)
class Block:
    """Whole lines of an input.

    Attributes:
        data: the bytes of the lines.
        escapes: whether there is a backslash anywhere.
        starts, ends: where the lines are, without their line ends.
        quotes: where the quotes are that begin and end strings.
        firsts: for each line the index of its first quote, and at last their number.
    """

    data: bytes
    escapes: bool
    starts: Edges
    ends: Edges
    quotes: Edges
    firsts: Index

    def counts(self) -> Index:
        """Return how many quotes each line has."""
        return np.diff(self.firsts)


@dataclass(slots=True)
class Lines:
    """Lines of one template: `edges` holds two offsets into the buffer for each literal.

    Read as the offsets of one string array, the edges of all lines cut the buffer into `pieces`: a
    literal, a slot, a literal, ..., and after the last literal of a line what lies before the next.
    """

    buffer: pa.Buffer
    template: Template
    edges: Edges
    texts: dict[int, pa.StringArray] = field(default_factory=dict)
    kinds: dict[int, Type] = field(default_factory=dict)
    pieces: pa.StringArray = field(init=False)

    def __post_init__(self) -> None:
        self.pieces = string_array(self.edges, self.buffer)

    def __len__(self) -> int:
        return len(self.edges)

    def places(self, place: Place, chosen: Index | None = None) -> Edges:
        """Return a place of the template in all or in the chosen lines."""
        column = self.edges[:, place.edge]
        return (column if chosen is None else column[chosen]) + np.int32(place.distance)

    def text(self, node: Node, chosen: Index | None = None) -> pa.StringArray:
        """Return the texts of a node; `chosen` lines must rise."""
        whole = None if node.members is not None else self.texts.get(node.start.edge)
        if whole is not None:
            return whole if chosen is None else whole.take(pa.array(chosen))
        if node.members is None:
            return self.slot(node.start.edge, chosen)
        starts, ends = self.places(node.start, chosen), self.places(node.end, chosen)
        return every_second(pa.string(), self.buffer, np.column_stack((starts, ends)))

    def slot(self, edge: int, chosen: Index | None) -> pa.StringArray:
        """Return the texts between an edge and the next."""
        step = self.edges.shape[1]
        if chosen is not None:
            return self.pieces.take(pa.array((chosen * step + edge).astype(np.int32)))
        index = np.arange(edge, self.edges.size, step, dtype=np.int32)
        return pc.take(self.pieces, pa.array(index), boundscheck=False)


def match(
    block: Block, template: Template, candidates: Index, max_depth: int = MAX_DEPTH
) -> tuple[Index, Lines] | None:
    """Return those of the candidate lines that have the template's form, None if none has.

    The candidates must have the template's number of quotes, and rise.
    """
    buffer = pa.py_buffer(block.data)
    edges = _edges(block, template, candidates)
    ordered = (edges[:, 0] == block.starts[candidates]) & (edges[:, -1] == block.ends[candidates])
    if not _rising(edges.reshape(-1)):
        for slot in range(1, edges.shape[1] - 1, 2):
            ordered &= edges[:, slot] <= edges[:, slot + 1]
    chosen, edges = _keep(ordered, candidates, edges)
    if len(chosen) == 0:
        return None
    same = _same_literals(buffer, template, edges)
    if same is not None:
        chosen, edges = _keep(same, chosen, edges)
    if len(chosen) == 0:
        return None
    lines = Lines(buffer, template, edges)
    good: NDArray[np.bool_] | None = None
    for node in template.bare:
        texts = lines.text(node)
        fine, kind = legal(texts, max_depth)
        slot = node.start.edge
        lines.texts[slot] = texts
        if kind is not None:
            lines.kinds[slot] = kind
        if fine is not None:
            good = fine if good is None else good & fine
    for node in template.strings if block.escapes else ():
        texts, fine = _decoded(lines.text(node))
        lines.texts[node.start.edge] = texts
        if fine is not None:
            good = fine if good is None else good & fine
    if good is not None:
        chosen, edges = _keep(good, chosen, edges)
        if len(chosen) == 0:
            return None
        rows = pa.array(np.flatnonzero(good))
        kept = {slot: texts.take(rows) for slot, texts in lines.texts.items()}
        lines = Lines(buffer, template, edges, kept)
    return chosen, lines


def _decoded(texts: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_] | None]:
    """Return the contents of JSON strings with their escapes decoded, and which are legal.

    None means that all are. Those with an escape are parsed one by one (0.3 µs each).
    """
    escaped = mask_of(pc.match_substring(texts, "\\"))
    rows = np.flatnonzero(escaped)
    if len(rows) == 0:
        return texts, None
    fine = np.ones(len(texts), bool)
    values: list[str] = []
    for row, text in zip(rows.tolist(), texts.take(pa.array(rows)).to_pylist(), strict=True):
        try:
            values.append(orjson.loads(f'"{text}"'))
        except orjson.JSONDecodeError:
            fine[row] = False
            values.append("")
    decoded = pc.replace_with_mask(texts, pa.array(escaped), pa.array(values, pa.string()))
    return decoded, (None if bool(fine.all()) else fine)


def _rising(places: Edges) -> bool:
    """Tell whether no place lies before the one before it."""
    return bool((places[1:] >= places[:-1]).all())


def _keep(mask: NDArray[np.bool_], lines: Index, edges: Edges) -> tuple[Index, Edges]:
    """Return the lines of the mask; most often those are all."""
    return (lines, edges) if bool(mask.all()) else (lines[mask], edges[mask])


def _edges(block: Block, template: Template, lines: Index) -> Edges:
    """Return start and end of each literal (columns) in each line (rows)."""
    literals = template.literals
    wanted = np.array([x.quote for x in literals if x.quote >= 0], np.int64)
    lengths = np.array([len(x.text) for x in literals], np.int32)
    inside = np.array([x.inside for x in literals], np.int32)
    edges = np.empty((len(lines), 2 * len(literals)), np.int32)
    uniform = len(lines) == len(block.starts)
    table = block.quotes.reshape(len(lines), -1) if uniform else None
    for start in range(0, len(lines), _CHUNK):
        part = slice(start, start + _CHUNK)
        if table is not None:
            found = table[part].take(wanted, axis=1)
        else:
            found = block.quotes[block.firsts[lines[part]][:, None] + wanted]
        if len(wanted) < len(literals):  # the last literal has no quote
            found = np.column_stack((found, block.ends[lines[part]]))
        found -= inside
        edges[part, 0::2] = found
        found += lengths
        edges[part, 1::2] = found
    return edges


def _same_literals(buffer: pa.Buffer, template: Template, edges: Edges) -> NDArray[np.bool_] | None:
    """Return which lines have the template's literals between their edges; None: all have."""
    found = every_second(pa.binary(), buffer, np.ascontiguousarray(edges)).buffers()[2]
    size = len(edges) * template.width
    expected = template.expected(len(edges))
    if found.slice(0, size).equals(expected):
        return None
    shape = (len(edges), template.width)
    raw = np.frombuffer(found, np.uint8)[:size].reshape(shape)
    same: NDArray[np.bool_] = (raw == np.frombuffer(expected, np.uint8)[: template.width]).all(
        axis=1
    )
    return same


class TemplateRows(Rows):
    """Events of one template; a field is decoded when it is first asked for, for the rows left."""

    def __init__(self, lines: Lines, chosen: Index | None = None) -> None:
        self._lines = lines
        self._chosen = chosen
        self._cache: dict[tuple[str, ...], Column] = {}

    def __len__(self) -> int:
        return len(self._lines) if self._chosen is None else len(self._chosen)

    def take(self, rows: Index) -> Rows:
        chosen = rows if self._chosen is None else self._chosen[rows]
        if len(chosen) > 1 and bool((np.diff(chosen) <= 0).any()):
            rising, order = np.unique(chosen, return_inverse=True)
            return Reordered(TemplateRows(self._lines, rising), order)
        taken = TemplateRows(self._lines, chosen)
        taken._cache = {path: column.take(rows) for path, column in self._cache.items()}
        return taken

    def field(self, path: tuple[str, ...]) -> Column:
        if path not in self._cache:
            self._cache[path] = self._decode(path) if path else self.record()
        return self._cache[path]

    def record(self) -> Column:
        return Column(Type.RECORD, self._lines.text(self._lines.template.root, self._chosen))

    def _decode(self, path: tuple[str, ...]) -> Column:
        node = self._lines.template.root
        for depth, name in enumerate(path):
            if node.members is None:
                return extract(self._value(node), path[depth:])
            known = find(name, node.members)
            if known is None:
                return nulls(len(self))
            node = node.members[known]
        return self._value(node)

    def _value(self, node: Node) -> Column:
        texts = self._lines.text(node, self._chosen)
        if node.string:
            return Column(Type.TEXT, texts)
        if node.members is not None:
            return Column(Type.RECORD, _usual(texts))
        kind = self._lines.kinds.get(node.start.edge)
        if kind is Type.BIGINT:
            return Column(kind, texts.cast(pa.int64()))
        if kind is Type.FLOAT:
            return Column(kind, texts.cast(pa.float64()))
        firsts = first_bytes(texts)
        null = firsts == ord("n")
        if null.any():
            texts = _without(texts, null)
        if bool(((firsts == ord("[")) | (firsts == ord("{"))).any()):
            texts = _usual(texts)
        return Column(Type.ANY, texts).normal()


def _without(texts: pa.StringArray, null: NDArray[np.bool_]) -> pa.StringArray:
    """Return the texts with NULL (of no length) where the mask says so."""
    nothing = pa.scalar(None, pa.string())
    return pc.if_else(pa.array(null), nothing, texts)


def _usual(texts: pa.StringArray) -> pa.StringArray:
    """Return JSON texts spelled as the parser's values would be written again.

    So a record has the same text whichever way its line was read.
    """
    rows = np.flatnonzero(mask_of(pc.match_substring_regex(texts, _UNUSUAL)))
    if len(rows) == 0:
        return texts
    # Sequential: for texts spelled unusually only, 1 µs each.
    spelled = [orjson.dumps(value).decode() for value in loads(texts.take(pa.array(rows)))]
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(spelled, pa.string()))


class Reordered(Rows):
    """Rows of another relation in any order, repeats allowed."""

    def __init__(self, rows: Rows, order: Index) -> None:
        self._rows = rows
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def field(self, path: tuple[str, ...]) -> Column:
        return self._rows.field(path).take(self._order)

    def record(self) -> Column:
        return self._rows.record().take(self._order)

    def take(self, rows: Index) -> Reordered:
        return Reordered(self._rows, self._order[rows])
