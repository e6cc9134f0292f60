"""MLflow's model server: dataframe_records or inputs, and "predictions" back."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..place import Found, Place, Question, Reply
from .protocol import BadAnswer, Protocol, Text, member, results

_NULL = b"null,"


@dataclass(frozen=True)
class MLflow(Protocol):
    """`mlflow models serve`. Records are the rows of a data frame, arrays those of a matrix."""

    name: ClassVar[str] = "mlflow"

    def body(self, rows: Sequence[Text]) -> bytes:
        # the first row that is not null tells which rows these are
        head = next((found for one in rows if (found := _head(one))), b"")
        key = b'{"dataframe_records":[' if head.startswith(b"{") else b'{"inputs":['
        return b"".join((key, *rows, b"]}"))

    def rows(self, answer: object) -> list[object]:
        found = member(answer, "predictions")
        if not isinstance(found, dict):
            return results(found)
        # named tensors: one list per output
        columns = [results(column) for column in found.values()]
        if len({len(column) for column in columns}) != 1:
            raise BadAnswer("outputs of different lengths")
        return [dict(zip(found, row, strict=True)) for row in zip(*columns, strict=True)]

    def address(self, place: Place) -> str:
        return place.url if place.path else place.with_path("/invocations")

    @classmethod
    def discover(cls, place: Place) -> Generator[Question, Reply, Found | None]:
        folder = place.path.rpartition("/")[0]
        ping = yield Question(place.at(f"{folder}/ping"))
        # others have /ping as well, and say something there
        return Found() if ping.status == 200 and not ping.body.strip() else None


def _head(piece: Text) -> bytes:
    """Return the beginning of a piece's first row that is not null, b"" when there is none."""
    head = bytes(piece[: len(_NULL)])
    if not head.startswith(b"null"):
        return head
    whole, start = bytes(piece), 0  # copied only where nulls come first
    while whole.startswith(_NULL, start):
        start += len(_NULL)
    head = whole[start : start + len(_NULL)]
    return b"" if head == b"null" else head
