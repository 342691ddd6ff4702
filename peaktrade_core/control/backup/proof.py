"""The proof of a backup: it is brought back to a folder of its own, and its audit must hold there."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.chain import digest_of
from peaktrade_core.base.errors import LATEST, ConfigError, EnvironmentFault, PeaktradeError, why
from peaktrade_core.base.log import whole_lines
from peaktrade_core.base.question import FAIL, PASS, Check
from peaktrade_core.base.text import meant
from peaktrade_core.control.audit.checks import audit_checks
from peaktrade_core.control.audit.proof import PROOFS
from peaktrade_core.control.backup.archive import Manifest, read_archive
from peaktrade_core.control.backup.backup import MADE, RESTORED, SECTION
from peaktrade_core.show import wording
from peaktrade_core.show.table import Column, Columns
from peaktrade_core.show.wording import many
from peaktrade_core.workspace.ledger import LEDGER, Ledger
from peaktrade_core.workspace.memory import forget
from peaktrade_core.workspace.workspace import Workspace, open_site

AGAIN = "Make another backup; where it happens again, look at the disk and at `peaktrade audit verify`."


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """A backup as the ledger knows it: ``made`` of this workspace, or ``restored`` to it."""

    at: datetime
    what: str
    file: str
    sha256: str
    entries: int
    by: str


BACKUPS = Columns[Entered](
    at=Column("At (UTC)", lambda one: one.at),
    what=Column("What"),
    file=Column("File"),
    entries=Column("Ledger", lambda one: many(one.entries, "entry", "entries"), "number", 2),
    by=Column("By", priority=1),
    sha256=Column("SHA-256", lambda one: one.sha256[:16], priority=3),
)


def entered(place: Workspace) -> list[Entered]:
    """Return the backups that the ledger of a workspace knows, the newest first."""
    found = [
        Entered(
            at=link.at,
            what=link.kind,
            **{name: link.data.get(name, "") for name in ("file", "sha256", "by")},
            entries=int(link.data.get("entries", 0)),
        )
        for link, _ in Ledger.of(place).of_section(SECTION)
        if link.kind in (MADE, RESTORED)
    ]
    return found[::-1]


def named(place: Workspace, path: Path) -> Path:
    """Return the backup that is named; ``latest`` cannot be, as the ledger keeps the names of backups, not their folders.

    Raises:
        ConfigError: ``latest``: it says which one that is; UnknownNameError: there is none yet.
    """
    if str(path) != LATEST or path.exists():
        return path
    made = [one for one in entered(place) if one.what == MADE]
    meant("backup", LATEST, [one.file for one in made], begin="peaktrade backup create DIR")
    raise ConfigError(
        f"the newest backup is {made[0].file}, made {wording.moment(made[0].at)} UTC; give its path: the ledger keeps its "
        "name, not its folder"
    )


def prove(place: Workspace, path: Path) -> list[Check]:
    """Return whether a backup can be brought back: each file, the whole audit on the copy, and that its ledger is ours.

    The copy lies beside the backup, and is gone afterwards.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".proof-", dir=path.parent) as scratch:
            manifest = read_archive(path, Path(scratch))
            site = open_site(Path(scratch), place.clock)
            try:
                checks = [*audit_checks(site), *site.ask(PROOFS)]
            finally:
                forget(site.home)
            return [_whole(manifest), *site.told(checks), _ours(place, manifest)]
    except PeaktradeError as error:
        return [Check(id="archive", question=_WHOLE, status=FAIL, evidence=str(error), next_step=AGAIN)]
    except OSError as error:
        told = EnvironmentFault(f"the copy cannot be written beside {path.name}: {why(error)}")
        return [Check(id="archive", question=_WHOLE, status=FAIL, evidence=str(told), next_step=AGAIN)]


_WHOLE = "Is every file in it as it was when it was made?"


def _whole(manifest: Manifest) -> Check:
    told = f"ledger of {manifest.entries:,} entries, every file as its manifest says"
    return Check(id="archive", question=_WHOLE, status=PASS, evidence=told)


def _ours(place: Workspace, manifest: Manifest) -> Check:
    """Return whether the ledger in a backup is the beginning of the workspace's own."""
    lines = whole_lines(place.reports / LEDGER)
    at = manifest.entries - 1
    same = not manifest.entries or (at < len(lines) and digest_of(lines[at]) == manifest.head)
    told = (
        f"it ends with entry {manifest.entries:,} of {len(lines):,}" if same else "it is another one, or was rewritten"
    )
    return Check(
        id="same_ledger",
        question="Is the ledger in it the beginning of this workspace's?",
        status=PASS if same else FAIL,
        evidence=told,
        next_step="" if same else "Whose backup is this? `peaktrade audit verify` says what became of the ledger here.",
    )


def audit_of(home: Path) -> list[Check]:
    """Return the whole audit of a workspace that was brought back."""
    site = open_site(home)
    return [*audit_checks(site), *site.ask(PROOFS)]
