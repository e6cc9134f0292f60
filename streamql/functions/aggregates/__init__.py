"""The built-in aggregates of the language (section 9), one family a file; `catalog` names them."""
