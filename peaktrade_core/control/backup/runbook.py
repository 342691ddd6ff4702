"""The runbook of backups: make one, prove that it can be brought back, and see that a copy is elsewhere."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.control.backup.backup import SUFFIX, Backup, make_backup
from peaktrade_core.control.backup.proof import BACKUPS, entered, prove
from peaktrade_core.runbooks.evidence import YES, Option
from peaktrade_core.runbooks.runbook import Prompt, Runbook
from peaktrade_core.show.table import Table
from peaktrade_core.show.wording import many

MOST = 10  # backups that are listed


class BackupRunbook(Runbook):
    """Make a backup while sessions run and prove it; without a folder it is a rehearsal that leaves nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._scratch = None if self.given.to else tempfile.TemporaryDirectory(prefix="peaktrade-backup-")

    @property
    def folder(self) -> Path:
        """Where the backup goes."""
        return Path(self._scratch.name if self._scratch else self.given.to)

    def known(self) -> Table:
        """Return the backups that the ledger knows."""
        found = entered(self.workspace)[:MOST]
        empty = "No backup was made of this workspace yet."
        return (
            BACKUPS.table("Backups that the ledger knows", found, "at what file entries by")
            if found
            else Table("Backups that the ledger knows", (), [], empty=empty)
        )

    def make(self) -> Table:
        """Make a backup, once, and record what it holds."""
        return self.act("made", "Make a backup", lambda: _made(make_backup(self.workspace, self.folder, self._who())))

    def proof(self) -> Table:
        """Bring the backup back to a scratch folder and record the audit of that copy."""
        step = self.round.record.step("made")
        name = (step.result if step else "").partition(":")[0]
        if not name.endswith(SUFFIX):
            raise ConfigError("there is no backup to prove: run the cell that makes it first")
        checks = prove(self.workspace, self.folder / name)
        if self._scratch:
            self._scratch.cleanup()
        return self.check("proved", "Can it be brought back, and does the audit hold there?", checks)

    def elsewhere(self) -> Prompt | Table:
        """Ask whether a copy is on another machine; a rehearsal leaves nothing to copy."""
        text = "Is a copy of it on another machine or disk, which this one cannot delete?"
        if self._scratch:
            return self.spare("elsewhere", text, "Nothing to ask: it was a rehearsal, the backup is gone again.")
        later = Option(key="later", label="Later today", meaning="until then this disk is all there is", status="warn")
        return self.ask("elsewhere", text, (YES, later), reason=True)

    def _who(self) -> str:
        return self.round.record.operator


def _made(made: Backup) -> str:
    """Return what was made: the name of the file first."""
    return f"{Path(made.path).name}: ledger with {many(made.entries, 'entry', 'entries')}"
