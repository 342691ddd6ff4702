"""``peaktrade control repo``: branches, what is ready to be merged, and the merges, as they are in git; nothing is changed."""

from __future__ import annotations

from pathlib import Path

import click

from peaktrade_core.control.repo.repo import TIERS, GitBranch, Merge, look
from peaktrade_core.show import wording
from peaktrade_core.show.table import BAD, GOOD, MID, Cell, Column, Columns, Table
from peaktrade_core.workspace.command import CommandResult, answers

_TONES = {"merged": GOOD, "unmerged": MID, "gone": MID, "worktree-protected": ""}
BRANCHES = Columns[GitBranch](
    name=Column("Branch", form="words"),
    state=Column("Is", lambda one: Cell(one.state, _TONES[one.state])),
    commits=Column("Ahead, behind", lambda one: f"{one.ahead}, {one.behind}", priority=1),
    tier=Column("Tier", lambda one: f"{one.tier} ({TIERS[one.tier]})" if one.tier else wording.NOTHING, priority=1),
    merges=Column(
        "Merges", lambda one: Cell("✕ conflicts", BAD) if one.conflicts else Cell("✓ clean", GOOD), priority=2
    ),
    at=Column("Last (UTC)", lambda one: wording.minute(one.at), priority=3),
    next=Column("Next", lambda one: Cell(one.next_step, code=True), "words"),
)
MERGES = Columns[Merge](
    commit=Column("Commit", lambda one: one.commit[:10]),
    at=Column("At (UTC)", lambda one: wording.minute(one.at)),
    by=Column("By", form="words", priority=2),
    subject=Column("What", form="words"),
    size=Column("Files, lines", lambda one: f"{one.files}, +{one.added} -{one.removed}", priority=1),
    text=Column("Told", lambda one: one.text or wording.NOTHING, "words"),
)


@click.command("repo")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--merges", type=click.IntRange(0, 1000), default=10, show_default=True, help="How many of the newest.")
@click.option("--detailed", is_flag=True, help="Also what each merge says of itself.")
@answers
def repo(folder: Path, merges: int, detailed: bool) -> CommandResult:
    """Show branches, worktrees, what is ready to be merged, and the merges, as git has them. It only reads.

    A branch is merged, unmerged, gone (its remote is) or worktree-protected (checked out somewhere). What it changes has a
    tier: A docs, B evidence and runbooks, C scripts and CI; the gates and the review that it takes follow from that.
    """
    found = look(folder, merges)
    counts = {state: sum(one.state == state for one in found.branches) for state in _TONES}
    inventory = Table.pairs(
        {
            "Repository": found.folder,
            "Main branch": found.main,
            "Not committed": wording.many(found.uncommitted, "file"),
            "Branches": ", ".join(f"{n} {state}" for state, n in counts.items()),
        },
        "Inventory",
    )
    names = "commit at by subject size" + (" text" if detailed else "")
    shown = [
        inventory,
        BRANCHES.table("Branches", found.branches, empty="No branch beside it."),
        MERGES.table("Merges", found.merges, names),
    ]
    return CommandResult(
        found, [*shown, "Nothing was changed: what is merged or gone is deleted by a person, with git."]
    )
