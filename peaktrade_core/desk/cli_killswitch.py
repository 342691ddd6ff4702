"""``peaktrade killswitch``: stop every session at once; two people let them go again."""

from __future__ import annotations

from typing import Any

import click

from peaktrade_core.base.question import FAIL
from peaktrade_core.desk.readiness import BEFORE_RELEASE
from peaktrade_core.halts.kill_switch import KillSwitch, KillSwitchStatus
from peaktrade_core.show import wording
from peaktrade_core.show.checklist import answer_told
from peaktrade_core.show.table import Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def killswitch() -> None:
    """Stop every session at once; two people release it."""


@killswitch.command()
@command
def status(workspace: Workspace) -> CommandResult:
    """Show whether it is engaged, by whom and why, and who asked for the release; exit 1 while it is engaged."""
    found = KillSwitch.of(workspace).status()
    return CommandResult(found, _shown(found), code=int(found.engaged))


@killswitch.command()
@click.option("--by", required=True, help="Who you are.")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@click.option(
    "--mode",
    type=click.Choice(("no-orders", "halted")),
    default="no-orders",
    show_default=True,
    help="no-orders: nothing passes; halted: orders that reduce a position still do.",
)
@command
def engage(workspace: Workspace, by: str, reason: str, mode: str) -> CommandResult:
    """Stop everything now: running sessions obey within a second, later ones start stopped."""
    found = KillSwitch.of(workspace).engage(by, reason, mode.upper().replace("-", "_"))
    return CommandResult(found, _shown(found))


@killswitch.command()
@click.option("--by", required=True, help="Who you are; the second person must be another one.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the audit.")
@command
def release(workspace: Workspace, by: str, reason: str) -> CommandResult:
    """Ask for the release, or, as a second person, confirm it after a health check.

    Where people have keys, the first call asks, two of them sign (`peaktrade approve ID`), and the second call releases.
    """
    switch = KillSwitch.of(workspace)
    if switch.status().requested_by is not None:
        found = switch.release(by, reason, lambda: workspace.ask(BEFORE_RELEASE))
        return CommandResult(found, _shown(found))
    asked = switch.request_release(by, reason)
    second = "Nothing is released yet: a second person calls `peaktrade killswitch release` to confirm."
    if asked.request:
        second = f"Nothing is released yet: two people sign it, each from the own login: `peaktrade approve {asked.request}`."
    return CommandResult(asked, [_shown(asked), second])


@killswitch.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest entries.")
@click.option("--verify", is_flag=True, help="Only check the chain and that the state agrees; exit 1 if not.")
@command
def audit(workspace: Workspace, limit: int, verify: bool) -> CommandResult:
    """Show who engaged, asked, refused and released, newest first."""
    switch = KillSwitch.of(workspace)
    if verify:
        found = switch.verify()
        return CommandResult(found, answer_told(found), code=int(found.status == FAIL))
    entries = switch.audit(limit)
    return CommandResult(
        entries, ENTRIES.table("", entries, empty="Nothing happened yet: the kill switch was never used.")
    )


ENTRIES = Columns[Any](
    at=Column("At (UTC)"),
    what=Column("What", lambda entry: entry.kind),
    by=Column("By"),
    state=Column("State", priority=1),
    reason=Column("Reason", form="words"),
)


def _shown(found: KillSwitchStatus) -> Table:
    """Return how the switch stands."""
    pairs = {"by": found.by, "reason": found.reason, "since (UTC)": wording.moment(found.since) if found.since else ""}
    if found.requested_by and found.confirm_until:
        what = f"sign {found.request}" if found.request else "confirm"
        pairs["release asked"] = f"by {found.requested_by}; {what} until {wording.moment(found.confirm_until)} UTC"
    if found.fault:
        pairs["fault"] = found.fault
    title = f"kill switch: {f'ENGAGED, {found.state}' if found.engaged else 'released, ACTIVE'}"
    return Table.pairs({name: text for name, text in pairs.items() if text}, title, empty="")
