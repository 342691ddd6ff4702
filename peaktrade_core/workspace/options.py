"""The options that every command with a workspace takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def workspace_options(command: F) -> F:
    """Add ``--home`` and ``--config`` to a command, which receives them as ``home`` and ``config``."""
    command = click.option(
        "--home",
        metavar="DIR",
        help="Workspace; else PEAKTRADE_HOME, else the nearest folder upwards with a configuration.",
    )(command)
    return click.option(
        "--config", metavar="FILE", help="Configuration file; else config/config.toml of the workspace."
    )(command)
