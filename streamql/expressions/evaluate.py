"""Evaluation of bound expressions over a batch: one column per expression.

Branches are evaluated for the rows that reach them only: `CASE WHEN b <> 0 THEN a / b ...` must
not divide by zero. Equal calls that always give the same value are computed once a batch.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..batch import Batch
from ..column import Column, combine, constant
from ..errors import InternalError, RunError
from ..extract import extract
from ..functions.conversion import cast_to
from ..functions.registry import Volatility
from ..rows import ColumnRows
from ..spread import SpreadRows
from ..text import mask_of
from ..types import Type
from .nodes import (
    CALLS,
    Aggregation,
    Analytic,
    Call,
    Case,
    Cast,
    Coalesce,
    Expr,
    Extract,
    Field,
    IsNull,
    Lifted,
    Literal,
    Logic,
    MakeRecord,
    Not,
    OneOf,
    Timestamp,
    Whole,
    WindowIdentity,
    can_fail,
)

Rows = NDArray[np.int64]


class Evaluation:
    """The values of expressions over one batch; keeps what it has computed."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._known: dict[Expr, Column] = {}

    def column(self, expr: Expr) -> Column:
        """Return one value per row of the batch.

        Raises DataError or FunctionError with the place in the query and the event's number.
        """
        known = self._known.get(expr)
        if known is None:
            known = self._evaluate(expr)
            if not (isinstance(expr, Call) and expr.function.volatility is Volatility.VOLATILE):
                self._known[expr] = known
        return known

    def truth(self, expr: Expr) -> NDArray[np.bool_]:
        """Return a mask of the rows for which a condition is true; unknown counts as false."""
        return _truth(self.column(expr), self.batch.count)

    def _evaluate(self, expr: Expr) -> Column:
        batch = self.batch
        match expr:
            case Literal(value=value):
                return constant(value, batch.count)
            case Field(relation=relation, path=path):
                return batch.relations[relation].field(path)
            case Whole(relation=relation):
                return batch.relations[relation].record()
            case Lifted(name=name):
                return batch.relations[CALLS].field((name,))
            case Timestamp():
                return Column(Type.DATETIME, pa.array(batch.times))
            case Extract(value=value, path=path):
                return extract(self.column(value), path)
            case MakeRecord(items=items):
                return self._record(items)
            case Call() | Cast():
                return self._apply(expr)
            case Case():
                return self._case(expr)
            case Coalesce(values=values):
                return self._coalesce(values)
            case Logic() | Not() | IsNull() | OneOf():
                return self._condition(expr)
            case Aggregation() | Analytic() | WindowIdentity():
                raise InternalError(f"{type(expr).__name__} outside its operator")
            case _:
                assert_never(expr)

    def _condition(self, expr: Logic | Not | IsNull | OneOf) -> Column:
        match expr:
            case Logic():
                return self._logic(expr)
            case Not(value=value):
                inner = self.column(value)
                return inner if inner.type is Type.NULL else _bit(pc.invert(inner.values))
            case IsNull(value=value, negated=negated):
                known = self.column(value).valid()
                return _bit(pa.array(known if negated else ~known))
            case OneOf():
                return self._one_of(expr)
            case _:
                assert_never(expr)

    def _apply(self, expr: Call | Cast) -> Column:
        try:
            if isinstance(expr, Cast):
                return cast_to(self.column(expr.value), expr.type, expr.lenient)
            if expr.function.takes_fields:
                fields = self._fields(expr.arguments[0])
                if fields:
                    found = expr.function.call_fields(fields, self.batch.count)
                    if found is not None:
                        return found
            columns = [self.column(a) for a in expr.arguments]
            if expr.function.by_event:
                columns.append(Column(Type.DATETIME, pa.array(self.batch.times)))
                columns.append(Column(Type.BIGINT, pa.array(self.batch.events)))
            return expr.function.call(columns, self.batch.count)
        except RunError as error:
            raise self._placed(error, expr) from None

    def _fields(self, expr: Expr) -> dict[str, Column] | None:
        """Return the fields of a record without making the record, where that is possible."""
        match expr:
            case Whole(relation=relation):
                rows = self.batch.relations[relation]
                return rows.columns if isinstance(rows, ColumnRows) and not rows.absent else None
            case MakeRecord(items=items) if all(name is not None for name, _ in items):
                return {str(name): self.column(value) for name, value in items}
            case _:
                return None

    def _placed(self, error: RunError, expr: Expr) -> RunError:
        error.at(expr.span)
        if error.event is None and error.row is not None and error.row < self.batch.count:
            # 0: the row was made of several events
            error.event = int(self.batch.events[error.row]) or None
        return error

    def _record(self, items: tuple[tuple[str | None, Expr], ...]) -> Column:
        named = [(name, self.column(value)) for name, value in items]
        if all(name is not None for name, _ in named):
            columns = {name: column for name, column in named if name is not None}
            return ColumnRows(columns, self.batch.count).record()
        return SpreadRows.of_columns(named, self.batch.count).record()

    def _on(self, rows: Rows, expr: Expr) -> Column:
        """Evaluate an expression for some rows only."""
        if isinstance(expr, Literal):
            return constant(expr.value, len(rows))
        if isinstance(expr, Field | Lifted) or expr in self._known:
            return self.column(expr).take(rows)
        return Evaluation(self.batch.take(rows)).column(expr)

    def _case(self, expr: Case) -> Column:
        left = np.arange(self.batch.count)
        pieces: list[tuple[Rows | None, Column]] = []
        for condition, result in expr.branches:
            if len(left) == 0:
                break
            chosen = (
                self.truth(condition)
                if len(left) == self.batch.count
                else _truth(self._on(left, condition), len(left))
            )
            taken = left[chosen]
            if len(taken):
                pieces.append((taken, self._on(taken, result)))
                left = left[~chosen]
        if len(left) == self.batch.count and len(left):
            return self.column(expr.otherwise)
        if len(left):
            pieces.append((left, self._on(left, expr.otherwise)))
        return combine(self.batch.count, pieces)

    def _coalesce(self, values: tuple[Expr, ...]) -> Column:
        left = np.arange(self.batch.count)
        pieces: list[tuple[Rows | None, Column]] = []
        for value in values:
            if len(left) == 0:
                break
            column = self._on(left, value) if pieces else self.column(value)
            known = column.valid()
            if known.all() and not pieces:
                return column
            pieces.append((left[known], column.filter(known)))
            left = left[~known]
        return combine(self.batch.count, pieces)

    def _logic(self, expr: Logic) -> Column:
        both = pc.and_kleene if expr.operator == "and" else pc.or_kleene
        left = _condition(self.column(expr.left), self.batch.count)
        if not can_fail(expr.right):
            return _bit(both(left, _condition(self.column(expr.right), self.batch.count)))
        # the right side may fail or be dear: it is asked only where the left does not decide
        decided = mask_of(pc.invert(left) if expr.operator == "and" else left)
        open_rows = np.flatnonzero(~decided)
        if len(open_rows) == 0:
            return _bit(left)
        right = _condition(self._on(open_rows, expr.right), len(open_rows))
        result = combine(
            self.batch.count,
            [
                (np.flatnonzero(decided), _bit(left.filter(pa.array(decided)))),
                (open_rows, _bit(both(left.take(pa.array(open_rows)), right))),
            ],
        )
        return result if result.type is Type.BIT else _bit(pa.nulls(self.batch.count, pa.bool_()))

    def _one_of(self, expr: OneOf) -> Column:
        value = self.column(expr.value)
        if value.type in (Type.TEXT, Type.BIGINT):
            wanted = [
                i.value for i in expr.items if isinstance(i, Literal) and i.type is value.type
            ]
            if len(wanted) == len(expr.items):
                found = pc.is_in(value.values, pa.array(wanted, value.values.type))
                unknown = pa.scalar(None, pa.bool_())
                return _bit(pc.if_else(value.values.is_valid(), found, unknown))
        found = pa.repeat(pa.scalar(False), self.batch.count)
        for item in expr.items:
            same = expr.equals.call([value, self.column(item)], self.batch.count)
            found = pc.or_kleene(found, _condition(same, self.batch.count))
        return _bit(found)


def _bit(values: pa.Array) -> Column:
    return Column(Type.BIT, values)


def _condition(column: Column, count: int) -> pa.BooleanArray:
    if column.type is Type.NULL:
        return pa.nulls(count, pa.bool_())
    if column.type is not Type.BIT:
        raise InternalError(f"a condition of type {column.type}")
    return column.values


def _truth(column: Column, count: int) -> NDArray[np.bool_]:
    return mask_of(_condition(column, count))


def evaluate_constant(expr: Expr) -> Literal | None:
    """Return the value of an expression without fields as a literal; None if it fails or is none.

    Folding must not move a run-time error to compile time, so failures leave the call as it is.
    """
    one = np.zeros(1, np.int64)
    try:
        column = Evaluation(Batch({}, one, one)).column(expr)
    except (RunError, KeyError):
        return None
    if column.type in (Type.DATETIME, Type.RECORD, Type.ARRAY, Type.ANY, Type.NUMBER):
        return None
    value = column.to_pylist()[0]
    return Literal(Type.NULL if value is None else column.type, expr.span, value)
