"""The built-in aggregates of the language, one family a file; `catalog` names them."""
