"""GetMetadataPropertyValue: properties of the message that brought an event."""

import itertools
import uuid

import pytest

import streamql
from streamql.bind.metadata import property_path
from streamql.errors import BindError

EVENTS = [
    {
        "$meta": {
            "EventHub": {
                "EventEnqueuedUtcTime": "2024-03-05T08:00:00Z",
                "PartitionId": 3,
                "PartitionKey": "k-1",
            },
            "IoTHub": {"EnqueuedTime": "2024-03-05T07:00:00Z", "ConnectionDeviceId": "d"},
            "User": {"name": "x", "a.b": 5, "Deep": {"In": [1]}},
            "BlobName": "b.json",
        },
        "id": 1,
        "list": [1, 2],
    },
    {"id": 2, "PartitionId": 9, "list": [3]},
    {"$meta": {"EventId": "mine", "User": "none"}, "id": 3},
]
KEY = {"metadata_field": "$meta"}


@pytest.fixture(params=["in one batch", "one by one"])
def cut(request):
    return itertools.repeat(1) if request.param == "one by one" else None


def rows_of(query, cut=None, events=EVENTS, **settings):
    with streamql.Engine(**{**KEY, **settings}) as engine:
        engine.cut = cut
        engine.register("hub", events)
        return engine.sql(query).fetchall()


PROPERTIES = [
    ("[EventHub].[PartitionKey]", ["k-1", None, None]),
    ("eventhub.partitionkey", ["k-1", None, None]),
    ("IoTHub.ConnectionDeviceId", ["d", None, None]),
    ("BlobName", ["b.json", None, None]),
    ("[User].[name]", ["x", None, None]),
    ("[User].[a.b]", [5, None, None]),
    ("User.[Deep].In", [[1], None, None]),
    ("[User].[nothing]", [None] * 3),
    ("EventHub.PartitionId", [3, None, None]),
    ("[User].[Deep]", [{"In": [1]}, None, None]),
    ("IoTHub", [EVENTS[0]["$meta"]["IoTHub"], None, None]),
    ("[User]", [EVENTS[0]["$meta"]["User"], None, "none"]),
]


@pytest.mark.parametrize(("path", "expected"), PROPERTIES)
def test_properties(cut, path, expected):
    query = f"SELECT GetMetadataPropertyValue(hub, '{path}') AS p FROM hub"
    assert [row["p"] for row in rows_of(query, cut)] == expected


DATETIMES = [
    "[EventHub].[EventEnqueuedUtcTime]",
    "IoTHub.EnqueuedTime",
]


@pytest.mark.parametrize("path", DATETIMES)
def test_times_are_datetimes(cut, path):
    query = f"SELECT GetType(GetMetadataPropertyValue(hub, '{path}')) AS t FROM hub"
    assert [row["t"] for row in rows_of(query, cut)] == ["datetime", None, None]


# the metadata stay with the rows through everything that keeps rows
THROUGH = [
    ("SELECT GetMetadataPropertyValue(h, 'BlobName') AS p FROM hub AS h", ["b.json", None, None]),
    ("SELECT GetMetadataPropertyValue(hub, 'BlobName') AS p FROM hub h", ["b.json", None, None]),
    ("SELECT id AS p FROM hub WHERE GetMetadataPropertyValue(hub, 'BlobName') LIKE 'b%'", [1]),
    ("SELECT GetMetadataPropertyValue(hub, 'EventId') AS p FROM hub WHERE id = 3", ["mine"]),
    (
        "SELECT GetMetadataPropertyValue(hub, 'BlobName') AS p FROM hub"
        " CROSS APPLY GetArrayElements(list) AS e",
        ["b.json", "b.json", None],
    ),
    (
        "WITH s AS (SELECT id, GetMetadataPropertyValue(hub, '[User].[name]') AS n FROM hub)"
        " SELECT UPPER(n) AS p FROM s",
        ["X", None, None],
    ),
    (
        "SELECT System.Timestamp() AS p FROM hub"
        " TIMESTAMP BY GetMetadataPropertyValue(hub, 'EventHub.EventEnqueuedUtcTime')",
        ["2024-03-05T08:00:00"],
    ),
    (
        "SELECT GetMetadataPropertyValue(hub, '[User].[name]') AS p FROM hub"
        " TIMESTAMP BY DATEADD(hour, id, '2024-03-05T08:00:00Z')",
        ["x", None, None],
    ),
]


