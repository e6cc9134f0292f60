"""The taxi sample: its events are reproducible, and its entry script does what the README says."""

import sys

import pytest
import taxi

needs_model = pytest.mark.skipif(
    not taxi.installed(*taxi.NEEDS), reason="the extra `samples` is not installed"
)
ROWS = [["1", "Mon", "12", "1", "5.8"], ["2", "Wed", "10", "2", "10"]]


@pytest.fixture(params=["decorated", "plain"])
def score(request, monkeypatch):
    """The entry script, loaded with and without inference-schema."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "inference_schema", None)
        for name in [n for n in sys.modules if n.startswith("inference_schema.")]:
            monkeypatch.setitem(sys.modules, name, None)
    elif not taxi.installed("inference_schema"):
        pytest.skip("the extra `server` is not installed")
    taxi.train()
    script = taxi.module("score")
    script.init()
    return script


def test_events_are_those_of_the_generator(tmp_path, monkeypatch):
    generator = taxi.module("generate")
    made = tmp_path / "events.jsonl"
    monkeypatch.setattr(sys, "argv", ["generate.py", str(made)])
    generator.main()
    assert made.read_bytes() == taxi.EVENTS.read_bytes()


@needs_model
def test_arrays_and_records_get_the_same_fares(score):
    records = [dict(zip(score.FIELDS, row, strict=True)) for row in ROWS]
    fares = score.run(ROWS)
    assert score.run(records) == fares
    assert score.run(data=ROWS) == fares
    assert [type(fare) for fare in fares] == [float, float]
    assert all(3 < fare < 60 and fare == round(fare, 2) for fare in fares)
    assert score.run([]) == []


@needs_model
@pytest.mark.parametrize("row", [["1", "Mon"], {"vendorid": "1"}, ["1", "Noday", "1", "1", "1"]])
def test_a_row_that_does_not_fit_is_named(score, row):
    with pytest.raises(ValueError, match=r"row|weekday"):
        score.run([row])


@needs_model
def test_the_model_is_near_the_tariff(score):
    trips = list(taxi.module("generate").trips(500, seed=99))
    fares = score.run([event for event, _ in trips])
    errors = [abs(fare - paid) for fare, (_, paid) in zip(fares, trips, strict=True)]
    assert sum(errors) / len(errors) < 1
