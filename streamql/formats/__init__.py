"""Bytes to rows and back: JSON, CSV, Parquet. Knows no connector and no query."""
