"""Protocols: how rows become the body of a request, and how an answer becomes rows."""
