"""What is wrong, and what is probably wrong, with a query: all of it, without data."""
