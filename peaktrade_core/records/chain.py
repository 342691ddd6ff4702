"""The chain over the registry: each finished record's hash, entered before the record is written.

So a process that dies between the two leaves a chain that is ahead of the records, which recovery catches up with, and
never a record that the chain does not know. It lies beside the folder of the records.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from peaktrade_core.base.chain import Chain, Entry

BEGUN, RECORD, ADOPTED = "begun", "record", "adopted"


class RegistryChain:
    """The chained log over one folder of records; several processes may enter theirs.

    Args (of the constructor):
        folder: of the records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chain = Chain(folder.with_name(f"{folder.name}.chain.jsonl"))

    def enter(self, name: str, data: bytes, status: str, at: datetime) -> str:
        """Enter a finished record that is about to be written, and return the new head.

        Args:
            name: of its file; data: what will be in it; status: how the session ended; at: when it ended, aware UTC.

        Raises:
            EnvironmentFault: the chain cannot be written, or somebody holds it for long.
            ArtefactError: its end cannot be trusted.
        """
        entry = {"file": name, "sha256": hashlib.sha256(data).hexdigest(), "status": status}
        return self.chain.append((RECORD, entry), at=at, beginning=self._beginning)

    def adopt(self, found: Sequence[tuple[str, str]], by: str, reason: str, at: datetime) -> str:
        """Enter records as they are now, on the word of a person, and return the new head.

        Args:
            found: name and SHA-256 of each file; by, reason: who answers for it and why; at: aware UTC.
        """
        entries = [(ADOPTED, {"file": name, "sha256": digest, "by": by, "reason": reason}) for name, digest in found]
        return self.chain.append(*entries, at=at, beginning=self._beginning)

    def _beginning(self) -> Entry:
        """Return the first line of a new chain: how many records there are from before it."""
        try:
            before = sum(name.endswith(".json") and not name.startswith(".") for name in os.listdir(self.folder))
        except OSError:
            before = 0
        return BEGUN, {"files": before}
