"""FROM: which relations a SELECT reads, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ..batch import MAIN
from ..errors import BindError, suggest
from ..expressions.nodes import Expr
from ..plan.nodes import Join, Lookup, Plan, Scan, SetTime, Shape, Unnest
from ..syntax import nodes as ast
from ..types import Type
from .aggregates import refuse_aggregates, refuse_nested
from .analytic import Lifting
from .apply import table_function
from .expressions import bind_condition, bind_value
from .joins import bind_join
from .scope import Environment, Scope, Source

BindQuery = Callable[[ast.Query], tuple[Plan, Shape]]

_ELEMENTS = {
    "getarrayelements": {"ArrayIndex": Type.BIGINT, "ArrayValue": Type.ANY},
    "getrecordproperties": {"PropertyName": Type.TEXT, "PropertyValue": Type.ANY},
}


@dataclass
class Sources:
    """Binds FROM clauses of one script; an input read twice with the same time is read once."""

    environment: Environment
    bind_query: BindQuery
    lifting: Lifting = field(default_factory=Lifting)
    _streams: list[tuple[ast.Table, bool]] = field(default_factory=list)
    _scans: dict[str, Scan] = field(default_factory=dict)
    _in_reference_step: bool = False
    _timed: list[tuple[str, ast.TimestampBy, SetTime]] = field(default_factory=list)

    def bind(self, node: ast.Source) -> tuple[Plan, tuple[Source, ...]]:
        """Return the plan that reads FROM, and the relations it puts side by side."""
        match node:
            case ast.Table():
                return self._table(node)
            case ast.Subquery(query=query, alias=alias):
                plan, shape = self.bind_query(query)
                return plan, (Source(alias.text if alias else "", MAIN, shape),)
            case ast.Apply():
                return self._apply(node)
            case ast.Join():
                return self._join(node)
            case ast.MatchRecognize(source=source):
                from .recognize import bind_recognize

                made, measured = bind_recognize(node, *self.bind(source), self.environment)
                return made, (measured,)

    def _table(self, node: ast.Table) -> tuple[Plan, tuple[Source, ...]]:
        name = node.name.text
        alias = (node.alias or node.name).text
        if self.reference_of(node) is not None:
            if self._in_reference_step:
                return self._side(node)
            raise BindError(
                f"{name} is reference data, and a query reads a stream",
                node.name.span,
                f"join it: FROM stream JOIN {name} ON ...",
            )
        step = self.environment.step(name)
        if step is not None:
            if node.timestamp_by is not None:
                raise BindError(
                    "TIMESTAMP BY belongs to inputs, and this is a step",
                    node.timestamp_by.span,
                    f"put it where the step {name} reads its input",
                )
            source = Source(alias, MAIN, step[2], name)
            return step[1], (self._partition(node, source),)
        known = self.environment.input(name)
        if known is None:
            raise self._unknown(node)
        self.environment.used[known] = None
        source = Source(alias, MAIN, self.environment.inputs[known], known)
        plan: Plan = self._scans.setdefault(known, Scan(known, self.environment.tables.get(known)))
        clause = node.timestamp_by
        default = self.environment.timestamps.get(known)
        if clause is None and default is not None:
            name_of = ast.Name(node.name.span, default)
            clause = ast.TimestampBy(node.name.span, ast.Path(node.name.span, (name_of,)))
        if clause is not None:
            timed = self._time(known, clause, plan, source)
            plan, source = timed, replace(source, over=timed.over)
        self._streams.append((node, bool(source.over)))
        return plan, (self._partition(node, source),)

    def _join(self, node: ast.Join) -> tuple[Plan, tuple[Source, ...]]:
        return bind_join(
            node,
            self.bind,
            self._side,
            lambda sources: Scope(self.environment, sources),
            bind_value,
            bind_condition,
            self._lift,
        )

    def _side(self, node: ast.Source) -> tuple[Plan, tuple[Source, ...]]:
        """Return the right side of a join: only there reference data may stand."""
        reference = self.reference_of(node)
        if reference is None or not isinstance(node, ast.Table):
            return self.bind(node)
        self.environment.looked_up[reference] = None
        alias = (node.alias or node.name).text
        step = self.environment.step(node.name.text)
        if step is not None:
            return step[1], (Source(alias, MAIN, step[2], node.name.text, reference=True),)
        shape = self.environment.inputs[reference]
        return Scan(reference), (Source(alias, MAIN, shape, reference, reference=True),)

    def reference_of(self, node: ast.Source | None) -> str | None:
        """Return the reference data that a source consists of; None for a stream."""
        match node:
            case ast.Table(name=name):
                step = self.environment.reference_steps.get(name.text.lower())
                known = self.environment.input(name.text)
                if self.environment.step(name.text) is not None:
                    return step
                return known if known in self.environment.references else None
            case ast.Apply(source=source):
                return self.reference_of(source)
            case _:
                return None

    def bind_reference_step(self, query: ast.Select) -> tuple[Plan, Shape]:
        """Bind a WITH step that reads nothing but reference data."""
        self._in_reference_step = True
        try:
            return self.bind_query(query)
        finally:
            self._in_reference_step = False

    def _lift(self, plan: Plan, join: Join | Lookup) -> Plan:
        """Compute the analytic functions in the conditions of a join below it."""
        condition = None if join.condition is None else self.lifting.lift(join.condition)
        keys = tuple((self.lifting.lift(a), self.lifting.lift(b)) for a, b in join.keys)
        return self.lifting.place_below(replace(join, condition=condition, keys=keys))

    def check_substreams(self) -> None:
        """Raise BindError when some inputs have TIMESTAMP BY ... OVER and others have not."""
        if len({over for _, over in self._streams}) > 1:
            node = next(node for node, over in self._streams if not over)
            raise BindError(
                f"{node.name.text} needs TIMESTAMP BY ... OVER, because another input has it",
                node.span,
                "substreams are for all inputs or for none",
            )

    def _time(self, name: str, clause: ast.TimestampBy, scan: Plan, source: Source) -> SetTime:
        for part in ast.nodes_of(clause.value):
            if isinstance(part, ast.Call) and _is_system_timestamp(part):
                raise BindError(
                    "System.Timestamp() is what TIMESTAMP BY sets, and cannot be in it",
                    part.span,
                    "name the column with the time of the event; without TIMESTAMP BY the time is "
                    "that of the arrival",
                )
        for input_name, other, known in self._timed:
            if input_name == name and other == clause:
                return known
        value = bind_value(clause.value, Scope(self.environment, (source,)))
        if value.type not in (Type.ANY, Type.DATETIME, Type.TEXT, Type.NULL):
            raise BindError(
                f"TIMESTAMP BY needs a datetime, found {value.type}",
                clause.value.span,
                "turn epoch numbers into one: DATEADD(millisecond, n, '1970-01-01T00:00:00Z')",
            )
        refuse_aggregates(value, "TIMESTAMP BY")
        refuse_nested(value, "TIMESTAMP BY")
        over = tuple(bind_value(k, Scope(self.environment, (source,))) for k in clause.over)
        made = SetTime(scan, value, name, over)
        self._timed.append((name, clause, made))
        return made

    def _partition(self, node: ast.Table, source: Source) -> Source:
        """Return the source with the keys of PARTITION BY, which grouping adds to its own."""
        if node.partition_by is None:
            return source
        scope = Scope(self.environment, (source,))
        keys = tuple(bind_value(key, scope) for key in node.partition_by.keys)
        count = node.partition_by.count
        if count is not None and (not isinstance(count.value, int) or count.value <= 1):
            raise BindError("INTO needs a number of partitions above 1", count.span)
        shards = 0 if count is None else int(count.value or 0)
        return replace(source, partition=keys, shards=shards)

    def _apply(self, node: ast.Apply) -> tuple[Plan, tuple[Source, ...]]:
        plan, sources = self.bind(node.source)
        call = node.call
        name = call.name.text.lower()
        function = table_function(call, self.environment)
        if function is None and (name not in _ELEMENTS or call.prefix):
            raise BindError(
                f"APPLY takes GetArrayElements or GetRecordProperties, found {call.name.text}",
                call.span,
                "or a table function of your own, as udf.NAME",
            )
        if len(call.arguments) != 1:
            raise BindError(
                f"{call.name.text} takes 1 argument, found {len(call.arguments)}", call.span
            )
        argument: Expr = bind_value(call.arguments[0], Scope(self.environment, sources))
        refuse_aggregates(argument, "APPLY")
        argument = self.lifting.lift(argument)
        plan = self.lifting.place(plan)
        want = Type.ARRAY if name == "getarrayelements" else Type.RECORD
        if function is None and argument.type not in (Type.ANY, Type.NULL, want):
            raise BindError(
                f"{call.name.text} takes {want}, found {argument.type}", call.arguments[0].span
            )
        alias = node.alias.text
        if any(s.alias.lower() == alias.lower() for s in sources):
            raise BindError(
                f"the name {alias} is taken",
                node.alias.span,
                f"write AS and another name: {alias}2",
            )
        _refuse_element_as_time(node.source, alias)
        shape = Shape() if function is not None else Shape(_ELEMENTS[name], tuple(_ELEMENTS[name]))
        if function is not None and function.columns is not None:
            shape = Shape(dict.fromkeys(function.columns, Type.ANY), function.columns)
        element = Source(alias, alias.lower(), shape, aliased=shape.columns is None)
        made = Unnest(plan, function or name, argument, element.key, node.outer)
        return made, (*sources, element)

    def _unknown(self, node: ast.Table) -> BindError:
        name = node.name.text
        known = [
            *self.environment.inputs,
            *(s[0].name.text for s in self.environment.steps.values()),
        ]
        hint = suggest(name, known) or (
            "there is " + ", ".join(known[:8]) if known else f"give it with --input {name}=FILE"
        )
        return BindError(f"unknown input {name}", node.name.span, hint)


def _refuse_element_as_time(node: ast.Source, alias: str) -> None:
    """Raise BindError when TIMESTAMP BY below an APPLY names the APPLY's element."""
    for part in ast.nodes_of(node):
        if not isinstance(part, ast.TimestampBy):
            continue
        for path in ast.nodes_of(part):
            if (
                isinstance(path, ast.Path)
                and len(path.names) > 1
                and path.names[0].text.lower() == alias.lower()
            ):
                raise BindError(
                    f"{alias} is made by APPLY, and TIMESTAMP BY comes before it",
                    path.span,
                    "name a field of the event",
                )


def _is_system_timestamp(node: ast.Call) -> bool:
    return (
        len(node.prefix) == 1
        and node.prefix[0].text.lower() == "system"
        and node.name.text.lower() == "timestamp"
    )