@pytest.mark.parametrize(("query", "expected"), THROUGH)
def test_where_metadata_can_be_read(cut, query, expected):
    found = [row["p"] for row in rows_of(query, cut)]
    assert [f.strftime("%FT%T") if hasattr(f, "strftime") else f for f in found] == expected


def timed(numbers, base):
    return [
        {"$meta": {"User": {"n": base + n}}, "id": n, "t": f"2024-03-05T08:00:0{n}Z"}
        for n in numbers
    ]


def test_each_side_of_a_join_has_its_own(cut):
    query = """
        SELECT a.id, GetMetadataPropertyValue(a, 'User.n') AS an,
               GetMetadataPropertyValue(y, 'User.n') AS bn,
               CASE WHEN GetMetadataPropertyValue(y, 'EventId') IS NULL THEN 0 ELSE 1 END AS e
        FROM a TIMESTAMP BY t
        LEFT JOIN b AS y TIMESTAMP BY t
        ON a.id = y.id AND DATEDIFF(second, a, y) BETWEEN 0 AND 1
            AND GetMetadataPropertyValue(y, 'User.n') <> 13
    """
    with streamql.Engine(**KEY) as engine:
        engine.cut = cut
        engine.register("a", timed(range(4), 0))
        engine.register("b", timed([0, 2, 3], 10))
        found = engine.sql(query).fetchall()
    assert sorted(found, key=lambda row: row["id"]) == [
        {"id": 0, "an": 0, "bn": 10, "e": 1},
        {"id": 1, "an": 1, "bn": None, "e": 0},
        {"id": 2, "an": 2, "bn": 12, "e": 1},
        {"id": 3, "an": 3, "bn": None, "e": 0},
    ]


def test_metadata_can_be_a_key(cut):
    query = """
        SELECT GetMetadataPropertyValue(hub, 'User.n') AS n, COUNT(*) AS c
        FROM hub TIMESTAMP BY t
        GROUP BY GetMetadataPropertyValue(hub, 'User.n'), TumblingWindow(minute, 1)
    """
    found = rows_of(query, cut, timed([1, 2, 3], 0) + timed([4], -3))
    assert sorted(found, key=lambda row: row["n"]) == [
        {"n": 1, "c": 2},
        {"n": 2, "c": 1},
        {"n": 3, "c": 1},
    ]


def test_metadata_are_no_column(cut):
    query = "SELECT *, GetMetadataPropertyValue(hub, 'BlobName') AS b FROM hub"
    first = rows_of(query, cut)[0]
    assert first == {"id": 1, "list": [1, 2], "b": "b.json"}


def test_without_the_key_in_the_settings_there_is_no_metadata(cut):
    query = "SELECT GetMetadataPropertyValue(hub, 'BlobName') AS b FROM hub"
    assert rows_of(query, cut, metadata_field=None) == [{"b": None}] * 3


def test_every_event_has_an_id_of_its_own_in_each_run():
    query = "SELECT id, GetMetadataPropertyValue({}, 'EventId') AS e FROM hub{} WHERE id <> 3"
    found = [
        [row["e"] for row in rows_of(query.format(name, alias), cut, EVENTS * 50, **settings)]
        for name, alias in (("hub", ""), ("x", " AS x"))
        for cut in (None, itertools.repeat(7))
        for settings in ({}, {"metadata_field": None})
    ]
    assert len(set(found[0])) == 100
    assert all(other == found[0] for other in found)
    assert str(uuid.UUID(found[0][0])) == found[0][0]


