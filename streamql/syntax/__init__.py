"""Text to syntax tree: nodes, parser, messages. Knows no function and no input."""
