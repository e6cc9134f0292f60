"""Functions in Python for queries over rides."""

import pyarrow.compute as pc


def clean(plate: str) -> str:
    """Return a plate without its space; there must be one."""
    letters, digits = plate.split(" ")
    return letters + digits


def doubled(fares):
    """Return twice the fares."""
    return pc.multiply(fares, 2)


def words(note):
    """Return the words of a note with their sizes."""
    return [(word, len(word)) for word in note.split()]
