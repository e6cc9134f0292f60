"""The flags of every command that takes a query, and the engine that they describe."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .project import opened, outputs_of
from .report import QUERY, warn

if TYPE_CHECKING:
    from ..engine import Engine
    from ..errors import StreamqlError
    from ..projects.project import Project
    from ..settings import Settings

SETTINGS_FILE = Path("streamql.toml")
STDIO = "-"


@dataclass(frozen=True)
class QueryFlags:
    """What the command line says about a query; each field is the flag of that name."""

    query_file: str | None = None
    query_files: tuple[str, ...] = ()
    query: str | None = None
    inputs: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    output_dir: str | None = None
    folders: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    replay: bool = False
    follow: bool = False
    record_calls: str | None = None
    replay_calls: str | None = None
    no_color: bool = False


@dataclass(frozen=True)
class Prepared:
    """An engine with the inputs, functions and settings of the flags, and the query for it.

    Attributes:
        script: the text of the query.
        only_input: the URI of the query's only input, where it was given without a name.
        default_output: where outputs go that have no URI of their own; None: nothing was said.
        outputs: the URI of each output that has one.
    """

    engine: Engine
    script: str
    only_input: str | None
    default_output: str | None
    outputs: dict[str, str] = field(default_factory=dict)
    output_dir: str | None = None


_INPUTS = (
    click.argument("query_file", required=False),
    click.option("-q", "--query", help="The query itself, instead of QUERY_FILE."),
    click.option(
        "-i",
        "--input",
        "inputs",
        multiple=True,
        metavar="[NAME=]URI",
        help="Where an input comes from; without NAME it is the query's only input.",
    ),
    click.option(
        "--reference",
        "references",
        multiple=True,
        metavar="NAME=URI",
        help="Where reference data comes from.",
    ),
)
_OUTPUTS = (
    click.option(
        "-o",
        "--output",
        "outputs",
        multiple=True,
        metavar="[NAME=]URI",
        help="Where an output goes; without NAME all that are not named.  "
        "[default: standard output]",
    ),
    click.option("--output-dir", metavar="DIR", help="Write DIR/NAME.jsonl for each other output."),
)
_SURROUNDINGS = (
    click.option(
        "--functions",
        "folders",
        multiple=True,
        metavar="DIR",
        help="A folder in which each ALIAS.js is the function udf.ALIAS or the aggregate "
        "uda.ALIAS.",
    ),
    click.option(
        "--function",
        "functions",
        multiple=True,
        metavar="ALIAS=SPEC",
        help="A function: FILE.js, a model (an http(s) URL, an entry script score.py, "
        "model.onnx), or MODULE:NAME or FILE.py:NAME in Python.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting of the job, or ALIAS.KEY=VALUE: one of a function.",
    ),
    click.option(
        "--replay",
        is_flag=True,
        help="Take the events of a pipe as history: each arrives at its own time, not now.",
    ),
    click.option(
        "--follow",
        is_flag=True,
        help="Go on with what files grow by and with new files, until Ctrl-C.",
    ),
    click.option(
        "--record-calls",
        metavar="FILE",
        help="Keep every row of scoring functions with its answer.",
    ),
    click.option(
        "--replay-calls", metavar="FILE", help="Answer from such a file; no model is asked."
    ),
    click.option("--no-color", is_flag=True, help="No colours on standard error."),
)


def query_flags(
    *, outputs: bool = False, several: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command these flags, as its argument `flags`.

    `outputs` adds those that say where rows go; with `several` there may be more than one query.
    """
    inputs = (click.argument("query_files", nargs=-1), *_INPUTS[1:]) if several else _INPUTS
    options = (*inputs, *(_OUTPUTS if outputs else ()), *_SURROUNDINGS)
    names = {f.name for f in fields(QueryFlags)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_flags(*args: Any, **given: Any) -> None:
            flags = QueryFlags(**{n: given.pop(n) for n in list(given) if n in names})
            command(*args, flags=flags, **given)

        decorated: Callable[..., None] = with_flags
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


@contextmanager
def prepared(
    ctx: click.Context,
    flags: QueryFlags,
    *,
    needs_query: bool = True,
    needs_data: bool = False,
    broken: Callable[[StreamqlError], None] | None = None,
) -> Iterator[Prepared]:
    """Give the engine that the flags describe, and close it at the end. Raises UsageError.

    Without `needs_query` the flags may name no query: then the script is empty, and all functions
    are loaded, since one may come. With `needs_data` the inputs of a project that have no data here
    are an error, and what of the project has no effect here is told. `broken` is told of functions
    that cannot be made; without it they are an error.
    """
    from . import arguments

    if flags.no_color:
        ctx.find_root().color = False
    folder = flags.output_dir and arguments.here(flags.output_dir)
    flags = replace(flags, output_dir=folder, folders=tuple(map(arguments.here, flags.folders)))
    only_input, named_inputs = arguments.bindings("--input", flags.inputs)
    default_output, named_outputs = arguments.bindings("--output", flags.outputs)
    _refuse_pairs(flags, default_output, (only_input, *named_inputs.values()))
    project = None if flags.query_file in (None, STDIO) else opened(flags.query_file)
    script = ctx.meta[QUERY] = _script_of(flags, project, needs_query)
    given = _settings_given(flags)
    folders = (*flags.folders, *(() if project is None else project.folders()))
    called = not needs_query or arguments.may_call(script, given, folders)
    _load_ahead(flags, project, bool(called and script))
    # the engine is loaded here, not for --help and --version
    from ..engine import Engine

    chosen = _settings_of(project, given)
    named_references = arguments.references(flags.references)
    functions = arguments.functions(flags.functions)
    sources = (*named_inputs, *named_references)
    with Engine(chosen) as engine:
        engine.on_warning = lambda text: warn(text, ctx)
        engine.functions.report = broken
        if project is not None:
            if only_input is None:
                project.refuse_absent(sources, cloud=needs_data)
            project.equip(engine, functions if called else None, sources)
            named_outputs = outputs_of(ctx, project, flags, named_outputs, needs_data)
        _equip(engine, flags, functions, called)
        for name, uri in named_inputs.items():
            engine.register_uri(name, uri)
        for name, uri in named_references.items():
            engine.register_reference_uri(name, uri)
        yield Prepared(engine, script, only_input, default_output, named_outputs, flags.output_dir)


def _refuse_pairs(
    flags: QueryFlags, default_output: str | None, inputs: Iterable[str | None]
) -> None:
    """Raise UsageError where two flags want the same thing."""
    from ..errors import UsageError

    if default_output is not None and flags.output_dir is not None:
        raise UsageError(
            f"--output {default_output} and --output-dir are both given",
            hint=f"--output NAME={default_output} is for one output, --output-dir for the others",
        )
    if flags.query_file == STDIO and STDIO in inputs:
        raise UsageError(
            "standard input is both the query and an input",
            hint="write the query into a file, or give it with --query",
        )


def _script_of(flags: QueryFlags, project: Project | None, needed: bool) -> str:
    """Return the query; empty where none is named and none is needed. Raises UsageError."""
    from . import arguments

    if project is not None and flags.query is None:
        return project.script
    if needed or flags.query_file is not None or flags.query is not None:
        return arguments.read_query(flags.query_file, flags.query)
    return ""


def _load_ahead(flags: QueryFlags, project: Project | None, calls: bool) -> None:
    """Begin to load what the functions need, and keep from loading what they do not."""
    from ..udf.python.specs import is_python
    from .startup import load_v8_meanwhile, skip_pandas

    if any(s.endswith(".js") for s in flags.functions) or (flags.folders and calls):
        load_v8_meanwhile()
    specs = [s.partition("=")[2] for s in flags.functions] + (project.specs() if project else [])
    if not any(".py" in spec or is_python(spec) for spec in specs):
        skip_pandas()


def _settings_of(project: Project | None, given: dict[str, str]) -> Settings:
    """Return the settings: those `given` by flags, of the environment and of the file."""
    from ..settings import Settings

    if project is None:
        return Settings.load(SETTINGS_FILE, os.environ, given, {})
    return Settings.load(
        project.settings_file or SETTINGS_FILE, os.environ, given, project.settings
    )


def _settings_given(flags: QueryFlags) -> dict[str, str]:
    """Return the settings that flags give, by name. Raises UsageError."""
    from . import arguments

    given = arguments.pairs("--set", "KEY=VALUE", flags.settings)
    if flags.replay:
        given["replay"] = "true"
    if flags.follow:
        given["follow"] = "true"
    return given | arguments.present(
        record_calls=flags.record_calls, replay_calls=flags.replay_calls
    )


def _equip(engine: Engine, flags: QueryFlags, functions: dict[str, str], called: bool) -> None:
    """Give the engine the functions of the flags; without `called` only those named one by one."""
    for folder in flags.folders:
        if called or not Path(folder).is_dir():
            engine.functions_from(folder)
    for alias, spec in functions.items():
        engine.function_from(alias, spec)
