"""Anomaly detection (placeholder until the file of that name is written)."""
from .aggregate import AggregateSpec

ANOMALY: dict[str, AggregateSpec] = {}
