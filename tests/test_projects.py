"""Projects: Azure's folders as they are, and `streamql.toml`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from streamql.cli import main, startup

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "azure-project"
QUERY = "SELECT a, udf.twice(a) AS b INTO out FROM entry"
MOCK = {"InputAlias": "entry", "Type": "Data Stream", "Format": "Json", "FilePath": "data.json"}
CLOUD = {"Name": "entry", "Type": "Data Stream", "DataSourceType": "Event Hub"}
TWICE = "function main(x) { return x * 2; }"


@pytest.fixture
def streamql(capfd, monkeypatch):
    """Runs a command; gives its exit code, and what is on standard output and standard error.

    What a run does to its process once and for all is left out.
    """
    for name in ("skip_pandas", "share_the_interpreter", "load_v8_meanwhile"):
        monkeypatch.setattr(startup, name, lambda: None)

    def run(*args: str) -> tuple[int, str, str]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main(list(args))
        return (ended.value.code, *capfd.readouterr())

    return run


def make(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def manifest(*files: str, start: str = "job.asaql") -> dict:
    return {"name": "p", "startFile": start, "configurations": [{"filePath": f} for f in files]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project that runs, with a script, an input and a function."""
    monkeypatch.chdir(tmp_path)
    files = {
        "asaproj.json": manifest("Inputs\\Local_entry.json", "Functions\\twice.js.json"),
        "job.asaql": QUERY,
        "Inputs/Local_entry.json": {**MOCK, "ScriptType": "InputMock"},
        "Inputs/data.json": '{"a":1}\n{"a":2}\n',
        "Functions/twice.js": TWICE,
        "Functions/twice.js.json": {"Name": "twice", "ScriptType": "JSFunctionConfig"},
    }
    return make(tmp_path / "job", files)


ROWS = '{"a":1,"b":2}\n{"a":2,"b":4}\n'


def test_the_sample_runs_and_tests_unchanged(streamql):
    code, rows, said = streamql("run", str(SAMPLE))
    assert (code, len(rows.splitlines())) == (0, 7), said
    assert "note: outputs that go to standard output here: cars (Power BI), booths" in said
    code, told, _ = streamql("test", str(SAMPLE))
    assert (code, told.count("passed  ")) == (0, 2), told


@pytest.mark.parametrize("path", ["job", "job/asaproj.json", "job/job.asaql"])
def test_a_project_is_a_folder_or_its_file(streamql, project, path):
    assert streamql("run", path, "--quiet") == (0, ROWS, "")


XML = """\ufeff<Project xmlns="http://schemas.microsoft.com/developer/msbuild/2003">\r
  <ItemGroup><Configure Include="Inputs\\Local_entry.json"><SubType>InputMock</SubType></Configure>
  </ItemGroup><ItemGroup><Script Include="JOB.asaql" /></ItemGroup></Project>"""
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
def test_spellings(streamql, project, files, gone):
    for name in gone:
        (project / name).unlink()
    make(project, files)
    assert streamql("run", "job", "--quiet") == (0, ROWS, "")


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
def test_mistakes(streamql, project, files, sentence):
    make(project, files)
    code, _, said = streamql("run", "job")
    assert sentence in said
    assert code == 2


def test_inputs_of_the_cloud_are_named_with_their_flags(streamql, project):
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
    code, _, said = streamql("run", "job")
    assert code == 2
    assert "data: entry (Event Hub), my zones (Blob Storage, reference data)\n" in said
    assert "hint: give --input entry=FILE --reference '[my zones]'=FILE\n" in said
    data = project / "Inputs" / "data.json"
    flags = ("--input", f"entry={data}", "--reference", f"[my zones]={data}")
    assert streamql("run", "job", "--quiet", *flags) == (0, '{"a":1}\n{"a":2}\n', "")


def test_job_settings_count_and_flags_win(streamql, project):
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
    code, rows, said = streamql("run", "job")
    assert (code, rows) == (0, '{"a":1}\n'), said
    assert "note: DataLocale de-DE has no effect" in said
    code, rows, _ = streamql("run", "job", "--set", "out_of_order=10s")
    assert (code, rows) == (0, '{"a":2}\n{"a":1}\n')


