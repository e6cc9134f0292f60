"""Files of expected rows: read in every layout, and written again in the one they have.

| layout   | looks like                                               |
|----------|----------------------------------------------------------|
| lines    | one row a line; also rows of several lines, one by one   |
| array    | `[`, rows with commas between them, `]`                  |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError
from .compare import Comparer, Row

_DECODER = json.JSONDecoder()
_BLANKS = " \t\r\n"


@dataclass(frozen=True)
class RowFile:
    """The rows of a file, each with its text, and how they lie there.

    Integers stay integers of any size.
    """

    rows: tuple[Row, ...] = ()
    texts: tuple[str, ...] = ()
    array: bool = False
    line_end: str = "\n"

    @classmethod
    def read(cls, path: Path) -> RowFile:
        """Return the rows of a file. Raises UsageError."""
        try:
            raw = path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            raise UsageError(f"cannot read the expected rows {path}: {reason}") from None
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{path} is not UTF-8 text (byte {error.start + 1})", hint="save it as UTF-8"
            ) from None
        try:
            found = _parse(raw)
        except ValueError as error:
            raise UsageError(f"{path}: {error}", hint="one JSON object a line") from None
        return replace(found, line_end="\r\n" if "\r\n" in raw else "\n")

    def updated(self, rows: Sequence[Row], comparer: Comparer) -> RowFile:
        """Return a file of these rows; those that were here keep their text and their order.

        In an ordered case the order is that of the new rows.
        """
        rest = list(rows)
        kept: list[tuple[int, Row, str]] = []
        for row, text in zip(self.rows, self.texts, strict=True):
            place = next((i for i, new in enumerate(rest) if comparer.rows_equal(new, row)), None)
            if place is not None:
                kept.append(
                    (next(i for i, new in enumerate(rows) if new is rest[place]), row, text)
                )
                del rest[place]
        places = {id(row): i for i, row in enumerate(rows)}
        fresh = [(places[id(row)], row, _dump(row)) for row in rest]
        all_of_them = sorted(kept + fresh, key=_place) if comparer.ordered else kept + fresh
        return replace(
            self,
            rows=tuple(row for _, row, _ in all_of_them),
            texts=tuple(text for *_, text in all_of_them),
        )

    def write(self, path: Path) -> None:
        """Write the file; raises UsageError."""
        if self.array:
            body = ",\n".join(self.texts)
            text = f"[\n{body}\n]\n" if self.texts else "[]\n"
        else:
            text = "".join(f"{row}\n" for row in self.texts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.replace("\r\n", "\n").replace("\n", self.line_end).encode())
        except OSError as error:
            reason = (error.strerror or "not writable").lower()
            raise UsageError(f"cannot write the expected rows {path}: {reason}") from None


def _dump(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _place(numbered: tuple[int, Row, str]) -> int:
    return numbered[0]


def _parse(text: str) -> RowFile:
    at = _skip(text, 0)
    array = text.startswith("[", at)
    rows: list[Row] = []
    texts: list[str] = []
    at = _skip(text, at + 1) if array else at
    while at < len(text) and not (array and text[at] == "]"):
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError as error:
            line = text.count("\n", 0, error.pos) + 1
            raise ValueError(f"line {line}: no JSON: {error.msg.lower()}") from None
        if not isinstance(value, dict):
            line = text.count("\n", 0, at) + 1
            raise ValueError(  # noqa: TRY004 - of the file's text, not of an argument
                f"line {line}: a row is a JSON object, found {text[at:end][:40]}"
            )
        rows.append(value)
        texts.append(text[at:end])
        at = _skip(text, end)
        if array and text.startswith(",", at):
            at = _skip(text, at + 1)
    return RowFile(tuple(rows), tuple(texts), array)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
