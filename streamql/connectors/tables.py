"""Tables of databases as outputs: which table, with which columns, and how rows fit it.

What is the same for all databases: the options of their URIs, the comparison of columns by name,
and the errors that say what differs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..column import Column
from ..errors import OutputError, UsageError, suggest
from ..types import Array, Type
from .contract import EXACTLY_ONCE
from .fitting import Misfit, Place, fit
from .staged import Part, StagedSink

EPOCHS = "_streamql_epochs"
"""The table in which a database remembers what it has of each job."""

DROPPED = "_streamql_dropped"
"""The table in which it remembers which rows of a job it did not take, made with the first."""

REMEMBERED = 1_000
"""Epochs for which it does: no job keeps more checkpoints that it could fall back to."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which table, and what happens to a row whose key is there already.

    Attributes:
        table: its name, perhaps with a schema before a dot.
        key: the columns of the key; none: rows have no key.
        upsert: a row takes the place of the one with its key; else it is an error.
    """

    table: str
    key: tuple[str, ...] = ()
    upsert: bool = False

    @classmethod
    def of_options(cls, options: Mapping[str, str], others: Sequence[str] = ()) -> Target:
        """Return what `?table=NAME&key=a,b&mode=upsert` asks for; `others` may be given too."""
        known = ("table", "key", "mode", *others)
        for name in options:
            if name not in known:
                hint = suggest(name, known) or f"there are {', '.join(known)}"
                raise UsageError(f"no option {name!r} of a table", hint=hint)
        table = options.get("table", "")
        if not table:
            raise UsageError("the output names no table", hint="put ?table=NAME behind the URI")
        key = tuple(part.strip() for part in options.get("key", "").split(",") if part.strip())
        mode = options.get("mode", "upsert" if key else "append").lower()
        if mode not in ("append", "upsert"):
            raise UsageError(f"mode takes append or upsert, found {options['mode']!r}")
        if mode == "upsert" and not key:
            raise UsageError(
                "mode=upsert needs a key", hint="name the columns of the key: key=id or key=a,b"
            )
        return cls(table, key, mode == "upsert")


class TableSink(StagedSink):
    """Rows into a table, which is made from the first rows when it is missing.

    Attributes:
        types: the type of a new column, by the type of its values; NULL stands for what is unknown.
    """

    delivery = EXACTLY_ONCE
    types: ClassVar[Mapping[Type, str]]

    def __init__(self, name: str, target: Target) -> None:
        super().__init__(name)
        self.target = target
        self.places: dict[str, Place] | None = None  # by name in lower case; None: no table yet
        self._matches: dict[tuple[str, ...], list[Place]] = {}

    # -- what a database does -----------------------------------------------------------------

    @abstractmethod
    def _create(self, definitions: Sequence[tuple[str, str]]) -> None:
        """Make the table with columns (name, type), if it is not there, and set `places`."""

    @abstractmethod
    def _encode(self, array: Array, place: Place) -> Array:
        """Return a fitted column as `_store` wants it."""

    def _pack(self, names: tuple[str, ...], arrays: Sequence[Array]) -> Part:
        return Part(names, tuple(arrays))

    def _quoted_table(self) -> str:
        """Return the table's name for a statement to show."""
        return self.target.table

    # -- rows ---------------------------------------------------------------------------------

    def _fit(self, names: Sequence[str], columns: Sequence[Column]) -> Part:
        columns = [column.normal() for column in columns]
        if self.places is None:
            self._refuse_twins(names)
            self._require_key(names)
            kinds = [self.types[column.type] for column in columns]
            self._create(list(zip(names, kinds, strict=True)))
        places = self._match(tuple(names), columns)
        arrays = []
        worst: OutputError | None = None
        for place, column in zip(places, columns, strict=True):
            try:
                arrays.append(self._encode(fit(column, place), place))
            except Misfit as misfit:
                if worst is None or misfit.row < (worst.row or 0):
                    worst = self._unfit(place, misfit)
        if worst is not None:
            raise worst
        return self._pack(tuple(place.name for place in places), arrays)

    def _unfit(self, place: Place, misfit: Misfit) -> OutputError:
        """Return the error for a value that a column does not take."""
        what = place.declared
        if str(misfit) == "NULL":
            what += " and takes no NULL"
            hint = f"leave such rows out: WHERE {place.name} IS NOT NULL"
        elif str(misfit).startswith("a NUL"):
            hint = "leave it out of the text with REPLACE or REGEXMATCH, or leave out the row"
        else:
            hint = f"CAST {place.name} in the query, or give the column another type"
        return OutputError(
            f"column {place.name} of table {self.target.table} is {what}, and a row holds {misfit}",
            hint=hint,
            row=misfit.row,
        )

    # -- columns ------------------------------------------------------------------------------

    def _match(self, names: tuple[str, ...], columns: Sequence[Column]) -> list[Place]:
        """Return the table's columns for those of the rows. Raises OutputError if they differ."""
        found = self._matches.get(names)
        if found is not None:
            return found
        assert self.places is not None
        self._refuse_twins(names)
        self._require_key(names)
        table, there = self.target.table, _listed([p.name for p in self.places.values()])
        extra = [i for i, name in enumerate(names) if name.lower() not in self.places]
        if extra:
            listed = ", ".join(names[i] for i in extra)
            added = ", ".join(f"ADD COLUMN {names[i]} {self.types[columns[i].type]}" for i in extra)
            raise OutputError(
                f"table {table} has no column {listed}; it has {there}",
                hint=f"ALTER TABLE {self._quoted_table()} {added}, or leave it out of the SELECT",
            )
        given = {name.lower() for name in names}
        for name, place in self.places.items():
            if place.required and not place.default and name not in given:
                raise OutputError(
                    f"column {place.name} of table {table} takes no NULL, and the rows have no "
                    "such column",
                    hint="select it, or give it a default",
                )
        found = self._matches[names] = [self.places[name.lower()] for name in names]
        return found

    def _refuse_twins(self, names: Sequence[str]) -> None:
        """Raise OutputError for columns that a table cannot tell apart."""
        seen: dict[str, str] = {}
        for name in names:
            if name.lower() in seen:
                raise OutputError(
                    f"columns {seen[name.lower()]} and {name} are one column of a table",
                    hint="give one of them another name with AS",
                )
            seen[name.lower()] = name

    def _require_key(self, names: Sequence[str]) -> None:
        """Raise OutputError when rows lack a column of the key."""
        given = {name.lower() for name in names}
        for column in self.target.key:
            if column.lower() not in given:
                hint = suggest(column, names) or "the rows have " + _listed(names)
                raise OutputError(
                    f"the rows have no column {column}, which is in the key", hint=hint
                )

    def _key_places(self) -> list[Place]:
        """Return the columns of the key. Raises OutputError for one that the table lacks."""
        assert self.places is not None
        for column in self.target.key:
            if column.lower() not in self.places:
                there = [place.name for place in self.places.values()]
                hint = suggest(column, there) or "it has " + _listed(there)
                raise OutputError(
                    f"table {self.target.table} has no column {column}, which is in the key",
                    hint=hint,
                )
        return [self.places[column.lower()] for column in self.target.key]

    def _on_conflict(self, names: Sequence[str]) -> str:
        """Return the end of an INSERT of these columns that replaces the row with the same key."""
        key = [place.name for place in self._key_places()]
        changes = ", ".join(f"{quoted(n)} = EXCLUDED.{quoted(n)}" for n in names if n not in key)
        action = f"DO UPDATE SET {changes}" if changes else "DO NOTHING"
        return f"ON CONFLICT ({', '.join(map(quoted, key))}) {action}"

    def _require_unique(self, indexes: Sequence[frozenset[str]]) -> None:
        """Raise OutputError when rows are to be replaced by a key that is not unique."""
        columns = frozenset(place.name for place in self._key_places())
        if self.target.upsert and columns not in indexes:
            listed = ", ".join(place.name for place in self._key_places())
            raise OutputError(
                f"table {self.target.table} has no unique index on its key ({listed})",
                hint=f"CREATE UNIQUE INDEX rows_key ON {self._quoted_table()} ({listed}), "
                "or say mode=append",
            )


def quoted(name: str) -> str:
    """Return a name as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'


def taken(table: str, columns: Sequence[str], values: str, count: int) -> OutputError:
    """Return the error for a row whose key is there already; `values` are the key's, if known."""
    key = ", ".join(columns) + (f" = {values}" if values else "")
    return OutputError(
        f"a row's key is in table {table} already: {key}{lost(count)}",
        hint=f"say key={','.join(columns)}&mode=upsert, so that a row takes the place of the one "
        "with its key",
    )


def lost(count: int) -> str:
    """Return what a message says of the rows of a transaction that failed."""
    if not count:
        return ""
    return f"; the transaction's {count:,} row{'s are' if count > 1 else ' is'} not stored"


LEAVE_OUT = "--set output_errors=drop leaves out such rows; or put the table right and start again"


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names."""
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
