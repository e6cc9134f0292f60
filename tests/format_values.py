"""Values of all types, for tests of what formats write."""

import datetime

UTC = datetime.UTC

MOMENT = datetime.datetime(2024, 3, 5, 8, 15, 0, 123456, UTC)
COLUMNS = {
    "bigint": [1, None, 99_999, -7, 2**63 - 1],
    "small": [0, 9, 10, 9999, 10_000],
    "large": [99_999_999, 10_001, 0, 12_340_000, 5],
    "float": [1.5, None, -0.0, 1e300, 2.0],
    "cents": [0.1, 5.8, 12.34, 100.0, 99_999.9999],
    "text": ["a", "", 'q"\\\n\x01', None, "Zürich 😀"],
    "plain": ["a", "bc", "", "d e", "/"],
    "bit": [True, False, None, True, False],
    "datetime": [MOMENT, None, MOMENT, MOMENT, MOMENT],
    "moments": [MOMENT + datetime.timedelta(seconds=i * 61) for i in range(5)],
    "record": [{"b": 1, "a": None}, {}, None, {"c": {"d": [MOMENT]}}, {"x": "y"}],
    "array": [[1, 2.5, "x"], [], None, [None], [[]]],
    "mixed": [1, 2.5, "x", None, {"a": True}],
    "number": [13, 13.5, None, 14, 14.25],
    "null": [None, None, None, None, None],
}


def plain(value):
    """Return a value as JSON holds it."""
    match value:
        case datetime.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value
