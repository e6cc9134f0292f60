"""LIKE without a wildcard is an equality that looks like more."""

from __future__ import annotations

from collections.abc import Iterator

from ...syntax import nodes as ast
from ..diagnostic import Diagnostic, warning
from ..subject import Subject


def like_without_wildcard(subject: Subject) -> Iterator[Diagnostic]:
    """Find patterns of LIKE that have neither % nor _ nor a set."""
    for node in subject.nodes():
        if isinstance(node, ast.Like) and isinstance(node.pattern, ast.Literal):
            text = node.pattern.value
            if isinstance(text, str) and not set(text) & set("%_["):
                yield warning(
                    "like-without-wildcard",
                    f"LIKE '{text}' finds nothing but '{text}' itself",
                    node.pattern.span,
                    f"write '%{text}%' for texts that contain it, or = for this text alone",
                )
