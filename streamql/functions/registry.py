"""What a function is, how an overload is chosen, and where functions are found by name.

A function works on columns: `call(columns, count) -> Column`. The caller cannot tell built-in,
JavaScript, Python and remote functions apart. Built-in functions are lists of overloads; which one
runs is decided by the types of the columns that arrive, once per batch. A column of mixed types is
split by type, each part goes to its overload, and the results are put together again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ..column import Column, combine, nulls
from ..errors import BindError, DataError, Span
from ..types import STORAGE, Array, Type
from .implicit import ARTICLES, convert
from .split import by_type, each_group

Kernel = Callable[..., "Array | Column"]


class Volatility(Enum):
    """How far a call may be folded: IMMUTABLE at bind time, STABLE once a batch, VOLATILE never."""

    IMMUTABLE = "immutable"
    STABLE = "stable"
    VOLATILE = "volatile"


class Function(ABC):
    """Something a query can call on values of one row.

    With `by_event`, `call` gets two more columns behind the arguments: the time of each row
    (datetime) and the number of its event (bigint). With `takes_fields`, `call_fields` is asked
    first for calls on one record. With `drops`, rows for which it fails leave the stream: an
    operator of its own calls it (`dropping.Dropping`). `unmade`: what is wrong with it was told.
    """

    name: str
    volatility: Volatility = Volatility.IMMUTABLE
    remote: ClassVar[bool] = False
    external: ClassVar[bool] = True
    can_fail: bool = True
    by_event: bool = False
    drops: ClassVar[bool] = False
    takes_fields: ClassVar[bool] = False
    unmade: ClassVar[bool] = False

    @abstractmethod
    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        """Return the type of a call on arguments of these types (`any`: not known yet).

        Raises BindError, placed at `span` or at the argument's span, when no overload can fit.
        """

    def call_fields(self, given: Mapping[str, Column], count: int) -> Column | None:
        """Return the values for records given by their fields; None to be called with records."""
        return None

    @abstractmethod
    def call(self, columns: Sequence[Column], count: int) -> Column:
        """Return one value per row. Raises DataError or FunctionError with `row` set."""

    def close(self) -> None:
        """Give back what is held; most hold nothing."""


@dataclass(frozen=True, slots=True)
class Overload:
    """One signature and its kernel.

    `takes` are the parameter types; `any` takes whatever comes (the kernel gets the column as it
    is, mixed or not); `number` takes bigint and float mixed, as float64 values. With `variadic` the
    last parameter may be repeated. With `single`, columns of mixed types are split before the
    kernel sees them, even where it takes `any`.
    """

    takes: tuple[Type, ...]
    returns: Type
    kernel: Kernel
    variadic: bool = False
    single: bool = False

    def fit(self, count: int) -> tuple[Type, ...] | None:
        """Return the parameter types for `count` arguments, None if so many do not fit."""
        if count == len(self.takes):
            return self.takes
        if self.variadic and count > len(self.takes):
            return self.takes + (self.takes[-1],) * (count - len(self.takes))
        return None


@dataclass(frozen=True, eq=False)
class ScalarFunction(Function):
    """A built-in function.

    Attributes:
        handles_null: kernels see NULL arguments; otherwise a NULL argument gives NULL.
        casts: implicit conversions allowed beside bigint to float and ISO text to datetime.
        infix: the operator's sign, for messages and `explain`; None for a named function.
        hint: what to do when no overload fits; None lists the overloads.
        words: what a call writes before its arguments (the time unit of the date functions).
    """

    external: ClassVar[bool] = False

    name: str
    overloads: tuple[Overload, ...] = ()
    handles_null: bool = False
    casts: frozenset[tuple[Type, Type]] = frozenset()
    volatility: Volatility = Volatility.IMMUTABLE
    can_fail: bool = False
    infix: str | None = None
    hint: str | None = None
    words: tuple[str, ...] = ()
    family: str = ""
    documentation: str = ""

    def check(self, types: Sequence[Type], span: Span, spans: Sequence[Span]) -> Type:
        fitting = [o for o in self.overloads if o.fit(len(types)) is not None]
        if not fitting:
            raise BindError(
                f"{self.name} takes {self._counts()}, found {len(types) + len(self.words)}",
                span,
                self._usage(),
            )
        possible = [o for o in fitting if self._distance(o, types) is not None]
        if possible:
            if any(t in (Type.ANY, Type.NULL, Type.NUMBER) for t in types):
                returns = {o.returns for o in possible}
                return returns.pop() if len(returns) == 1 else Type.ANY
            return min(possible, key=lambda o: self._distance(o, types) or 0).returns
        at, message = self._misfit(fitting, types)
        raise BindError(message, spans[at] if at < len(spans) else span, self._usage())

    def call(self, columns: Sequence[Column], count: int) -> Column:
        if count == 0:
            return nulls(0)
        if count > 1 and columns and all(c.constant for c in columns):
            one = self.call([c.first() for c in columns], 1)
            if one.type is Type.NULL:
                return nulls(count)
            return replace(one.take(np.zeros(count, np.int64)), constant=True)
        return self._call(columns, count)

    def _call(self, columns: Sequence[Column], count: int) -> Column:
        if not self.handles_null and any(c.type is Type.NULL for c in columns):
            return nulls(count)
        types = [c.type for c in columns]
        overload = self._choose(types)
        if overload is None:
            split = by_type(columns, count)
            if split is not None:
                pieces = each_group(split, lambda rows, some: self._call(some, len(rows)))
                return combine(count, pieces)
            fitting = [o for o in self.overloads if o.fit(len(types)) is not None]
            at, message = self._misfit(fitting, types)
            known = columns[at].valid()
            row = int(np.argmax(known)) if len(known) else None
            raise DataError(message, hint=self.hint, row=row)
        wanted = overload.fit(len(types)) or ()
        ready = [convert(c, t, self.name) for c, t in zip(columns, wanted, strict=True)]
        result = overload.kernel(*ready)
        if isinstance(result, Column):
            return result
        storage = STORAGE[overload.returns]
        return Column(overload.returns, result if result.type == storage else result.cast(storage))

    def _choose(self, types: Sequence[Type]) -> Overload | None:
        best: tuple[int, Overload] | None = None
        for overload in self.overloads:
            distance = self._distance(overload, types, running=True)
            if distance is not None and (best is None or distance < best[0]):
                best = (distance, overload)
        return best[1] if best else None

    def _distance(
        self, overload: Overload, types: Sequence[Type], running: bool = False
    ) -> int | None:
        """Return how many conversions a call needs; None if it does not fit."""
        wanted = overload.fit(len(types))
        if wanted is None:
            return None
        total = 0
        for given, want in zip(types, wanted, strict=True):
            step = self._step(given, want, running)
            mixed = given in (Type.ANY, Type.NUMBER)
            if step is None or (running and overload.single and want is Type.ANY and mixed):
                return None
            total += step
        return total

    def _step(self, given: Type, want: Type, running: bool) -> int | None:
        if given is want or given is Type.NULL:
            return 0
        if want is Type.ANY:
            return 1
        if want is Type.NUMBER and given in (Type.BIGINT, Type.FLOAT):
            return 1
        if given in (Type.ANY, Type.NUMBER):
            return None if running else 0
        if (given, want) in _ALWAYS:
            return 1
        return 2 if (given, want) in self.casts else None

    def _misfit(self, fitting: Sequence[Overload], types: Sequence[Type]) -> tuple[int, str]:
        """Return which argument does not fit, and the sentence that says so."""
        for at, given in enumerate(types):
            allowed = list(dict.fromkeys((o.fit(len(types)) or ())[at] for o in fitting))
            if all(self._step(given, want, running=False) is None for want in allowed):
                numbers = ("bigint", "float")
                pairs = [numbers if a is Type.NUMBER else (str(a),) for a in allowed]
                quoted = ", ".join(dict.fromkeys(f"'{name}'" for pair in pairs for name in pair))
                if self.infix:
                    if len(types) == 1:
                        return at, f"{self.infix} does not take '{given}'; allowed: {quoted}"
                    side = ("left", "right")[at]
                    return at, f"the {side} side of {self.infix} is '{given}'; allowed: {quoted}"
                number = at + len(self.words)
                place = ARTICLES.get(number, f"{number + 1}th")
                return at, (
                    f"the {place} argument of {self.name} has the invalid type '{given}'; "
                    f"allowed: {quoted}"
                )
        listed = ", ".join(f"'{t}'" for t in types)
        return 0, f"{self.infix or self.name} does not take ({listed})"

    def _counts(self) -> str:
        counts = sorted({len(o.takes) + len(self.words) for o in self.overloads})
        more = " or more" if any(o.variadic for o in self.overloads) else ""
        words = " or ".join(str(c) for c in counts)
        return f"{words}{more} argument{'' if words == '1' and not more else 's'}"

    def _usage(self) -> str:
        if self.hint:
            return self.hint
        return "there is " + ", ".join(self.signatures()[:4])

    def signatures(self) -> list[str]:
        """Return how a call may look, one line for each overload that reads differently."""
        return list(dict.fromkeys(self._signature(o) for o in self.overloads))

    def _signature(self, overload: Overload) -> str:
        names = ["float" if t is Type.NUMBER else str(t) for t in overload.takes]
        if self.infix:
            return f" {self.infix} ".join(names) if len(names) > 1 else f"{self.infix} {names[0]}"
        more = ", ..." if overload.variadic else ""
        return f"{self.name}({', '.join((*self.words, *names))}{more})"


_ALWAYS = frozenset({(Type.BIGINT, Type.FLOAT), (Type.TEXT, Type.DATETIME)})


@dataclass
class FunctionSet:
    """The functions of one family, filled by its decorator. Listed in `builtins.py`."""

    family: str
    functions: dict[str, ScalarFunction] = field(default_factory=dict)

    def scalar(
        self,
        name: str,
        takes: Sequence[Type],
        returns: Type,
        *,
        variadic: bool = False,
        handles_null: bool = False,
        casts: Iterable[tuple[Type, Type]] = (),
        can_fail: bool = False,
        infix: str | None = None,
        hint: str | None = None,
        single: bool = False,
    ) -> Callable[[Kernel], Kernel]:
        """Add an overload of the function `name`; the kernel's docstring is its documentation."""

        def add(kernel: Kernel) -> Kernel:
            overload = Overload(tuple(takes), returns, kernel, variadic, single)
            known = self.functions.get(name.lower())
            if known is None:
                known = ScalarFunction(name, family=self.family, infix=infix)
            self.functions[name.lower()] = replace(
                known,
                overloads=(*known.overloads, overload),
                handles_null=known.handles_null or handles_null,
                casts=known.casts | frozenset(casts),
                can_fail=known.can_fail or can_fail,
                hint=known.hint or hint,
                documentation=known.documentation or (kernel.__doc__ or ""),
            )
            return kernel

        return add


