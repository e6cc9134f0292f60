"""Bound expressions: nodes and their evaluation over a batch."""
