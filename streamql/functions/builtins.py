"""The list of built-in functions: every family, by lower-case name.

Beside these there are the functions that begin with a time unit (`datetime.unit_function`) and the
two table functions of APPLY (`array.get_array_elements`, `record.get_record_properties`).
"""

from __future__ import annotations

from .array import ARRAYS
from .comparison import COMPARISONS
from .conversion import CONVERSIONS
from .datetime import DATES
from .geospatial import GEOSPATIAL
from .math import MATHEMATICS
from .operators import OPERATORS
from .record import RECORDS
from .registry import Function
from .search import SEARCHES
from .string import STRINGS

FAMILIES = (
    OPERATORS,
    COMPARISONS,
    CONVERSIONS,
    STRINGS,
    SEARCHES,
    MATHEMATICS,
    DATES,
    ARRAYS,
    RECORDS,
    GEOSPATIAL,
)

BUILTINS: dict[str, Function] = {
    name: function for family in FAMILIES for name, function in family.functions.items()
}
"""The built-in scalar functions and operators by lower-case name."""
