"""A profile of a model function: the sample, the bounds of its kind, and where it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .function import ModelFunction
from .knee import knee
from .loop import ScoringLoop
from .profiler import Bounds, NothingAnswered, Point, Profile, Profiler
from .sample import Sample

_LATE = 30.0
"""Seconds beyond its time after which a profile is given up."""


def profiled(
    function: ModelFunction,
    rows: list[str],
    bounds: Bounds,
    loop: ScoringLoop,
    heard: Callable[[Point], None],
) -> Profile:
    """Return the profile of a model; `heard` gets each point as it is measured.

    Models in this process take one batch at a time. Raises NothingAnswered.
    """
    sample = Sample(function, rows, bounds.batch)
    parallel = bounds.parallel if function.parallel else 1
    bounds = replace(bounds, parallel=parallel, fitting=sample.fitting)
    ended: list[Profile | Exception] = []

    async def work() -> None:
        try:
            ended.append(await Profiler(sample.send, bounds, heard).run(knee))
        except NothingAnswered as nothing:
            ended.append(nothing)
        finally:
            await sample.transport.close()

    loop.run(work(), bounds.seconds + _LATE + function.settings.attempt_timeout)
    if not ended:
        return Profile(size_end="the time is up")
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]
