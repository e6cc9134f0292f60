"""The isolates of a job: one for all functions with the same limits."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import UsageError, suggest
from ...settings import Settings
from .engine import JavaScriptRuntime

_NAMES = ("js_timeout", "js_memory", "js_max_text", "js_deterministic")


class Runtimes:
    """Makes a `JavaScriptRuntime` for each set of limits that some function has.

    The limits of time and memory end an isolate, and those of memory, and the clock, belong to it:
    a function with settings of its own has one of its own.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_limits: dict[tuple[object, ...], JavaScriptRuntime] = {}

    def get(self, alias: str, given: Mapping[str, str]) -> JavaScriptRuntime:
        """Return the runtime for a function, given its own settings as text.

        Raises UsageError for a name or a value that does not fit.
        """
        for name in given:
            if name not in (*_NAMES, "on_error"):
                raise UsageError(
                    f"{alias} is a JavaScript function and has no setting {name!r}",
                    hint=suggest(name, (*_NAMES, "on_error"))
                    or "there is " + ", ".join((*_NAMES, "on_error")),
                )
        try:
            limited = {name: value for name, value in given.items() if name in _NAMES}
            mine = Settings.with_overrides(self._settings, limited)
        except UsageError as error:
            raise UsageError(f"{alias}.{error.message}", hint=error.hint) from None
        limits = tuple(getattr(mine, name) for name in _NAMES)
        if limits not in self._by_limits:
            self._by_limits[limits] = JavaScriptRuntime(
                timeout=mine.js_timeout,
                max_heap=mine.js_memory,
                bits_as_numbers=mine.compatibility_level != "1.2",
                max_text=mine.js_max_text,
                deterministic=mine.js_deterministic,
            )
        return self._by_limits[limits]

    def close(self) -> None:
        """Free all isolates."""
        for runtime in self._by_limits.values():
            runtime.close()
