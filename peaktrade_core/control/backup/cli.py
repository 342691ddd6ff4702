"""``peaktrade backup``: make one while sessions run, look whether it is whole, bring it back."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.base.environment import login
from peaktrade_core.base.question import FAIL, worst
from peaktrade_core.base.wall_clock import SystemClock
from peaktrade_core.show.checklist import CHECKS
from peaktrade_core.workspace.command import CommandResult, Part, answers, command
from peaktrade_core.workspace.workspace import Workspace

_by = click.option("--by", default=login, show_default="your login", metavar="NAME", help="Who you are.")
_file = click.argument("path", metavar="FILE", type=click.Path(path_type=Path))


@click.group()
def backup() -> None:
    """Copy a workspace while sessions run, prove the copy, bring it back."""


@backup.command("create")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@_by
@click.option("--no-proof", is_flag=True, help="Do not bring it back to a scratch folder to audit it there.")
@command
def create(workspace: Workspace, folder: Path, by: str, no_proof: bool) -> CommandResult:
    """Write a backup of the workspace into DIR, on another disk, and prove that it can be brought back.

    Sessions may run meanwhile. In it is everything but what can be made again (.cache); its rights are yours alone, as the
    configuration may hold addresses with passwords. Exit code 1 when the proof fails.
    """
    from peaktrade_core.control.backup.backup import make_backup, told_of
    from peaktrade_core.control.backup.proof import prove

    made = make_backup(workspace, folder, by)
    checks = [] if no_proof else prove(workspace, Path(made.path))
    failed = bool(checks) and worst(checks) == FAIL
    proved = (
        "Not proved: `peaktrade backup verify` looks at it."
        if no_proof
        else "Brought back to a scratch folder, the audit holds."
    )
    shown: list[Part] = [f"{made.path}: {told_of(made)}", *([CHECKS.table("", checks)] if failed else [proved])]
    return CommandResult({"backup": made, "checks": checks}, shown, code=int(failed))


@backup.command("verify")
@_file
@command
def verify(workspace: Workspace, path: Path) -> CommandResult:
    """Bring FILE back to a scratch folder beside it and audit it there; exit code 1 where that fails. Changes nothing."""
    from peaktrade_core.control.backup.proof import named, prove

    checks = prove(workspace, named(workspace, path))
    return CommandResult(checks, CHECKS.table("", checks), code=int(worst(checks) == FAIL))


@backup.command("list")
@command
def list_(workspace: Workspace) -> CommandResult:
    """List the backups that the ledger knows: made of this workspace, and restored to it."""
    from peaktrade_core.control.backup.proof import BACKUPS, entered

    found = entered(workspace)
    none = "No backup was made of this workspace: `peaktrade backup create DIR` makes one."
    return CommandResult(found, BACKUPS.table("", found) if found else none)


@backup.command("restore")
@_file
@click.option(
    "--to", "home", required=True, metavar="DIR", type=click.Path(path_type=Path), help="A new or empty folder."
)
@_by
@answers
def restore(path: Path, home: Path, by: str) -> CommandResult:
    """Bring a backup back to a folder and audit it there; exit code 1 where the audit fails.

    Where the workspace lay there before and went on after the backup, its ledger is shorter than remembered: no order is
    sent until a named person answers for that (`peaktrade audit adopt`).
    """
    from peaktrade_core.control.backup.backup import restore_backup, told_of
    from peaktrade_core.control.backup.proof import audit_of

    found = restore_backup(path, home, by, SystemClock().now())
    checks = audit_of(Path(found.home))
    failed = worst(checks) == FAIL
    next_ = "Sessions that ran when it was made are ended by the next command that looks: `peaktrade session list`."
    told: list[Part] = [f"restored to {found.home}: {told_of(found)}", CHECKS.table("", checks), next_]
    return CommandResult({"backup": found, "checks": checks}, told, code=int(failed))
