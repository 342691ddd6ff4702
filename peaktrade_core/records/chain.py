"""The registry in the ledger: the hash of each record, entered before the record is written.

So a process that dies between the two leaves a ledger that is ahead of the records, which recovery catches up with, and
never a record that the ledger does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from peaktrade_core.base.chain import Chain, Link
from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.trading.records import IMPORTED, SessionRecord

BEGUN, STARTED, RECORD, ADOPTED, RETIRED = "begun", "started", "record", "adopted", "retired"


class Adopted(NamedTuple):
    """A record as it is: its file, the session, the file's SHA-256, and those of journal and table by name."""

    file: str
    id: str
    sha256: str
    run: dict[str, str]


class RegistryChain:
    """What the ledger holds of the records.

    Args (of the constructor):
        chain: the section of the registry.
    """

    def __init__(self, chain: Chain) -> None:
        self.chain = chain

    def enter(self, name: str, data: bytes, record: SessionRecord, files: Mapping[str, str]) -> None:
        """Enter a record that begins, or is about to be written at its end.

        A ledger that cannot be written keeps no record back: the audit names what it lacks.

        Args:
            name: of its file; data: what will be in it.
            files: SHA-256 of each file of its run folder that does not change any more, by its name.
        """
        digest, at = hashlib.sha256(data).hexdigest(), record.finished_at or record.started_at or EPOCH
        entry = {"file": name, "id": record.session_id, "sha256": digest, "status": record.status, "run": dict(files)}
        if record.mode == IMPORTED:  # it ended long before it came
            at = record.created_at or at
            entry["source"] = {"file": record.setting("candles"), "sha256": record.setting("data_sha256")}
        with suppress(PeaktradeError):
            self.chain.append((STARTED if record.status == STARTED else RECORD, entry), at=at)

    def adopt(self, found: Iterable[Adopted], by: str, reason: str, at: datetime) -> str:
        """Enter records as they are now, on the word of a person, and return the new head.

        Args:
            found: which; by, reason: who answers for them and why; at: aware UTC.
        """
        entries = [(ADOPTED, {**one._asdict(), "by": by, "reason": reason}) for one in found]
        return self.chain.append(*entries, at=at)

    def retire(self, run_id: str, where: str, digest: str, by: str, at: datetime) -> str:
        """Enter that retention took a run folder away, and return the new head.

        Args:
            run_id: which; where: the archive below the workspace, empty when it was deleted; digest: its SHA-256.
        """
        said = {"id": run_id, "archive": where, "archive_sha256": digest, "by": by}
        return self.chain.append((RETIRED, said), at=at)

    def ended(self, name: str) -> Link | None:
        """Return the entry of the end of a session, None where the ledger holds none.

        Args:
            name: of its record's file.

        Raises:
            ArtefactError: the ledger is broken; EnvironmentFault: it cannot be read.
        """
        found = [link for link, _ in self.chain.links() if link.kind == RECORD and link.data.get("file") == name]
        return found[-1] if found else None
