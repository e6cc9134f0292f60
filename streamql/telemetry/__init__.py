"""How a running job is watched from outside: over HTTP, and through OpenTelemetry."""
