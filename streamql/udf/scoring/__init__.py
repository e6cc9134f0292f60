"""Scoring functions: protocols, the HTTP client, the function object."""
