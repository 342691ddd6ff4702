"""``peaktrade session replay``: run a recorded session once more and compare its journal byte by byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from peaktrade_core.show import wording
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.workspace import Workspace, load_strategy_module

if TYPE_CHECKING:
    from peaktrade_core.research.replay.replay import ReplayResult

MOST = 12  # functions that are named


@click.command("replay")
@click.argument("session_id")
@click.option("--strategy-module", metavar="FILE", help="A Python file that registers strategies.")
@command
def replay(workspace: Workspace, session_id: str, strategy_module: str | None) -> CommandResult:
    """Run a recorded session once more, in a temporary folder, and compare its journal byte by byte.

    Decisions are made again; bars, states, answers of the venue and errors from outside are fed back from the record.
    Exit code 1 when anything differs, or could not be repeated.
    """
    from peaktrade_core.research.replay.replay import replay_session

    if strategy_module:
        load_strategy_module(Path(strategy_module))
    found = replay_session(workspace, session_id)
    return CommandResult(found, lambda: told(found), code=int(not found.identical))


def told(found: ReplayResult) -> list[str]:
    """Return a replay in sentences."""
    fed = ", ".join(f"{count:,} {name}" for name, count in found.fed.items() if count)
    lines = [f"{found.session_id}: {wording.many(found.events, 'event')}, fed back: {fed or 'nothing'}"]
    if found.first is not None:
        first = found.first
        at = f" at {wording.moment(first.at)} UTC" if first.at else ""
        lines.append(f"First difference: event {first.seq} ({first.event}){at}, field {first.field}")
        lines += [f"  recorded  {first.recorded}", f"  replayed  {first.replayed}"]
        lines.append(f"The {found.same:,} events before it are the same, byte for byte.")
    elif found.unrepeated:
        lines.append(
            f"The first {found.same:,} events are the same, byte for byte. The last {found.unrepeated} could not be "
            "repeated: the bar that they belong to is not in the journal, and its source does not have it."
        )
    else:
        lines.append("Every event is the same, byte for byte.")
    if found.code:
        lines.append(f"Code that is not what ran then: {wording.first_of(found.code, MOST)}")
    return lines + list(found.notes)
