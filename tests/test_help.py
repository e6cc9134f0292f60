"""Every command can be found from `--help`, and shows how it is used."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner
from page_worlds import World

from streamql.cli import main


def commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of each command below one."""
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    found = [path] if path else []
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        found += commands(inner, (*path, name))
    return found


COMMANDS = commands(main)


def test_there_are_the_commands_a_person_looks_for():
    names = {path[0] for path in COMMANDS}
    assert names >= {"run", "repl", "check", "explain", "why", "test", "init", "functions", "model"}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_and_shows_an_example(path):
    found = CliRunner().invoke(main, [*path, "--help"])
    assert found.exit_code == 0
    assert found.stdout.startswith("Usage: ")
    command = main
    for name in path:
        command = command.commands[name]
    if not isinstance(command, click.Group) or command.epilog:
        assert f"streamql {' '.join(path)}" in found.stdout.partition("Example")[2]


def examples(path: tuple[str, ...]) -> list[str]:
    """Return the command lines that the help of a command shows as examples."""
    shown = CliRunner().invoke(main, [*path, "--help"]).stdout
    lines = re.search(r"Examples:\n((?:    .*\n)+)", shown)
    if lines is None:
        return []
    joined = re.sub(r"(?:\\\n|(?<=\|)\n) +", " ", lines[1])
    return [line.strip() for line in joined.splitlines()]


def test_examples_of_the_help_run(tmp_path):
    """Once each, though groups show those of their commands; in the folder tests/pages/help."""
    shown = dict.fromkeys(example for path in [(), *COMMANDS] for example in examples(path))
    assert len(shown) > 30
    world = World("help", tmp_path, lambda: None)
    try:
        for example in shown:
            code, said = world.run(example)
            assert code == 0, f"{example}: exit code {code}\n{said}"
    finally:
        world.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell):
    found = CliRunner().invoke(
        main, [], prog_name="streamql", env={"_STREAMQL_COMPLETE": f"{shell}_source"}
    )
    assert found.exit_code == 0
    assert "_STREAMQL_COMPLETE" in found.stdout
