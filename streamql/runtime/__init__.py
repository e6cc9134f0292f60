"""Operators, the building of operators from a plan, and the runner."""