class Registry:
    """Functions by name, ignoring case. Immutable.

    Built-in functions have bare names; user functions have an alias and live in a namespace of
    their own (`udf.`, `uda.`).
    """

    def __init__(
        self,
        builtins: Mapping[str, Function],
        udfs: Mapping[str, Function] | None = None,
        aggregates: Mapping[str, Any] | None = None,
    ) -> None:
        self.builtins = dict(builtins)
        self.udfs = dict(udfs or {})
        self.aggregates = dict(aggregates or {})

    def builtin(self, name: str) -> Function | None:
        """Return the built-in function of this name, None if there is none."""
        return self.builtins.get(name.lower())

    def udf(self, alias: str) -> Function | None:
        """Return the user function of this alias, None if there is none."""
        return self.udfs.get(alias.lower())


def map_rows(convert_row: Callable[..., Any], returns: Type, *columns: Column) -> Array:
    """Apply a Python function to each row in which no argument is NULL. For rare kernels only.

    A ValueError from the function becomes a DataError that knows the row.
    """
    lists = [c.values.to_pylist() for c in columns]
    out: list[Any] = []
    for row, values in enumerate(zip(*lists, strict=True)):
        if any(v is None for v in values):
            out.append(None)
            continue
        try:
            out.append(convert_row(*values))
        except ValueError as error:
            raise DataError(str(error), row=row) from None
    return pa.array(out, STORAGE[returns])
