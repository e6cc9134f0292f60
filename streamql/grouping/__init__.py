"""Groups of rows: codes for key values, and ranges of rows in order of time."""
