"""Syntax tree to typed plan, clause by clause."""
