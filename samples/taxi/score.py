"""The entry script of the taxi model: `init()` loads it, `run(data)` scores a batch of rows.

It serves two hosts. StreamQL runs it in process (`--function score=score.py`), where nothing but
scikit-learn is needed. Azure ML's server (`azmlinfsrv --entry_script score.py`) runs it behind
HTTP and publishes a swagger from the inference-schema decorators below.
"""

import json
from pathlib import Path

import joblib

try:
    from inference_schema.parameter_types.standard_py_parameter_type import (
        StandardPythonParameterType,
    )
    from inference_schema.schema_decorators import input_schema, output_schema
except ImportError:  # in process nobody asks for a swagger
    input_schema = output_schema = None

FIELDS = ("vendorid", "weekday", "pickuphour", "passenger", "distance")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_model = None


def init() -> None:
    """Load the model that train.py wrote next to this file. Called once, before `run`."""
    global _model
    _model = joblib.load(Path(__file__).with_name("model.joblib"))


def features(row) -> list[float]:
    """Return the numbers the model sees of a row: an array of five values, or a record."""
    if isinstance(row, dict):
        missing = [name for name in FIELDS if name not in row]
        if missing:
            raise ValueError(f"the row has no field {missing[0]}: {row}")
        row = [row[name] for name in FIELDS]
    if len(row) != len(FIELDS):
        raise ValueError(f"a row has {len(FIELDS)} values ({', '.join(FIELDS)}), this one: {row}")
    vendor, weekday, hour, passengers, distance = row
    if weekday not in WEEKDAYS:
        raise ValueError(f"no weekday: {weekday!r} (there are {', '.join(WEEKDAYS)})")
    day = WEEKDAYS.index(weekday)
    return [float(vendor), float(day), float(hour), float(passengers), float(distance)]


def run(data):
    """Return one fare per row, in the order of the rows, rounded to cents."""
    if isinstance(data, str | bytes):  # an undecorated script gets the body of the request
        data = json.loads(data)["data"]
    if len(data) == 0:
        return []
    fares = _model.predict([features(row) for row in data])
    return [round(float(fare), 2) for fare in fares]


if input_schema is not None:
    _rows = StandardPythonParameterType(
        [["1", "Mon", "12", "1", "5.8"], ["2", "Wed", "10", "2", "10"]]
    )
    _fares = StandardPythonParameterType([17.5, 28.5])
    run = input_schema("data", _rows)(output_schema(_fares)(run))
