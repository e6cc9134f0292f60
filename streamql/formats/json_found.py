"""What reading a block of JSON lines finds, put in the order of the lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..rows import Rows
from .decoded import SAMPLE_BYTES, BadEvent, Decoded, numbered
from .json_lines import Index, Lines, TemplateRows
from .json_single import ParsedRows, read_line
from .merged import MergedRows


@dataclass
class Found:
    """What was found in the lines of a block, to be put in order.

    Attributes:
        first: the number of the block's first event.
        line: the number of the block's first line; 0 where lines have no numbers.
        parts: the lines caught by templates.
        texts, values, where: the good events read one by one; (line, number within the line) each.
        wrong: the bad ones: line, number within the line, text, reason.
        counts: how many events a line has, if that is not one.
    """

    first: int
    line: int
    parts: list[tuple[Index, Lines]] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    where: list[tuple[int, int]] = field(default_factory=list)
    wrong: list[tuple[int, int, bytes, str]] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)

    def single(self, number: int, line: bytes, longest: int, deepest: int) -> None:
        """Read a line on its own."""
        if len(line) - line.endswith(b"\r") > longest:
            self.wrong.append((number, 0, line[:longest], f"longer than {longest:,} bytes"))
            return
        events = read_line(line, deepest)
        if len(events) != 1:
            self.counts[number] = len(events)
        for inner, (text, value) in enumerate(events):
            if isinstance(value, str):
                self.wrong.append((number, inner, text, value))
            else:
                self.texts.append(text)
                self.values.append(value)
                self.where.append((number, inner))

    def decoded(self, lines: int) -> Decoded:
        """Return all events of the block, numbered, in their order."""
        if len(self.parts) == 1 and len(self.parts[0][0]) == lines:
            return numbered(TemplateRows(self.parts[0][1]), self.first)
        counts = np.ones(lines, np.int64)
        for line, each in self.counts.items():
            counts[line] = each
        numbers = self.first + np.cumsum(counts) - counts
        parts: list[Rows] = [TemplateRows(found) for _, found in self.parts]
        events: list[Index] = [numbers[index] for index, _ in self.parts]
        if self.values:
            where = np.array(self.where, np.int64)
            parts.append(ParsedRows(self.texts, self.values))
            events.append(numbers[where[:, 0]] + where[:, 1])
        bad = tuple(
            BadEvent(
                int(numbers[line]) + inner,
                reason,
                text[:SAMPLE_BYTES],
                self.line + line if self.line else None,
            )
            for line, inner, text, reason in self.wrong
        )
        if not parts:
            return Decoded(ParsedRows([], []), np.empty(0, np.int64), bad)
        if len(parts) == 1:
            return Decoded(parts[0], events[0], bad)
        together = np.concatenate(events)
        order = np.argsort(together, kind="stable")
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        ends = np.cumsum([len(e) for e in events])[:-1]
        return Decoded(MergedRows(parts, np.split(places, ends)), together[order], bad)
