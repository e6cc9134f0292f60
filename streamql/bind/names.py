"""The names of output columns."""

from __future__ import annotations

from ..syntax import nodes as ast
from .metadata import NAME as METADATA


def output_name(item: ast.SelectItem, number: int, level: str) -> str:
    """Return the column name of a select item (language.md, SELECT).

    The alias; else the last segment of a path, spelled as in the query; else the function's name;
    else `Column` and the item's number. Level 1.0 makes names lower case.
    """
    match item:
        case ast.SelectItem(alias=ast.Name(text=text)):
            name = text
        case ast.SelectItem(value=ast.Path(names=names)):
            name = names[-1].text
        case ast.SelectItem(value=ast.Call(name=ast.Name(text=text))):
            name = text
        case ast.SelectItem(value=ast.Member(name=ast.Name(text=text))):
            name = text
        case _:
            name = f"Column{number}"
    lowers = level == "1.0" or (level != "1.2" and _is_metadata(item))
    return name.lower() if lowers else name


def _is_metadata(item: ast.SelectItem) -> bool:
    """Tell whether an item is GetMetadataPropertyValue: below level 1.2 its alias is lower case."""
    return isinstance(item.value, ast.Call) and item.value.name.text.lower() == METADATA