def test_a_model_is_called_at_its_endpoint_unless_a_flag_says_otherwise(streamql, project):
    model = {"Name": "twice", "ScriptType": "MLFunction", "Endpoint": "http://127.0.0.1:9/score"}
    make(project, {"asaproj.json": manifest(), "Functions/m.json": {**model, "ApiKey": "secret"}})
    (project / "Functions" / "twice.js.json").unlink()
    (project / "Functions" / "twice.js").rename("other.js")
    code, _, said = streamql("run", "job", "--set", "twice.max_retries=0")
    assert code == 3
    assert "127.0.0.1:9" in said
    assert "secret" not in said
    assert streamql("run", "job", "--quiet", "--function", "twice=other.js") == (0, ROWS, "")


def test_names_of_outputs_and_their_files(streamql, project):
    make(
        project,
        {"Outputs/out.json": {"Name": "out", "DataSourceType": "Power BI", "ScriptType": "Output"}},
    )
    code, _, said = streamql("run", "job", "--output-dir", "made")
    assert (code, "note:" in said) == (0, False)
    assert Path("made/out.jsonl").read_text() == ROWS


CASE = {
    "Name": "first",
    "Inputs": [{**MOCK, "FilePath": "..\\Inputs\\data.json", "ScriptType": "InputMock"}],
    "ExpectedOutputs": [{"OutputAlias": "OUT", "FilePath": "rows.json", "Required": True}],
}
TEST_MISTAKES = [
    ({"TestCases": [{**CASE, "Inputs": [{**MOCK, "FilePath": "dat.json"}]}]}, 2, "names dat.json"),
    ({"TestCases": [{**CASE, "Inputs": [{"InputAlias": "entry"}]}]}, 2, "inputs without filepath"),
    ({"Cases": []}, 2, "has no list TestCases"),
    ({"TestCases": ["x"]}, 2, "test case 1 is no object"),
    ({"TestCases": [{**CASE, "ExpectedOutputs": []}]}, 1, "output out is not expected: 2 rows"),
    (
        {"TestCases": [{**CASE, "ExpectedOutputs": [{"OutputAlias": "out", "FilePath": "/dev/null"}]}]},
        1,
        "2 not expected",
    ),
    (
        {"TestCases": [{**CASE, "ExpectedOutputs": [{"OutputAlias": "out", "FilePath": "x", "Required": False}]}]},
        0,
        "1 passed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "code", "sentence"), TEST_MISTAKES)
def test_azures_test_cases(streamql, project, config, code, sentence):
    make(project, {"test/testConfig.json": {"TestCases": [CASE]}, "test/rows.json": f"[{ROWS}]"})
    assert streamql("test", "job")[0] == 0
    make(project, {"test/testConfig.json": config})
    found, told, said = streamql("test", "job")
    assert sentence in told + said
    assert found == code


def test_azures_expected_rows_are_updated_in_their_layout(streamql, project):
    make(project, {"test/testConfig.json": {"TestCases": [CASE]}, "test/rows.json": "[\r\n]"})
    assert streamql("test", "job", "--update")[0] == 0
    assert (project / "test" / "rows.json").read_bytes() == (
        b'[\r\n{"a":1,"b":2},\r\n{"a":2,"b":4}\r\n]\r\n'
    )


def test_a_new_project_runs_and_tests_at_once(streamql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert streamql("init", "new")[0] == 0
    code, rows, _ = streamql("run", "new")
    assert (code, len(rows.splitlines())) == (0, 7)
    assert streamql("test", "new")[0] == 0
    monkeypatch.chdir(tmp_path / "new")
    assert streamql("run", ".")[0] == 0
    code, _, said = streamql("init")
    assert (code, "is there already" in said) == (2, True)


def test_init_from_an_azure_project_says_the_same(streamql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLE, "toll")
    before = streamql("run", "toll", "--quiet")
    assert streamql("init", "--from-asa", "toll/asaproj.json")[0] == 0
    Path("toll/asaproj.json").unlink()
    assert streamql("run", "toll", "--quiet")[:2] == before[:2]
    assert streamql("test", "toll")[0] == 0
    code, _, said = streamql("init", "--from-asa", ".")
    assert (code, "is no Azure project" in said) == (2, True)


def test_code_within_json_gets_a_file(streamql, project):
    make(
        project,
        {"asaproj.json": manifest(), "Functions/twice.js.json": {"Name": "twice", "JSCode": TWICE}},
    )
    (project / "Functions" / "twice.js").unlink()
    make(
        project,
        {
            "Functions/score.json": {
                "Name": "score",
                "Endpoint": "http://127.0.0.1:9/s",
                "BatchSize": 7,
                "ScriptType": "MLFunction",
            }
        },
    )
    assert streamql("init", "--from-asa", "job")[0] == 0
    assert (project / "Functions" / "twice.js").read_text() == TWICE
    assert streamql("run", "job", "--quiet") == (0, ROWS, "")
    written = (project / "streamql.toml").read_text()
    assert '[functions.score]\nfrom = "http://127.0.0.1:9/s"\nmax_batch_count = "7"\n' in written


TOML = 'query = "job.sql"\n[inputs]\nentry = "in.jsonl"\n[functions]\ntwice = "lib/t.js"\n'
TOML_MISTAKES = [
    ('inputs = 1\nquery = "job.sql"', "inputs takes a table, found 1"),
    ('query = "job.sql"\n[input]\na = "b"', "did you mean inputs?"),
    ('query = "jub.sql"', "did you mean job.sql?"),
    ("batch_rows = 1", "names no query"),
    ('query = "job.sql"\n[inputs]\nentry = 3', "inputs.entry takes a text, found 3"),
    ("query = ", "streamql.toml: "),
    (TOML + "[functions.other]\nfrm = 1", "there is no function other"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), TOML_MISTAKES)
def test_mistakes_in_streamql_toml(streamql, tmp_path, monkeypatch, text, sentence):
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path / "p",
        {"streamql.toml": text, "job.sql": QUERY, "in.jsonl": '{"a":1}', "lib/t.js": TWICE},
    )
    code, _, said = streamql("run", "p")
    assert sentence in said
    assert code == 2


def test_a_streamql_toml_is_a_project(streamql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(
        tmp_path / "p",
        {
            "streamql.toml": TOML.replace(
                "[inp", 'batch_rows = 1\n[outputs]\nout = "out.jsonl"\n[inp'
            )
            + "[functions.thrice]\nfrom = 'lib/u.js'\njs_timeout = '5s'\n",
            "job.sql": QUERY + "; SELECT udf.thrice(a) AS c INTO more FROM entry",
            "in.jsonl": '{"a":1}',
            "lib/t.js": TWICE,
            "lib/u.js": "function main(x) { return x * 3; }",
        },
    )
    assert streamql("run", "p", "--quiet") == (0, '{"c":3}\n', "")
    assert (tmp_path / "p" / "out.jsonl").read_text() == '{"a":1,"b":2}\n'
    code, rows, _ = streamql("run", "p", "--quiet", "-o", "-", "-i", "entry=p/in.jsonl")
    assert (code, rows) == (0, '{"a":1,"b":2}\n{"c":3}\n')


def test_a_folder_that_is_no_project(streamql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, said = streamql("run", ".")
    assert (code, "the folder . is no project" in said) == (2, True)
    make(tmp_path, {"a.asaproj": XML, "b.asaproj": XML})
    code, _, said = streamql("run", ".")
    assert (code, "has several projects: a.asaproj, b.asaproj" in said) == (2, True)


def test_a_case_without_a_query_is_of_the_project_around_it(streamql, project):
    make(
        project / "tests" / "one",
        {"inputs/entry.jsonl": '{"a":7}', "expected/out.jsonl": '{"a":7,"b":14}'},
    )
    assert streamql("test", "job")[0] == 0


def test_a_project_is_checked_with_its_functions(streamql, project):
    for path in ("job", "job/job.asaql"):
        code, told, _ = streamql("check", path)
        assert code == 0, told
    make(project, {"job.asaql": QUERY.replace("twice", "twise")})
    code, told, _ = streamql("check", "job")
    assert (code, "twise" in told) == (1, True), told
