"""``peaktrade killswitch``: stop every session at once; two people let them go again."""

from __future__ import annotations

import click

from peaktrade_core.base.question import FAIL
from peaktrade_core.desk.readiness import BEFORE_RELEASE
from peaktrade_core.halts.kill_switch import KillSwitch, KillSwitchStatus
from peaktrade_core.show import wording
from peaktrade_core.show.output import print_json, print_pairs, print_table
from peaktrade_core.workspace.options import workspace_options
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def killswitch() -> None:
    """Stop every session at once; two people release it."""


@killswitch.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def status(home: str | None, config: str | None, as_json: bool) -> int:
    """Show whether it is engaged, by whom and why, and who asked for the release; exit 1 while it is engaged."""
    found = KillSwitch.of(Workspace(home, config)).status()
    _show(found, as_json)
    return int(found.engaged)


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def engage(home: str | None, config: str | None, by: str, reason: str, mode: str, as_json: bool) -> None:
    """Stop everything now: running sessions obey within a second, later ones start stopped."""
    switch = KillSwitch.of(Workspace(home, config))
    _show(switch.engage(by, reason, mode.upper().replace("-", "_")), as_json)


@killswitch.command()
@click.option("--by", required=True, help="Who you are; the second person must be another one.")
@click.option("--reason", required=True, help="Why it is safe again; kept in the audit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def release(home: str | None, config: str | None, by: str, reason: str, as_json: bool) -> None:
    """Ask for the release, or, as a second person, confirm it after a health check."""
    workspace = Workspace(home, config)
    switch = KillSwitch.of(workspace)
    asked = switch.status().requested_by is not None
    found = (
        switch.release(by, reason, lambda: workspace.ask(BEFORE_RELEASE))
        if asked
        else switch.request_release(by, reason)
    )
    _show(found, as_json)
    if not asked and not as_json:
        click.echo("Nothing is released yet: a second person calls `peaktrade killswitch release` to confirm.")


@killswitch.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest entries.")
@click.option("--verify", is_flag=True, help="Only check the chain and that the state agrees; exit 1 if not.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@workspace_options
def audit(home: str | None, config: str | None, limit: int, verify: bool, as_json: bool) -> int:
    """Show who engaged, asked, refused and released, newest first."""
    switch = KillSwitch.of(Workspace(home, config))
    if verify:
        found = switch.verify()
        if as_json:
            print_json(found)
        else:
            click.echo(f"{found.status}: {found.evidence}" + (f"\n{found.next_step}" if found.next_step else ""))
        return int(found.status == FAIL)
    entries = switch.audit(limit)
    if as_json:
        print_json(entries)
        return 0
    if not entries:
        click.echo("Nothing happened yet: the kill switch was never used.")
        return 0
    print_table(
        ("AT (UTC)", "WHAT", "BY", "STATE", "REASON"),
        ((wording.moment(entry.at), entry.kind, entry.by, entry.state, entry.reason) for entry in entries),
    )
    return 0


def _show(found: KillSwitchStatus, as_json: bool) -> None:
    """Print how the switch stands."""
    if as_json:
        print_json(found)
        return
    click.echo(f"kill switch: {f'ENGAGED, {found.state}' if found.engaged else 'released, ACTIVE'}")
    pairs = {"by": found.by, "reason": found.reason, "since (UTC)": wording.moment(found.since) if found.since else ""}
    if found.requested_by and found.confirm_until:
        pairs["release asked"] = f"by {found.requested_by}; confirm until {wording.moment(found.confirm_until)} UTC"
    if found.fault:
        pairs["fault"] = found.fault
    print_pairs({name: text for name, text in pairs.items() if text})
