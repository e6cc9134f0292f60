"""`streamql repl`: queries typed at a prompt, and their rows as tables."""

from .command import repl_command

__all__ = ["repl_command"]
