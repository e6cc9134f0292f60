"""From what a user names as a model to its function: the one list of the kinds of model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import units
from ...errors import UsageError
from ...projects.files import missing
from . import options
from .calls import RecordedCalls
from .client import shown_url
from .function import ModelFunction, ScoringFunction
from .isolated import IsolatedFunction, IsolatedSettings
from .loop import ScoringLoop
from .onnx import DroppingOnnxFunction, OnnxFunction
from .onnx_model import OnnxSettings
from .script import DroppingScriptFunction, ScriptFunction
from .settings import ScoringSettings

_LOCAL: dict[str, dict[str, options.Reader]] = {
    ".py": {"isolate": units.flag, "start_timeout": options.duration()},
    ".onnx": {
        "threads": units.count(1, 1_000),
        "output": lambda text: tuple(options.text(name.strip()) for name in text.split(",")),
    },
}
"""The settings of models in this process, beside `ScoringSettings`, by the kind of their file."""
_KINDS = {".py": "entry scripts (score.py)", ".onnx": "ONNX models"}
_HTTP_OF_ISOLATED = frozenset(
    {"rate_limit", "ordered", "cache", "breaker", "breaker_pause", "signature", "key", "proxy"}
    | {"ca_file", "client_cert", "client_key"}
)


def scoring_function(
    alias: str,
    spec: str,
    settings: ScoringSettings,
    loop: ScoringLoop,
    local: Mapping[str, Any] | None = None,
) -> ModelFunction:
    """Return the function `udf.alias` for a URL (http, https), an entry script or an ONNX model.

    Nothing is connected or loaded yet; `local` are settings of models in this process. Raises
    UsageError.
    """
    lowered, local = spec.lower(), local or {}
    if lowered.startswith(("http://", "https://")):
        return ScoringFunction(alias, spec, settings, loop)
    if "://" in spec:
        raise UsageError(
            f"udf.{alias}: {shown_url(spec)} is neither an http:// nor an https:// URL",
            hint=f"e.g. --function {alias}=http://127.0.0.1:5001/score",
        )
    if not lowered.endswith((".py", ".onnx")):
        raise UsageError(
            f"udf.{alias}: {spec!r} is no model",
            hint="a model is a URL (http://host/score), an entry script (score.py) or an ONNX "
            "model (model.onnx)",
        )
    if not Path(spec).is_file():
        raise missing(spec, f"udf.{alias}: ")
    drops = settings.on_error.drops
    if lowered.endswith(".onnx"):
        onnx = DroppingOnnxFunction if drops else OnnxFunction
        return onnx(alias, spec, settings, OnnxSettings(**local))
    isolate, rest = local.get("isolate", False), {k: v for k, v in local.items() if k != "isolate"}
    if isolate:
        for name in sorted(settings.given):
            if name not in _HTTP_OF_ISOLATED and not name.startswith("header."):
                continue
            raise UsageError(f"{alias}.{name} is a setting of models behind HTTP; {alias} is not")
        return IsolatedFunction(alias, spec, settings, IsolatedSettings(**rest), loop)
    if rest:
        raise UsageError(f"{alias}.{min(rest)} is a setting of scripts with {alias}.isolate=true")
    script = DroppingScriptFunction if drops else ScriptFunction
    return script(alias, spec, settings)


def model_function(
    alias: str,
    spec: str,
    given: Mapping[str, str],
    loop: ScoringLoop,
    calls: RecordedCalls | None = None,
) -> ModelFunction:
    """Return the function `udf.alias` of a model with its settings given as text.

    With recorded `calls`, these answer in place of the model, which need not be there. Raises
    UsageError for a setting that is not there, or not for this kind of model.
    """
    suffix = "" if "://" in spec else Path(spec).suffix.lower()
    local: dict[str, Any] = {}
    shared = dict(given)
    for kind, readers in _LOCAL.items():
        for name in readers.keys() & shared.keys():
            if kind != suffix:
                raise UsageError(f"{alias}.{name} is a setting of {_KINDS[kind]}")
            value = shared.pop(name)
            try:
                local[name] = readers[name](value)
            except ValueError as error:
                raise UsageError(f"{alias}.{name} takes {error}, found {value!r}") from None
    if suffix == ".onnx" and "protocol" in shared:
        protocol = shared.pop("protocol")
        if protocol != "onnx":
            raise UsageError(f"{alias}.protocol={protocol} is for models behind HTTP, not {spec}")
    if local.get("isolate"):
        # processes cost memory, and what ends one ends the next one too more often than not
        shared = {"parallel_requests": "1", "max_retries": "2", **shared}
    settings = ScoringSettings.from_strings(shared, alias)
    if calls is None:
        return scoring_function(alias, spec, settings, loop, local)
    from .replay import RemoteReplayedFunction, ReplayedFunction  # noqa: PLC0415 - few jobs replay

    here = suffix in _LOCAL and not local.get("isolate") and not settings.on_error.drops
    return (ReplayedFunction if here else RemoteReplayedFunction)(alias, settings, calls)
