"""CREATE TABLE: the columns of an input and their types."""

from __future__ import annotations

from ..errors import BindError, suggest
from ..plan.nodes import Shape
from ..plan.reads import Columns
from ..syntax import nodes as ast
from ..types import Type
from .expressions import named_type
from .scope import Environment


def declare(table: ast.CreateTable, environment: Environment) -> None:
    """Give an input the declared columns, and no others.

    Raises BindError: an unknown input or type, a second schema, a column named twice.
    """
    name = table.name.text
    known = environment.input(name)
    if known is None:
        listed = "there is " + ", ".join(list(environment.inputs)[:8])
        raise BindError(
            f"CREATE TABLE declares an input, and there is no input {name}",
            table.name.span,
            suggest(name, environment.inputs) or (listed if environment.inputs else None),
        )
    if known in environment.tables:
        raise BindError(
            f"a CREATE TABLE for {known} has been given already",
            table.name.span,
            "an input has one schema",
        )
    columns = _columns(table, environment.level == "1.0")
    environment.tables[known] = columns
    # below level 1.2 bits are bigint
    bit = Type.BIT if environment.level == "1.2" else Type.BIGINT
    kinds = {column: bit if kind is Type.BIT else kind for column, kind in columns}
    shape = Shape(kinds, tuple(kinds), declared=True)
    environment.inputs = {**environment.inputs, known: shape}


def _columns(table: ast.CreateTable, lower: bool) -> Columns:
    columns: dict[str, Type] = {}
    taken: set[str] = set()
    for definition in table.columns:
        name = definition.name.text
        if name.lower() in taken:
            raise BindError(
                f"two columns of {table.name.text} are named {name}", definition.name.span
            )
        taken.add(name.lower())
        columns[name.lower() if lower else name] = named_type(definition.type, f"column {name}")
    return tuple(columns.items())