def test_events_of_another_input_have_other_ids():
    with streamql.Engine() as engine:
        for name in ("a", "b"):
            engine.register(name, [{"id": 1}])
        found = [
            engine.sql(f"SELECT GetMetadataPropertyValue({n}, 'EventId') AS e FROM {n}").fetchall()
            for n in ("a", "b")
        ]
    assert found[0] != found[1]


def test_columns_that_hubs_add_are_read_by_name(cut):
    query = """
        SELECT id, PartitionId, GetType(EventEnqueuedUtcTime) AS t, hub.IoTHub.ConnectionDeviceId
        FROM hub
    """
    assert [list(row.values()) for row in rows_of(query, cut)] == [
        [1, 3, "datetime", "d"],
        [2, 9, None, None],
        [3, None, None, None],
    ]


@pytest.mark.parametrize(("level", "names"), [("1.2", ["Key", "K2"]), ("1.1", ["key", "K2"])])
def test_old_levels_make_the_alias_lower_case(level, names):
    query = """
        SELECT GetMetadataPropertyValue(hub, '[EventHub].[PartitionKey]') AS Key,
               UPPER(GetMetadataPropertyValue(hub, '[EventHub].[PartitionKey]')) AS K2
        FROM hub
    """
    assert list(rows_of(query, compatibility_level=level)[0]) == names


def test_level_10_makes_names_in_groups_lower_case(cut):
    query = "SELECT GetMetadataPropertyValue(hub, 'User') AS u FROM hub"
    found = rows_of(query, cut, compatibility_level="1.0")[0]
    assert found == {"u": {"name": "x", "a.b": 5, "deep": {"in": [1]}}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("BlobName", ("BlobName",)),
        ("[EventHub].[PartitionKey]", ("EventHub", "PartitionKey")),
        (" IoTHub . EnqueuedTime ", ("IoTHub", "EnqueuedTime")),
        ("[User].[a.b]", ("User", "a.b")),
        ("[User].[a]]b]", ("User", "a]b")),
        ('User."x.y"', ("User", "x.y")),
        ("[User].[my name]", ("User", "my name")),
        ("", None),
        (" ", None),
        (".a", None),
        ("a.", None),
        ("a..b", None),
        ("[a", None),
        ("[]", None),
        ("a]", None),
        ("[a]b", None),
    ],
)
def test_paths(text, path):
    assert property_path(text) == path


CALL = "GetMetadataPropertyValue"
REFUSED = [
    (f"SELECT {CALL}(hub) AS x FROM hub", f"{CALL}(hub)", f"{CALL} takes 2 arguments, found 1"),
    (f"SELECT {CALL}(hub, id) AS x FROM hub", "id", "the property must be a text in quotes"),
    (f"SELECT {CALL}(hub, 'a..b') AS x FROM hub", "'a..b'", "'a..b' names no property"),
    (f"SELECT {CALL}(hub.id, 'a') AS x FROM hub", "hub.id", f"the 1st argument of {CALL} is an input of FROM, found an expression"),
    (f"SELECT {CALL}(hbu, 'a') AS x FROM hub", "hbu", "unknown input hbu"),
    (f"WITH s AS (SELECT * FROM hub) SELECT {CALL}(s, 'a') AS x FROM s", "s", f"the 1st argument of {CALL} is an input of FROM, and s is a step"),
    (f"WITH s AS (SELECT * FROM hub) SELECT {CALL}(t, 'a') AS x FROM s AS t", "t", f"the 1st argument of {CALL} is an input of FROM, and t is a step"),
    (f"WITH s AS (SELECT * FROM hub) SELECT {CALL}(hub, 'a') AS x FROM s", "hub", "this SELECT does not read hub"),
    (f"SELECT {CALL}(e, 'a') AS x FROM hub CROSS APPLY GetArrayElements(list) AS e", "e", f"the 1st argument of {CALL} is an input of FROM, and e is none"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "place", "message"), REFUSED)
def test_refused_with_place(query, place, message):
    with pytest.raises(BindError) as caught:
        rows_of(query)
    error = caught.value
    assert error.span is not None
    assert query[error.span.start : error.span.end] == place
    assert error.message == message
