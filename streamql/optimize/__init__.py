"""Plan to better plan: one rule a file, one driver."""
