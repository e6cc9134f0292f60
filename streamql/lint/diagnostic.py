"""What a check finds: mistakes, and what is probably one."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import CompileError, ParseError, Span, StreamqlError, UsageError

ERROR = "error"
WARNING = "warning"
INFO = "info"


@dataclass(frozen=True)
class Diagnostic:
    """One finding, and where in the text it is.

    `code` is `syntax`, `bind`, `function`, `azure`, or the name of a rule.
    """

    severity: str
    code: str
    message: str
    span: Span | None = None
    hint: str | None = None

    @classmethod
    def of_error(cls, error: CompileError | UsageError) -> Diagnostic:
        """Return an error of the compiler as a finding."""
        code = "syntax" if isinstance(error, ParseError) else "bind"
        return cls(ERROR, code, error.message, error.span, error.hint)

    @classmethod
    def of_function(cls, error: StreamqlError) -> Diagnostic:
        """Return the error of a function that cannot be made as a finding: it is in no query."""
        return cls(ERROR, "function", error.message, None, error.hint)


def warning(code: str, message: str, span: Span, hint: str) -> Diagnostic:
    """Return what a rule has found."""
    return Diagnostic(WARNING, code, message, span, hint)
