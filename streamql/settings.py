"""What can be tuned about a job, and where it is said: flag, environment, `streamql.toml`.

Nothing else in StreamQL reads settings from the environment or from a file. Settings of one
function (`score.max_batch_count`) are kept as text, by function; the function knows their meaning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import on_error, units
from .errors import UsageError, suggest
from .projects import toml
from .projects.shape import refuse_misfit

_PREFIX = "STREAMQL_"
_NO_SETTINGS = frozenset({"STREAMQL_DEBUG"})
_FUNCTION_PREFIX = "udf."

FunctionSettings = dict[str, dict[str, str]]


def _setting(default: Any, read: units.Reader) -> Any:
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True)
class Settings:
    """What can be tuned about a job. Every default suits a laptop.

    Attributes:
        compatibility_level: level of the language: 1.0, 1.1 or 1.2.
        input_errors: what a malformed event does: `skip` (counted, told at the end), `fail`, or
            `dead_letter` (as skip, and every event that is dropped goes to `dead_letters`).
        output_errors: what an output that fails does: `fail`, `retry` (what may pass is tried again
            for ever), or `drop` (as retry, and a row that the output does not take is dropped).
        function_errors: what happens to a row for which a function fails that has no `on_error` of
            its own: `fail`, `null`, `default: VALUE`, `skip` or `dead_letter`.
        arrival_field: the reserved key of events that holds their arrival time.
        metadata_field: the reserved key of events that holds their message's metadata.
        batch_rows: rows in one batch at most.
        batch_bytes: bytes that are read from an input at a time.
        js_timeout: seconds that the JavaScript of one batch may take.
        js_memory: bytes that the JavaScript heap may take.
        js_max_text: bytes of the longest text, or record as JSON, handed to JavaScript.
        js_deterministic: in JavaScript the time of now is the event's, and random numbers depend on
            the function and the event alone.
        late_arrival: how late an event may arrive, in ticks of 100 ns.
        out_of_order: how far events may be out of order, in ticks of 100 ns.
        policy: what happens to events beyond these limits: `adjust` or `drop`.
        replay: events of pipes have happened already, as those of files: they arrive at their own
            time, not at that of the clock.
        follow: files that grow, and directories that files come into, are read for ever.
        poll_interval: seconds between two looks at what is followed.
        follow_quiet: seconds after which a last line without a line end is taken as it is.
        dead_letters: file that gets the events and rows that are given up, as JSON lines.
        max_event_bytes: a longer event is malformed, and not held in memory.
        max_depth: levels of objects and arrays in an event of JSON; a deeper one is malformed.
        record_calls: file that gets every row of scoring functions with its answer.
        replay_calls: such a file, which answers in place of the models.
        partitions: how many scorers of a model work side by side, each with its own
            `parallel_requests`; rows are given to them batch by batch.
        max_state: bytes that the operators of a job may hold together, or a share of the memory of
            the machine or container; 0 for no limit.
        max_memory: bytes that the whole process may take, or such a share; 0 for no limit.
        allowed_hosts: the hosts that models and outputs may be on; None for any.
        checkpoint_interval: seconds between two checkpoints of a job that takes them.
        checkpoint_keep: how many checkpoints are kept.
        functions: settings of functions as text, by the function's name in lower case.
    """

    compatibility_level: str = _setting("1.2", units.word("1.0", "1.1", "1.2"))
    input_errors: str = _setting("skip", units.word("skip", "fail", "dead_letter"))
    output_errors: str = _setting("fail", units.word("retry", "drop", "fail"))
    function_errors: str = _setting("fail", on_error.policy_text)
    arrival_field: str | None = _setting(None, units.name)
    metadata_field: str | None = _setting(None, units.name)
    batch_rows: int = _setting(65_536, units.count(1, 10_000_000))
    batch_bytes: int = _setting(4_194_304, units.size(1_024, 2**30))
    max_event_bytes: int = _setting(67_108_864, units.size(1_024, 2**30))
    max_depth: int = _setting(400, units.count(1, 400))
    js_timeout: float = _setting(10.0, units.seconds)
    js_memory: int = _setting(268_435_456, units.size(2**24, 2**36))
    js_max_text: int = _setting(33_554_432, units.size(1, 2**29 - 64))
    js_deterministic: bool = _setting(False, units.flag)
    late_arrival: int | None = _setting(None, units.ticks)
    out_of_order: int | None = _setting(None, units.ticks)
    policy: str | None = _setting(None, units.word("adjust", "drop"))
    replay: bool = _setting(False, units.flag)
    follow: bool = _setting(False, units.flag)
    poll_interval: float = _setting(0.5, units.seconds)
    follow_quiet: float = _setting(60.0, units.seconds)
    dead_letters: str | None = _setting(None, units.path)
    record_calls: str | None = _setting(None, units.path)
    replay_calls: str | None = _setting(None, units.path)
    partitions: int = _setting(1, units.count(1, 1_000))
    max_state: int | float = _setting(0.5, units.memory)
    max_memory: int | float = _setting(0.9, units.memory)
    allowed_hosts: tuple[str, ...] | None = _setting(None, units.hosts)
    checkpoint_interval: float = _setting(10.0, units.seconds)
    checkpoint_keep: int = _setting(3, units.count(1, 1_000))
    functions: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)

    @classmethod
    def load(
        cls,
        file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        flags: Mapping[str, str] | None = None,
        project: Mapping[str, str] | None = None,
    ) -> Settings:
        """Return the settings; flags win over STREAMQL_* variables, those over the file, that over
        the settings of a project.

        Args:
            file: a `streamql.toml`; one that is not there counts as empty.
            environment: variables, of which those that begin with STREAMQL_ matter.
            flags: KEY=VALUE pairs as text; `FUNCTION.KEY` is a setting of a function.

        Raises UsageError for an unknown name, with the nearest known one, and for a value that
        does not fit.
        """
        chosen: dict[str, Any] = _read_all(project or {}, "")
        functions: FunctionSettings = {}
        if file is not None and file.is_file():
            plain, of_functions = _from_file(file)
            chosen |= _read_all(plain, str(file))
            _merge(functions, of_functions)
        for key, value in (environment or {}).items():
            if key.startswith(_PREFIX) and key not in _NO_SETTINGS:
                chosen |= _read_all({key.removeprefix(_PREFIX).lower(): value}, key)
        plain, of_functions = _split(flags or {})
        chosen |= _read_all(plain, "")
        _merge(functions, of_functions)
        return cls(**chosen, functions=functions).checked()

    @classmethod
    def with_overrides(
        cls, settings: Settings | None = None, overrides: Mapping[str, Any] | None = None
    ) -> Settings:
        """Return `settings` (or the defaults) with some fields replaced, as text or as values.

        None stands for the default; `functions` adds to the settings of functions that are there.
        Raises UsageError.
        """
        base = settings or cls()
        chosen = dict(overrides or {})
        functions = {alias: dict(known) for alias, known in base.functions.items()}
        for alias, values in chosen.pop("functions", {}).items():
            _merge(functions, {alias.lower(): {k: _text(v) for k, v in values.items()}})
        return dataclasses.replace(base, **_read_all(chosen, ""), functions=functions).checked()

    @property
    def says_checkpoints(self) -> bool:
        """Whether something is said about checkpoints: then the job is to have some."""
        return (
            self.checkpoint_interval != Settings.checkpoint_interval
            or self.checkpoint_keep != Settings.checkpoint_keep
        )

    def checked(self) -> Settings:
        """Return self. Raises UsageError for settings that do not go together."""
        if self.input_errors == "dead_letter" and self.dead_letters is None:
            raise UsageError(
                "input_errors=dead_letter needs a place for the dead letters",
                hint="--set dead_letters=FILE, or input_errors = skip or fail",
            )
        action = on_error.policy(self.function_errors).action
        if action is on_error.OnError.DEAD_LETTER and self.dead_letters is None:
            raise UsageError(
                "function_errors=dead_letter needs a place for the dead letters",
                hint="--set dead_letters=FILE, or function_errors = fail, null, default: VALUE "
                "or skip",
            )
        return self


def _names() -> list[str]:
    return [f.name for f in dataclasses.fields(Settings) if "read" in f.metadata]


def _read_all(given: Mapping[str, Any], origin: str) -> dict[str, Any]:
    readers = {f.name: f.metadata["read"] for f in dataclasses.fields(Settings) if f.metadata}
    defaults = {f.name: f.default for f in dataclasses.fields(Settings)}
    where = f"{origin}: " if origin else ""
    chosen = {}
    for key, value in given.items():
        if key not in readers:
            raise UsageError(f"{where}no setting {key!r}", hint=_advice(key))
        try:
            chosen[key] = defaults[key] if value is None else readers[key](value)
        except ValueError as error:
            raise UsageError(f"{where}{key} takes {error}, found {_text(value)!r}") from None
    return chosen


def _advice(key: str) -> str:
    return suggest(key, _names()) or "there is " + ", ".join(_names())


def _split(flags: Mapping[str, str]) -> tuple[dict[str, str], FunctionSettings]:
    """Tell settings of the job from those of functions (`score.max_batch_count`)."""
    plain: dict[str, str] = {}
    functions: FunctionSettings = {}
    for key, value in flags.items():
        inner = key[len(_FUNCTION_PREFIX) :] if key.lower().startswith(_FUNCTION_PREFIX) else key
        alias, dot, name = inner.partition(".")
        if not dot:
            plain[key] = value
        elif not alias or not name:
            raise UsageError(f"no setting {key!r}", hint="say FUNCTION.SETTING=VALUE")
        else:
            functions.setdefault(alias.lower(), {})[name] = value
    return plain, functions


def _merge(into: FunctionSettings, more: Mapping[str, Mapping[str, str]]) -> None:
    for alias, values in more.items():
        into.setdefault(alias, {}).update(values)


def _text(value: Any) -> str:
    """Return a value of TOML or Python as a person would write it in a flag."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _from_file(file: Path) -> tuple[dict[str, Any], FunctionSettings]:
    """Return the settings in a TOML file, and those of functions (`[functions.score]`)."""
    from datetime import time

    content = toml.read_toml(file)
    # TOML has times of day of its own: late_arrival = 00:00:05 needs no quotes
    content = {k: v.isoformat() if isinstance(v, time) else v for k, v in content.items()}
    _refuse_misfit(file, content)
    content = toml.settings_of(content)  # a project's file says more than settings
    functions: FunctionSettings = {}
    for alias, values in content.pop("functions", {}).items():
        _merge(functions, {alias.lower(): {k: _text(v) for k, v in values.items()}})
    return content, functions


def _refuse_misfit(file: Path, content: Mapping[str, Any]) -> None:
    """Check the shape of a settings file against its JSON Schema; raise UsageError."""
    scalar = {"type": ["string", "number", "boolean"]}
    function = {"type": ["object", "string"], "additionalProperties": scalar}
    properties = {
        **toml.PROPERTIES,
        **dict.fromkeys(_names(), scalar),
        "functions": {"type": "object", "additionalProperties": function},
    }
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    refuse_misfit(str(file), content, schema, "setting")
