"""Calls and operators that have no kernel of their own: their documentation, for people.

The binder knows what they do (`bind/calls.py`, `bind/aggregates.py`); a test checks that each of
their examples runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from .aggregate import Example


@dataclass(frozen=True)
class Form:
    """One such call.

    Attributes:
        name: how it is looked up.
        family: its heading in the documentation.
        usages: how a query may write it.
        documentation: what it gives, in Markdown; `sql>` lines are examples, their result below.
        example: a runnable example: a query on `input`, its rows, and the rows it gives.
    """

    name: str
    family: str
    usages: tuple[str, ...]
    documentation: str
    example: Example | None = None


_LEVELS = [
    {"at": "2024-05-01T00:00:01Z", "tank": "A", "level": 40},
    {"at": "2024-05-01T00:00:02Z", "tank": "B", "level": 70},
    {"at": "2024-05-01T00:00:03Z", "tank": "A", "level": 35},
    {"at": "2024-05-01T00:00:09Z", "tank": "A", "level": 20},
]
_ORDER = [{"id": 1, "items": ["pen", "ink"], "buyer": {"name": "Ida", "age": 40}}]

FORMS = (
    Form(
        "AND",
        "comparison",
        ("condition AND condition",),
        """Both conditions hold. NOT binds tighter than AND, AND tighter than OR.

    sql> 1 = 1 AND 1 = NULL
    NULL
    sql> 1 = 2 AND 1 = NULL
    0
    """,
    ),
    Form(
        "OR",
        "comparison",
        ("condition OR condition",),
        """One of the conditions holds, or both.

    sql> 1 = 1 OR 1 = NULL
    1
    sql> 1 = 2 OR 1 = NULL
    NULL
    """,
    ),
    Form(
        "NOT",
        "comparison",
        ("NOT condition",),
        """The condition does not hold. What is unknown stays unknown.

    sql> NOT 1 = 2
    1
    sql> NOT 1 = NULL
    NULL
    """,
    ),
    Form(
        "BETWEEN",
        "comparison",
        ("value [NOT] BETWEEN low AND high",),
        """The value is not below `low` and not above `high`; both ends are included.

    sql> 10 BETWEEN 1 AND 10
    1
    sql> 10 NOT BETWEEN 1 AND 10
    0
    sql> NULL BETWEEN 1 AND 10
    NULL
    """,
    ),
    Form(
        "IN",
        "comparison",
        ("value [NOT] IN (value, ...)",),
        """The value equals one of the list.

    sql> 'b' IN ('a', 'b')
    1
    sql> 'c' NOT IN ('a', 'b')
    1
    sql> 'c' IN ('a', NULL)
    NULL
    """,
    ),
    Form(
        "IS NULL",
        "comparison",
        ("value IS [NOT] NULL",),
        """The value is NULL, or its field is missing. Never unknown.

    sql> NULL IS NULL
    1
    sql> 0 IS NOT NULL
    1
    """,
    ),
    Form(
        "COALESCE",
        "comparison",
        ("COALESCE(any, any, ...)",),
        """The first of the values that is not NULL.

    sql> COALESCE(NULL, 7, 9)
    7
    sql> COALESCE(NULL, NULL)
    NULL
    """,
    ),
    Form(
        "CASE",
        "comparison",
        (
            "CASE WHEN condition THEN value [WHEN ...] ELSE value END",
            "CASE value WHEN value THEN value [WHEN ...] ELSE value END",
        ),
        """The value after the first WHEN that holds, else the one after ELSE, which is required.
    Where the query tells that the branches are numbers, all have the highest of their types.

    sql> CASE WHEN 7 > 5 THEN 'high' ELSE 'low' END
    'high'
    sql> CASE 'b' WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 0 END
    2
    sql> CASE NULL WHEN NULL THEN 1 ELSE 0 END
    0
    sql> GetType(CASE WHEN 7 > 5 THEN 1 ELSE 2.5 END)
    'float'
    """,
    ),
    Form(
        "CAST",
        "conversion",
        ("CAST(any AS type)",),
        """The value as another type; a value that cannot be converted stops the job.

    sql> CAST('42' AS bigint)
    42
    sql> CAST(-1.9 AS bigint)
    -1
    sql> CAST('2024-03-05' AS datetime)
    '2024-03-05T00:00:00.0000000Z'
    sql> CAST(1.50 AS nvarchar(max))
    '1.5'
    """,
    ),
    Form(
        "TRY_CAST",
        "conversion",
        ("TRY_CAST(any AS type)",),
        """The value as another type, or NULL where it cannot be converted.

    sql> TRY_CAST('12 kg' AS bigint)
    NULL
    sql> TRY_CAST('1e3' AS float)
    1000.0
    sql> TRY_CAST(2 AS bit)
    1
    """,
    ),
    Form(
        "GetArrayElements",
        "array",
        ("CROSS APPLY GetArrayElements(array) AS e", "OUTER APPLY GetArrayElements(array) AS e"),
        """A row for each element of an array: `e.ArrayIndex` (from 0) and `e.ArrayValue`.

