"""``peaktrade findings``: does what follows a state of a market differ from chance?"""

from __future__ import annotations

import click

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import PASS
from peaktrade_core.research.findings.run import run_finding
from peaktrade_core.research.findings.spec import Finding, find_finding, finding_files, read_finding
from peaktrade_core.research.findings.tables import LISTED, finding_parts
from peaktrade_core.workspace.command import CommandResult, command
from peaktrade_core.workspace.workspace import Workspace


@click.group()
def findings() -> None:
    """Ask whether what follows a state of a market differs from what follows at all times."""


@findings.command()
@click.argument("finding", metavar="NAME|FILE")
@click.option(
    "--feed", type=click.Choice(["stored", "synthetic"]), default="stored", help="Candles, or a market made up."
)
@command
def run(workspace: Workspace, finding: str, feed: str) -> CommandResult:
    """Ask a finding; it is counted before, and what is held back is left out.

    Exit code 1 unless what follows some state is more than chance and holds in the part that was not seen.
    """
    record = run_finding(workspace, find_finding(workspace, finding), "synthetic" if feed == "synthetic" else "stored")
    holds = any(one.id == "unseen" and one.status == PASS for one in record.verdict)
    return CommandResult(record, lambda: finding_parts(record), code=int(not holds))


@findings.command("list")
@command
def list_(workspace: Workspace) -> CommandResult:
    """List the findings that can be asked: those that come with it, and those in config/findings of the workspace."""
    found: list[tuple[str, Finding | str]] = []
    for name, path in sorted(finding_files(workspace).items()):
        try:
            found.append((name, read_finding(path)))
        except ConfigError as error:
            found.append((name, str(error)))
    value = [
        {"name": name, "finding": None, "error": one}
        if isinstance(one, str)
        else {"name": name, "finding": one, "error": ""}
        for name, one in found
    ]
    return CommandResult(value, LISTED.table("", found))
