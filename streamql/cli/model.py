"""`streamql model probe`: what a model's server says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .model_call import call_command
from .model_profile import profile_command
from .model_settings import ALIAS, SETTINGS

if TYPE_CHECKING:
    from ..udf.scoring.discovery import Learned
    from ..udf.scoring.place import Question, Reply

_EPILOG = """\b
Examples:
  streamql model probe http://127.0.0.1:5001/score
  streamql model probe https://fares.westeurope.inference.ml.azure.com/score \\
      --set key=env:KEY
  streamql model probe http://127.0.0.1:8080 --set model=fares
"""


@click.group("model", short_help="Look at a model before a query calls it.")
def model_command() -> None:
    """Look at a model before a query calls it."""


@model_command.command("probe", epilog=_EPILOG, short_help="Ask a server what it serves.")
@click.argument("url")
@SETTINGS
@ALIAS
def probe_command(url: str, settings: tuple[str, ...], alias: str) -> None:
    """Show each URL that was tried with its answer, then the signature and the settings to copy.

    URL is a model's address, or that of its server. An ONNX file is read.
    """
    from ..errors import FunctionError
    from ..udf.scoring.client import check_url, shown_url
    from ..udf.scoring.discovery import learn, outcome
    from ..udf.scoring.failure import Clock
    from ..udf.scoring.loop import ScoringLoop
    from ..udf.scoring.settings import ScoringSettings
    from . import arguments

    def show(question: Question, reply: Reply) -> None:
        click.echo(f"{question.method:4} {shown_url(question.url)}  {outcome(reply)}")

    if url.lower().endswith(".onnx") and "://" not in url:
        click.echo(of_file(url))
        return
    given = arguments.pairs("--set", "KEY=VALUE", settings)
    chosen = ScoringSettings.from_strings({"protocol": "auto", **given}, alias)
    check_url(alias, url)
    loop = ScoringLoop()
    try:
        learned = learn(alias, url, chosen, loop, Clock(), show)
    finally:
        loop.close()
    if learned.asked and all(reply.status is None for _, reply in learned.asked):
        raise FunctionError(
            f"{shown_url(url)} {learned.asked[0][1].said}",
            hint="see that the model's server runs, and at this address",
        )
    click.echo()
    click.echo(report(alias, learned, given))


def of_file(path: str) -> str:
    """Return the signature of an ONNX file as lines. Raises UsageError."""
    from ..udf.scoring.schemas import spoken
    from ..udf.scoring.signatures.onnx import of_onnx

    signature = of_onnx(path)
    return f"row        {spoken(signature.row)}\nanswer     {spoken(signature.answer)}"


def report(alias: str, learned: Learned, given: dict[str, str]) -> str:
    """Return what was found, and the flags and the lines of `streamql.toml` that say it."""
    from ..udf.scoring.client import shown_url
    from ..udf.scoring.options import readers
    from ..udf.scoring.schemas import spoken
    from .settings_shown import to_copy

    protocol, signature = learned.settings.protocol, learned.signature
    sure = "" if learned.recognised else "  (by the URL's path: the server does not tell)"
    lines = [f"protocol   {protocol.name}{sure}", f"address    {shown_url(learned.url)}"]
    found = {"protocol": protocol.name}
    plain = type(protocol)()
    for name in readers(type(protocol)):
        value = getattr(protocol, name)
        # a default that the server names is worth a line: it is known, not guessed
        if value != getattr(plain, name) or (signature and name in signature.settings):
            lines.append(f"{name:10} {value}")
            found[name] = str(value)
    if signature is None:
        lines.append("signature  none published: the call has the type any")
    else:
        lines.append(f"signature  {shown_url(signature.source)}")
        if signature.note:
            lines.append(f"           {signature.note}")
        lines.append(f"row        {spoken(signature.row)}")
        lines.append(f"answer     {spoken(signature.answer)}")
    found["returns"] = str(learned.settings.returns)
    found |= {name: value for name, value in given.items() if name != "protocol"}
    return "\n".join([*lines, "", to_copy(alias, shown_url(learned.url), found)])


model_command.add_command(call_command)
model_command.add_command(profile_command)