CROSS gives no row for an empty array or NULL, OUTER one row with NULLs.""",
        (
            "SELECT id, e.ArrayIndex AS n, e.ArrayValue AS item\n"
            "FROM input CROSS APPLY GetArrayElements(items) AS e",
            _ORDER,
            [{"id": 1, "n": 0, "item": "pen"}, {"id": 1, "n": 1, "item": "ink"}],
        ),
    ),
    Form(
        "GetRecordProperties",
        "record",
        (
            "CROSS APPLY GetRecordProperties(record) AS p",
            "OUTER APPLY GetRecordProperties(record) AS p",
        ),
        """A row for each property of a record: `p.PropertyName` and `p.PropertyValue`.

CROSS gives no row for an empty record or NULL, OUTER one row with NULLs. The properties come in the
order of the event.""",
        (
            "SELECT p.PropertyName AS name, p.PropertyValue AS value\n"
            "FROM input CROSS APPLY GetRecordProperties(buyer) AS p",
            _ORDER,
            [{"name": "name", "value": "Ida"}, {"name": "age", "value": 40}],
        ),
    ),
    Form(
        "GetMetadataPropertyValue",
        "metadata",
        ("GetMetadataPropertyValue(input, 'path')",),
        """A property of the message that brought the event; NULL if the message does not have it.

The path is like `'[EventHub].[PartitionKey]'`, `'IoTHub.EnqueuedTime'`, `'BlobName'` or
`'[User].[name]'`; a whole group such as `'[User]'` is a record. `'EventId'` is a GUID of the event,
the same in each run. The other properties come from the key of events that the setting
`metadata_field` names.""",
        (
            "SELECT LEN(GetMetadataPropertyValue(input, 'EventId')) AS letters,\n"
            "    GetMetadataPropertyValue(input, 'BlobName') AS blob\n"
            "FROM input",
            _ORDER,
            [{"letters": 36, "blob": None}],
        ),
    ),
    Form(
        "System.Timestamp",
        "system",
        ("System.Timestamp()", "System.Timestamp"),
        """The time of the row, as datetime.

That of an event is the value of TIMESTAMP BY, or else its arrival; that of a window its end; that
of a pair of a join the later of the two.""",
        (
            "SELECT tank, System.Timestamp() AS t\nFROM input TIMESTAMP BY at",
            _LEVELS[:1],
            [{"tank": "A", "t": "2024-05-01T00:00:01.0000000Z"}],
        ),
    ),
    Form(
        "System.Window",
        "system",
        ("System.Window().Id",),
        """The id of the window in `Windows(Window('id', ...), ...)`; NULL for one without id.

Stands only in the select list of a query that groups by a window.""",
        (
            "SELECT System.Window().Id AS w, COUNT(*) AS n\n"
            "FROM input TIMESTAMP BY at\n"
            "GROUP BY Windows(\n"
            "    Window('ten', TumblingWindow(second, 10)),\n"
            "    Window('five', TumblingWindow(second, 5)))",
            _LEVELS,
            [{"w": "five", "n": 3}, {"w": "ten", "n": 4}, {"w": "five", "n": 1}],
        ),
    ),
    Form(
        "LAG",
        "analytic",
        (
            "LAG(value [, offset [, default]]) OVER ([PARTITION BY key, ...] "
            "LIMIT DURATION(unit, n) [WHEN condition])",
        ),
        """The value in the event before, or in the `offset`-th event before (1 if not given).

Counts the events of the same partition that satisfy WHEN and are younger than the duration. Without
such an event the result is the default, or NULL; a NULL in that event stays NULL. `LAG(*)` is the
whole event as a record. Events are taken before WHERE, those of one time in order of arrival.""",
        (
            "SELECT tank, level - LAG(level) OVER "
            "(PARTITION BY tank LIMIT DURATION(minute, 1)) AS change\n"
            "FROM input TIMESTAMP BY at",
            _LEVELS,
            [
                {"tank": "A", "change": None},
                {"tank": "B", "change": None},
                {"tank": "A", "change": -5},
                {"tank": "A", "change": -15},
            ],
        ),
    ),
    Form(
        "LAST",
        "analytic",
        (
            "LAST(value [, default]) OVER ([PARTITION BY key, ...] "
            "LIMIT DURATION(unit, n) [WHEN condition])",
        ),
        """The value in the last event that satisfies WHEN, which may be the current one.

Otherwise as LAG.""",
        (
            "SELECT level, LAST(level) OVER "
            "(LIMIT DURATION(minute, 1) WHEN tank = 'B') AS b\n"
            "FROM input TIMESTAMP BY at",
            _LEVELS,
            [
                {"level": 40, "b": None},
                {"level": 70, "b": 70},
                {"level": 35, "b": 70},
                {"level": 20, "b": 70},
            ],
        ),
    ),
    Form(
        "ISFIRST",
        "analytic",
        ("ISFIRST(unit, n) [OVER ([PARTITION BY key, ...] [WHEN condition])]",),
        """1 for the first event of each interval, 0 for the others.

The intervals are those of `TumblingWindow(unit, n)`. With WHEN, 1 for the first event that
satisfies it.""",
        (
            "SELECT tank, ISFIRST(second, 5) OVER (PARTITION BY tank) AS first\n"
            "FROM input TIMESTAMP BY at",
            _LEVELS,
            [
                {"tank": "A", "first": 1},
                {"tank": "B", "first": 1},
                {"tank": "A", "first": 0},
                {"tank": "A", "first": 1},
            ],
        ),
    ),
)
"""All of them, in the order of the documentation."""
