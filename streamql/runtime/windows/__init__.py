"""Keepers: what a window of GROUP BY holds until it closes."""
