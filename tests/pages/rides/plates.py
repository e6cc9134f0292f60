"""Functions in Python for queries over rides."""


def clean(plate: str) -> str:
    """Return a plate without its space; there must be one."""
    letters, digits = plate.split(" ")
    return letters + digits
