"""A second implementation of what is about time, row by row, to be compared with the engine.

It is written to be obviously right, straight from the language reference, and shares no code with
the engine.
"""
