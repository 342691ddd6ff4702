"""A command: it opens the workspace, returns a value and never prints its result.

Here is what all of them share: ``--home`` and ``--config``, ``--json``, printing what came out for people or programs,
and the exit code. A command that shows something while it works says it with :func:`tell`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from functools import wraps
from math import isfinite
from typing import Any, TypeVar

import click

from peaktrade_core.base.text import said
from peaktrade_core.show.streams import ReaderGone, results_only
from peaktrade_core.show.table import Table
from peaktrade_core.show.terminal import print_json, print_table, say
from peaktrade_core.workspace.workspace import Workspace, speak_as_set, speak_here

F = TypeVar("F", bound=Callable[..., Any])
Part = Table | str
Shown = Part | Iterable[Part]
_AS_JSON, _OPENED = "peaktrade.as_json", "peaktrade.opened"
_FREE = ("by", "operator", "reason", "note", "notes", "tags")  # options that take any text, too long or not


class Figure(click.FloatRange):
    """A number of an option within a range, which ``nan`` and ``inf`` are not, though click lets them pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; any other text is refused."""
        figure = float(super().convert(value, param, ctx))
        if not isfinite(figure):
            self.fail(f"{value!r} is no figure.", param, ctx)
        return figure


class CommandResult:
    """What came out of a command.

    Attributes:
        value: what ``--json`` prints; of an iterator, as of events that are still to come, each on a line of its own.
        shown: what people see: a table, text, or several below each other; a function of it where it takes work.
        code: the exit code.
        notes: sentences for stderr, with ``--json`` too.
    """

    def __init__(
        self, value: object, shown: Shown | Callable[[], Shown] = (), code: int = 0, notes: Sequence[str] = ()
    ) -> None:
        self.value, self.shown, self.code, self.notes = value, shown, code, notes

    def give(self, *, as_json: bool) -> int:
        """Print it for people or as JSON and return the exit code, also where the reader goes away.

        Raises:
            EnvironmentFault: standard output cannot be written.
        """
        with suppress(ReaderGone):
            if as_json and isinstance(self.value, Iterator):
                for one in self.value:
                    print_json(one, indent=-1)
            elif as_json:
                print_json(self.value)
            else:
                _show(self.shown() if callable(self.shown) else self.shown)
        for note in self.notes:
            say(note, err=True)
        return self.code


def _show(shown: Shown) -> None:
    """Print the parts; a table that something follows ends with an empty line."""
    before: Part = ""
    for part in [shown] if isinstance(shown, (Table, str)) else shown:
        if isinstance(before, Table):
            say("")
        if isinstance(part, Table):
            print_table(part)
        else:
            say(part)
        before = part


def workspace_options(function: F) -> F:
    """Add ``--home`` and ``--config`` to a function, which receives them as ``home`` and ``config``."""
    function = click.option(
        "--home",
        metavar="DIR",
        help="Workspace; else PEAKTRADE_HOME, else the nearest folder upwards with a configuration.",
    )(function)
    return click.option(
        "--config", metavar="FILE", help="Configuration file; else config/config.toml of the workspace."
    )(function)


def with_workspace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Open the workspace that ``--home`` and ``--config`` name and give it to the function first."""

    @wraps(function)
    def opened(*args: Any, home: str | None, config: str | None, **options: Any) -> Any:
        workspace = Workspace(home, config)
        speak_as_set(workspace)
        click.get_current_context().meta[_OPENED] = True
        return function(workspace, *args, **options)

    return workspace_options(opened)


def answers(function: Callable[..., CommandResult | None]) -> Callable[..., int]:
    """Add ``--json`` to a function and print what it returns, if anything; the result is the exit code."""

    @wraps(function)
    def answered(*args: Any, as_json: bool, **options: Any) -> int:
        meta = click.get_current_context().meta
        meta[_AS_JSON] = as_json
        if not as_json and _OPENED not in meta:
            speak_here()
        given = {name: _said(name, value) for name, value in options.items()}
        with results_only() if as_json else nullcontext():
            found = function(*args, **given)
        return 0 if found is None else found.give(as_json=as_json)

    return click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")(answered)


def command(function: Callable[..., CommandResult | None]) -> Callable[..., Any]:
    """Make a function of a workspace and its own options a command: what it returns is printed, its code the exit code."""
    return with_workspace(answers(function))


def _said(name: str, value: Any) -> Any:
    """Return the value of an option; what people say in their own words as text that can be kept."""
    if name not in _FREE or value is None:
        return value
    return said(value) if isinstance(value, str) else tuple(map(said, value))


def quiet() -> bool:
    """Return whether this command was asked for JSON, so that nothing else may be printed."""
    return bool(click.get_current_context().meta.get(_AS_JSON))


def tell(text: str, *, err: bool = False) -> None:
    """Say something while a command works; with ``--json`` nothing, and nothing to a reader who went away."""
    if not quiet():
        with suppress(ReaderGone):
            say(text, err=err)
