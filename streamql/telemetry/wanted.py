"""Which signals OpenTelemetry's variables ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Signal: TypeAlias = Literal["TRACES", "METRICS"]
PREFIX = "OTEL_EXPORTER_OTLP_"
_SIGNALS: tuple[Signal, ...] = ("TRACES", "METRICS")


def wanted(variables: Mapping[str, str]) -> tuple[Signal, ...]:
    """Return the signals that are to be sent: a variable names a place for them, or `otlp`."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(signal for signal in _SIGNALS if _is_wanted(signal, variables))


def _is_wanted(signal: Signal, variables: Mapping[str, str]) -> bool:
    exporters = variables.get(f"OTEL_{signal}_EXPORTER", "").lower()
    if exporters.strip():
        return "otlp" in (name.strip() for name in exporters.split(","))
    return any(variables.get(f"{PREFIX}{name}") for name in (f"{signal}_ENDPOINT", "ENDPOINT"))
