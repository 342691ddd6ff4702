"""``peaktrade service``: keep watcher and dashboard running on a machine that nobody sits at."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.schedule.service import ABSENT, DIFFERS, UNITS, install, status, unit_folder, unit_texts
from peaktrade_core.show.terminal import Document
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.workspace import Workspace

_port = click.option(
    "--port", type=click.IntRange(1, 65_535), default=8000, show_default=True, help="Of the dashboard."
)
_folder = click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Where the units are; else the user's own."
)
START = "systemctl --user daemon-reload && systemctl --user enable --now peaktrade-watch peaktrade-dashboard"
LINGER = "loginctl enable-linger (so that they run while you are not logged in)"


@click.group()
def service() -> None:
    """Units of systemd for watcher and dashboard: write them, see how they stand. Starts nothing."""


@service.command("install")
@_port
@_folder
@click.option("--dry-run", is_flag=True, help="Show the units and write nothing.")
@command
def install_(workspace: Workspace, port: int, folder: Path | None, dry_run: bool) -> CommandResult:
    """Write the units of this workspace, hardened: it is the only place that they write to."""
    if dry_run:
        texts = unit_texts(workspace.home.resolve(), port)
        return CommandResult(texts, [Document(f"# {name}\n{text}") for name, text in texts.items()])
    found = install(workspace.home.resolve(), folder or unit_folder(), port)
    return CommandResult(found, [UNITS.table("", found), f"next: {START}", f"and: {LINGER}"])


@service.command("status")
@_port
@_folder
@command
def status_(workspace: Workspace, port: int, folder: Path | None) -> CommandResult:
    """Say whether the units are there, as they would be written now, and whether they run; 1 when one does not."""
    found = status(workspace.home.resolve(), folder or unit_folder(), port)
    told = []
    if any(unit.file == ABSENT for unit in found):
        told.append("write them: peaktrade service install")
    elif any(unit.file == DIFFERS for unit in found):
        told.append(
            "another version, workspace or port wrote them, or a person: peaktrade service install writes them again"
        )
    elif any(unit.active != "active" for unit in found):
        told.append(f"start them: {START}")
    return CommandResult(found, [UNITS.table("", found), *told], code=int(bool(told)))
