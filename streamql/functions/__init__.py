"""The registry and the built-in functions, one family a file."""
