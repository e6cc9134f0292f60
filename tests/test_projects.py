"""Projects of Azure run as they are, however their files are spelled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project_files import CLOUD, MOCK, QUERY, ROWS, SAMPLE, TWICE, XML, make, manifest


def test_the_sample_runs_and_tests_unchanged(command):
    code, rows, said = command("run", str(SAMPLE))
    assert (code, len(rows.splitlines())) == (0, 7), said
    assert "note: outputs that go to standard output here: cars (Power BI), booths" in said
    code, told, _ = command("test", str(SAMPLE))
    assert (code, told.count("passed  ")) == (0, 2), told


@pytest.mark.parametrize("path", ["job", "job/asaproj.json", "job/job.asaql"])
def test_a_project_is_a_folder_or_its_file(command, project, path):
    assert command("run", path, "--quiet") == (0, ROWS, "")


SPELLINGS = [
    # what is in the project besides, and what is no longer there
    ({"asaproj.json": manifest("INPUTS\\local_ENTRY.json", start=".\\Job.ASAQL")}, ()),
    ({"asaproj.json": manifest()}, ()),
    ({"job.asaproj": XML}, ("asaproj.json",)),
    ({}, ("asaproj.json",)),
    ({"job.asaql": "\ufeff" + QUERY.replace(" ", "\r\n")}, ()),
    ({"asaproj.json": "\ufeff" + json.dumps(manifest()).replace(",", ",\r\n")}, ()),
    ({"Inputs/Local_entry.json": {**MOCK, "FilePath": "..\\inputs\\DATA.json"}}, ()),
    ({"Inputs/Local_entry.json": {**MOCK, "FilePath": "Inputs/data.json"}}, ()),
    (
        {
            "Inputs/Local_entry.json": {**MOCK, "FilePath": "data.txt", "Format": "Json"},
            "Inputs/data.txt": '[{"a":1},{"a":2}]',
        },
        (),
    ),
    ({"Inputs/entry.json": {**CLOUD, "CompresssionType": "GZip", "ScriptType": "Input"}}, ()),
    # functions in every spelling
    ({}, ("Functions/twice.js.json", "asaproj.json")),
    ({"asaproj.json": manifest(), "Functions/twice.js.json": {"Name": "twice", "JSCode": TWICE}}, ("Functions/twice.js",)),
    (
        {
            "asaproj.json": manifest(),
            "Functions/f.json": {
                "name": "twice",
                "properties": {
                    "type": "Scalar",
                    "properties": {
                        "binding": {
                            "type": "Microsoft.StreamAnalytics/JavascriptUdf",
                            "properties": {"script": TWICE},
                        }
                    },
                },
            },
        },
        ("Functions/twice.js", "Functions/twice.js.json"),
    ),
    (
        {
            "asaproj.json": manifest(),
            "Functions/f.json": {"Name": "twice", "ScriptType": "JSFunctionConfig", "ScriptPath": "..\\lib\\T.js"},
            "lib/t.js": TWICE,
        },
        ("Functions/twice.js", "Functions/twice.js.json"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "gone"), SPELLINGS)
def test_spellings(command, project, files, gone):
    for name in gone:
        (project / name).unlink()
    make(project, files)
    assert command("run", "job", "--quiet") == (0, ROWS, "")


MISTAKES = [
    ({"asaproj.json": manifest("Inputs/Local_entri.json")}, "did you mean Local_entry.json?"),
    ({"asaproj.json": manifest(start="jib.asaql")}, "names jib.asaql, which is not there"),
    ({"asaproj.json": "{"}, "asaproj.json: line 1: no JSON"),
    ({"asaproj.json": "[]"}, "asaproj.json holds no JSON object"),
    ({"Inputs/Local_entry.json": {**MOCK, "FilePath": "no.json"}}, "give --input entry=FILE"),
    ({"Inputs/Local_entry.json": {**MOCK, "FilePath": "C:\\a.json"}}, "give --input entry=FILE"),
    (
        {"asaproj.json": manifest(), "Functions/twice.js.json": {"Name": "twice", "MethodName": "M", "ScriptType": "CSharpFunction"}},
        "udf.twice (a C# function, which needs .NET)\nhint: give --function twice=SPEC",
    ),
    (
        {
            "asaproj.json": manifest(),
            "job.asaql": "SELECT udf.guess(a) AS b INTO out FROM entry",
            "Functions/guess.json": {"Name": "guess", "ScriptType": "MLFunction"},
        },
        "udf.guess (a model without an endpoint)\nhint: give --function guess=SPEC",
    ),
    ({"job.asaql": "SELECT a INTO out FROM entry WHERE"}, "line 1, column"),
    ({"JobConfig.json": {"CompatibilityLevel": "2.0", "ScriptType": "JobConfig"}}, "compatibility_level takes"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "sentence"), MISTAKES)
def test_mistakes(command, project, files, sentence):
    make(project, files)
    code, _, said = command("run", "job")
    assert sentence in said
    assert code == 2


def test_inputs_of_the_cloud_are_named_with_their_flags(command, project):
    (project / "Inputs" / "Local_entry.json").unlink()
    zones = {"Name": "my zones", "Type": "Reference data", "DataSourceType": "Blob Storage"}
    make(
        project,
        {
            "asaproj.json": manifest(),
            "job.asaql": "SELECT e.a INTO out FROM entry e JOIN [my zones] z ON e.a = z.a",
            "Inputs/entry.json": {**CLOUD, "ScriptType": "Input"},
            "Inputs/zones.json": {**zones, "ScriptType": "Input"},
            "Inputs/unused.json": {**CLOUD, "Name": "unused", "ScriptType": "Input"},
        },
    )
    code, _, said = command("run", "job")
    assert code == 2
    assert "data: entry (Event Hub), my zones (Blob Storage, reference data)\n" in said
    assert "hint: give --input entry=FILE --reference '[my zones]'=FILE\n" in said
    data = project / "Inputs" / "data.json"
    flags = ("--input", f"entry={data}", "--reference", f"[my zones]={data}")
    assert command("run", "job", "--quiet", *flags) == (0, '{"a":1}\n{"a":2}\n', "")


def test_job_settings_count_and_flags_win(command, project):
    job = {
        "EventsOutOfOrderMaxDelayInSeconds": 0,
        "EventsLateArrivalMaxDelayInSeconds": -1,
        "EventsOutOfOrderPolicy": "Drop",
        "DataLocale": "de-DE",
    }
    events = '{"a":1,"t":"2024-01-01T00:00:05Z"}\n{"a":2,"t":"2024-01-01T00:00:00Z"}\n'
    make(
        project,
        {
            "JobConfig.json": {**job, "ScriptType": "JobConfig"},
            "Inputs/data.json": events,
            "job.asaql": "SELECT a INTO out FROM entry TIMESTAMP BY t",
        },
    )
    code, rows, said = command("run", "job")
    assert (code, rows) == (0, '{"a":1}\n'), said
    assert "note: DataLocale de-DE has no effect" in said
    code, rows, _ = command("run", "job", "--set", "out_of_order=10s")
    assert (code, rows) == (0, '{"a":2}\n{"a":1}\n')


def test_a_model_is_called_at_its_endpoint_unless_a_flag_says_otherwise(command, project):
    model = {"Name": "twice", "ScriptType": "MLFunction", "Endpoint": "http://127.0.0.1:9/score"}
    make(project, {"asaproj.json": manifest(), "Functions/m.json": {**model, "ApiKey": "secret"}})
    (project / "Functions" / "twice.js.json").unlink()
    (project / "Functions" / "twice.js").rename("other.js")
    code, _, said = command("run", "job", "--set", "twice.max_retries=0")
    assert code == 3
    assert "127.0.0.1:9" in said
    assert "secret" not in said
    assert command("run", "job", "--quiet", "--function", "twice=other.js") == (0, ROWS, "")


def test_names_of_outputs_and_their_files(command, project):
    make(
        project,
        {"Outputs/out.json": {"Name": "out", "DataSourceType": "Power BI", "ScriptType": "Output"}},
    )
    code, _, said = command("run", "job", "--output-dir", "made")
    assert (code, "note:" in said) == (0, False)
    assert Path("made/out.jsonl").read_text() == ROWS
