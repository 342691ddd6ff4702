"""What several services ask of a workspace; each adds what it alone needs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from peaktrade_core.base.clock import Clock
from peaktrade_core.records.registry import Registry
from peaktrade_core.runbooks.book import EvidenceBook


class Recorded(Protocol):
    """A place with records of its sessions."""

    home: Path
    clock: Clock

    @property
    def registry(self) -> Registry:
        """The records of sessions."""


class Evidenced(Recorded, Protocol):
    """One in which runbooks leave evidence, too."""

    @property
    def evidence(self) -> EvidenceBook:
        """The evidence of runbooks."""
