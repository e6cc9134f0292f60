"""From what a user names as a model to its function: the one list of the kinds of model."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from .client import shown_url
from .function import ModelFunction, ScoringFunction
from .loop import ScoringLoop
from .script import DroppingScriptFunction, ScriptFunction
from .settings import ScoringSettings


def scoring_function(
    alias: str, spec: str, settings: ScoringSettings, loop: ScoringLoop
) -> ModelFunction:
    """Return the function `udf.alias` for a URL (http, https) or the path of an entry script.

    Nothing is connected or loaded yet. Raises UsageError.
    """
    lowered = spec.lower()
    if lowered.startswith(("http://", "https://")):
        return ScoringFunction(alias, spec, settings, loop)
    if "://" in spec:
        raise UsageError(
            f"udf.{alias}: {shown_url(spec)} is neither an http:// nor an https:// URL",
            hint=f"e.g. --function {alias}=http://127.0.0.1:5001/score",
        )
    if not lowered.endswith(".py"):
        raise UsageError(
            f"udf.{alias}: {spec!r} is no model",
            hint="a model is a URL (http://host/score) or an entry script (score.py)",
        )
    if not Path(spec).is_file():
        raise UsageError(f"udf.{alias}: there is no file {spec}")
    kind = DroppingScriptFunction if settings.on_error.drops else ScriptFunction
    return kind(alias, spec, settings)
