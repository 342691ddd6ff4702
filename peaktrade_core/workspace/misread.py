"""Is a command line one that this version takes? It is read as click reads it, and not run.

For what people are told to type: texts, documents, the command that repeats a session.
"""

from __future__ import annotations

import shlex
from importlib import import_module

import click


def misread(text: str, *, whole: bool = True) -> str:
    """Return why this version does not take a command line, empty when it does; nothing is run.

    Args:
        text: ``peaktrade ...``. An option that no help shows counts as unknown: a person cannot know what it is for.
        whole: also ask whether everything is there that it needs, and of the right type.
    """
    try:
        words = shlex.split(text)
        if words[:1] != ["peaktrade"]:
            return f"{text!r} does not begin with peaktrade"
        _read(import_module("peaktrade_core.cli").cli, words[1:], whole=whole)
    except (click.ClickException, ValueError) as error:
        return error.format_message() if isinstance(error, click.ClickException) else str(error)
    return ""


def _read(asked: click.Command, words: list[str], parent: click.Context | None = None, *, whole: bool) -> None:
    """Take a command line apart as click does.

    Raises:
        click.UsageError: an unknown command or option, or, of a whole one, something that is missing or of a wrong type.
    """
    ctx = click.Context(asked, info_name=asked.name if parent else "peaktrade", parent=parent, **asked.context_settings)
    if set(words[:1]) & {"--help", "-h", "--version"}:
        return
    given, rest, order = asked.make_parser(ctx).parse_args(list(words))
    if unseen := [param.opts[0] for param in order if isinstance(param, click.Option) and param.hidden]:
        raise click.NoSuchOption(unseen[0], ctx=ctx)
    if isinstance(asked, click.Group):
        if rest:
            found = asked.get_command(ctx, rest[0])
            if found is None:
                raise click.UsageError(f"no such command: {ctx.command_path} {rest[0]}", ctx)
            _read(found, rest[1:], ctx, whole=whole)
        return
    if rest:
        raise click.UsageError(f"{ctx.command_path} takes no {rest[0]!r}", ctx)
    for param in asked.params if whole else ():
        param.process_value(ctx, given.get(param.name or ""))
