"""How deep the records and arrays of an event may be nested: `max_depth`."""

import json

import pytest

import streamql
from streamql.errors import UsageError
from streamql.formats.json_read import JsonLinesDecoder
from streamql.settings import Settings

FORMS = {
    "objects": ('{"a":', "}"),
    "arrays": ("[", "]"),
    "both": ('[{"a":', "}]"),
}


def nested(form, levels):
    """Return a value with so many levels; brackets inside of strings are none."""
    opening, closing = FORMS[form]
    each = 2 if form == "both" else 1
    return (
        "[" * (levels % each)
        + opening * (levels // each)
        + '"[{["'
        + closing * (levels // each)
        + "]" * (levels % each)
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 300])
@pytest.mark.parametrize("most", [1, 2, 3, 5, 32, 33, 34, 65, 66, 67, 100, 399, 400])
def test_events_of_one_level_more_are_bad(form, count, most):
    """Whether lines are read one by one or by a template."""
    for levels in (most - 1, most):
        decoder = JsonLinesDecoder(layout="lines", max_depth=most)
        line = f'{{"id":7,"v":{nested(form, levels)}}}\n'
        found = [*decoder.feed(line.encode() * count), *decoder.finish()]
        good = sum(len(f) for f in found)
        bad = [b.reason for f in found for b in f.bad]
        if levels < most:
            assert (good, bad) == (count, [])
        else:
            reason = f"nested {most + 1} levels deep, and {most} are the most"
            assert (good, set(bad), len(bad)) == (0, {reason}, count)


def test_a_deep_line_among_others_is_bad_alone():
    lines = [f'{{"id":{n},"v":{nested("arrays", 5 if n == 170 else 3)}}}' for n in range(300)]
    decoder = JsonLinesDecoder(layout="lines", max_depth=4)
    found = [*decoder.feed("\n".join(lines).encode()), *decoder.finish()]
    assert [b.event for f in found for b in f.bad] == [171]
    assert sum(len(f) for f in found) == 299


def test_a_job_counts_deep_events(tmp_path):
    events = tmp_path / "a.jsonl"
    events.write_text("".join(f'{{"id":{n},"v":{nested("objects", n)}}}\n' for n in range(1, 10)))
    with streamql.Engine(max_depth=4) as engine:
        engine.register_uri("a", str(events))
        out = tmp_path / "o.jsonl"
        summary = engine.job("SELECT id INTO o FROM a", outputs={"o": str(out)}).run()
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == [1, 2, 3]
    assert summary.inputs["a"].bad == 6


def test_reference_data_have_the_same_limit(tmp_path):
    sites = tmp_path / "sites.jsonl"
    sites.write_text('{"k":1,"s":[[1]]}\n{"k":1,"s":[[[1]]]}\n')
    with streamql.Engine(max_depth=3) as engine:
        engine.register("a", [{"k": 1}])
        engine.register_reference("r", str(sites))
        rows = engine.sql("SELECT r.s FROM a JOIN r ON a.k = r.k").fetchall()
    assert rows == [{"s": [[1]]}]


def test_what_the_setting_takes():
    assert Settings().max_depth == 400
    assert Settings.load(flags={"max_depth": "12"}).max_depth == 12
    for wrong in ("0", "401", "deep"):
        with pytest.raises(UsageError, match=f"max_depth takes .*, found '{wrong}'"):
            Settings.load(flags={"max_depth": wrong})
    with pytest.raises(UsageError, match="no setting 'max_dept'") as caught:
        Settings.load(flags={"max_dept": "12"})
    assert caught.value.hint == "did you mean max_depth?"


@pytest.mark.parametrize("form", FORMS)
def test_the_deepest_values_are_compared_held_and_measured(form, tmp_path):
    events = tmp_path / "a.jsonl"
    value = nested(form, 396)
    events.write_text("".join(f'{{"id":{n},"v":{value}}}\n' for n in range(100)))
    query = (
        "SELECT COUNT(DISTINCT v) AS n INTO o FROM a GROUP BY TumblingWindow(second, 1); "
        "SELECT x.id, y.id AS other INTO p FROM a x JOIN a y ON x.v = y.v AND x.id = y.id "
        "AND DATEDIFF(second, x, y) BETWEEN 0 AND 1"
    )
    with streamql.Engine() as engine:
        engine.register_uri("a", str(events))
        outputs = {name: str(tmp_path / f"{name}.jsonl") for name in "op"}
        job = engine.job(query, outputs=outputs, checkpoint=tmp_path / "state")
        summary = job.run()
    assert (tmp_path / "o.jsonl").read_text() == '{"n":1}\n'
    assert summary.rows["p"] == 100
