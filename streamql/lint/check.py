"""A script in, everything that is wrong with it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ..bind.scope import Environment
from ..bind.script import bind_script, input_names
from ..errors import CompileError, Span, UsageError
from ..optimize.driver import optimize
from ..plan.nodes import Job
from ..settings import Settings
from ..syntax.recover import parse_all
from ..types import Type
from .assume import assumed_references, with_open_inputs
from .azure import differences
from .diagnostic import WARNING, Diagnostic
from .rules import RULES
from .subject import Subject

Times = Callable[[list[str]], Mapping[str, tuple[str, ...]]]


def _no_data(_inputs: list[str]) -> Mapping[str, tuple[str, ...]]:
    return {}


def check(
    text: str,
    environment: Environment,
    settings: Settings,
    *,
    times: Times = _no_data,
    checkpoints: bool = False,
    azure: bool = False,
) -> list[Diagnostic]:
    """Return all errors and warnings of a script, in the order of its text.

    Args:
        text: the script.
        environment: what it can name; names that it does not have are taken as open inputs.
        settings: of the job.
        times: given the names of the script's inputs, returns the names of the columns that hold
            times, by input in lower case, where data tell.
        checkpoints: judge the script as that of a job that is restarted from checkpoints.
        azure: also tell what is different or missing in Azure.
    """
    read = parse_all(text)
    found = [Diagnostic.of_error(e) for e in read.errors]
    script = read.script
    if not (script.statements or script.steps or script.tables):
        return found
    errors: list[CompileError | UsageError] = []
    known, opened = with_open_inputs(script, replace(environment, report=errors.append))
    assumed = known.references - environment.references
    job = bind_script(script, known)
    if not errors and not found:
        _optimize(job, errors)
    found += (Diagnostic.of_error(e) for e in errors)
    broken = {name.lower() for name in read.broken}
    unregistered = tuple(n for n in opened if n.lower() not in broken)
    declared = {
        name.lower(): tuple(c for c, kind in columns if kind is Type.DATETIME)
        for name, columns in known.tables.items()
    }
    subject = Subject(
        script, job, known, unregistered, {**times(input_names(script)), **declared}, checkpoints
    )
    found += assumed_references(script, assumed)
    for rule in RULES:
        if read.errors and rule.__name__ in _NEED_ALL:
            continue
        found += rule(subject)
    if azure:
        found += differences(subject, settings)
    return sorted(_once(found), key=_place)


_NEED_ALL = frozenset({"unused_step", "output_columns_differ"})
"""Rules that would be wrong about a script of which a part is missing."""


def _optimize(job: Job, errors: list[CompileError | UsageError]) -> None:
    try:
        optimize(job)
    except CompileError as error:
        errors.append(error)


def _once(found: list[Diagnostic]) -> list[Diagnostic]:
    return list(dict.fromkeys(found))


def _place(found: Diagnostic) -> tuple[int, bool]:
    span = found.span or Span(0, 0)
    return span.start, found.severity == WARNING
