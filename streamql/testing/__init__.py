"""Tests of queries as data: cases, how they are run, and how rows are compared."""
