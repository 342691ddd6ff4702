"""``peaktrade change``: propose, show, list, approve, apply, verify and reject what is configured and runs; adopt a baseline."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.changes.book import Changes
from peaktrade_core.changes.change import change_item
from peaktrade_core.control.changing.told import CHANGES, change_parts, verify_parts
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.workspace import Workspace

KEY = click.option(
    "--key", type=click.Path(path_type=Path), help="Your key; else the one in ~/.ssh that people.toml names."
)
BY = click.option("--by", required=True, help="Who you are.")
REASON = click.option("--reason", required=True, help="Why; those who approve it read it.")
CHANGE = click.argument("change", metavar="ID")


@click.group()
def change() -> None:
    """Change configuration, limits, alert rules, jobs or code with approval; see what differs from what was approved."""


@change.command()
@BY
@REASON
@command
def adopt(workspace: Workspace, by: str, reason: str) -> CommandResult:
    """Take what is configured and runs now as the baseline, once; from there on it becomes other by changes.

    Where people have keys, risk officer and owner sign it: call it again then.
    """
    told = Changes.of(workspace).adopt(by, reason)
    return CommandResult({"adopted": told}, f"What stands here is the baseline now, by {told}.")


@change.command()
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--file", "files", multiple=True, metavar="[NAME=]FILE", help="An edited config.toml, alerts.toml or jobs.toml."
)
@click.option(
    "--as-it-is", is_flag=True, help="Propose what is on the disk and runs already: edits by hand, other code."
)
@click.option("--evidence", multiple=True, metavar="ID", help="EV-… or SWP-… that speaks for it; repeatable.")
@BY
@REASON
@command
def propose(
    workspace: Workspace, settings: tuple[str, ...], files: tuple[str, ...], as_it_is: bool, evidence: tuple[str, ...],
    by: str, reason: str,
) -> CommandResult:  # fmt: skip
    """Propose settings, an edited file, or what is on the disk; nothing is changed yet.

    Says of each key what it becomes, whether that is tighter or looser, what must be known before, and who approves it.
    New limits are tried on the sessions of the last 30 days. Keys are those of config.toml, as live_risk.max_open_positions;
    of alert rules alerts.rule.ID.KEY, of jobs schedule.jobs.NAME.KEY.
    """
    from peaktrade_core.control.changing.propose import propose as make

    found = make(workspace, settings, files, by=by, reason=reason, evidence=evidence, as_it_is=as_it_is)
    return CommandResult(change_item(found), change_parts(found))


@change.command("list")
@click.option("--all", "every", is_flag=True, help="Also those that were applied and approved, or refused.")
@command
def list_changes(workspace: Workspace, every: bool) -> CommandResult:
    """List the changes that wait, newest first."""
    found = [one for one in reversed(Changes.of(workspace).all()) if every or one.state not in ("applied", "rejected")]
    empty = "Nothing was ever proposed." if every else "No change waits."
    return CommandResult([change_item(one) for one in found], CHANGES.table("", found, empty=empty))


@change.command()
@CHANGE
@command
def show(workspace: Workspace, change: str) -> CommandResult:
    """Show a change (`latest` or its id): each key, what speaks for it, who agreed, who still must."""
    found = Changes.of(workspace).find(change, latest=True)
    return CommandResult(change_item(found), change_parts(found))


@change.command()
@CHANGE
@KEY
@command
def approve(workspace: Workspace, change: str, key: Path | None) -> CommandResult:
    """Sign a change with your own SSH key; the same act as `peaktrade approve` with the id of its request."""
    found, person = Changes.of(workspace).approve(change, key)
    return CommandResult(change_item(found), [*change_parts(found), f"{person} signed."])


@change.command()
@CHANGE
@click.option("--reason", required=True, help="Why not; kept in the ledger.")
@click.option("--by", default="", help="Who you are, where you have no key at hand; it then says not verified.")
@KEY
@command
def reject(workspace: Workspace, change: str, reason: str, by: str, key: Path | None) -> CommandResult:
    """Say no to a change, which ends it."""
    found = Changes.of(workspace).reject(change, reason, by=by, key=key)
    return CommandResult(change_item(found), f"{found.id} is refused by {found.refused}")


@change.command()
@CHANGE
@BY
@command
def apply(workspace: Workspace, change: str, by: str) -> CommandResult:
    """Put a change into force once it is approved; what only becomes tighter may come first, and be approved in 24 h.

    Called again it finishes what a process left that died, and confirms what came first. Without keys another person
    than who proposed it applies what becomes looser, and it says not verified.
    """
    found = Changes.of(workspace).apply(change, by)
    return CommandResult(change_item(found), change_parts(found))


@change.command()
@command
def verify(workspace: Workspace) -> CommandResult:
    """Compare what is configured and runs with what was approved last, key by key; exit 1 when something is other."""
    found = Changes.of(workspace).compared()
    value = {**found._asdict(), "told": found.told}
    return CommandResult(value, verify_parts(found), code=int(bool(found.items or found.faults)))
