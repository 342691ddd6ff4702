"""Files as evidence and incidents name them: their path below the workspace, their hash, their size."""

from __future__ import annotations

from pathlib import Path

from peaktrade_core.base.files import sha256_of
from peaktrade_core.runbooks.evidence import Artefact


def artefact_of(home: Path, path: Path) -> Artefact:
    """Return a file as it is now; one that is missing has the hash ``missing``."""
    shown = path.relative_to(home) if path.is_relative_to(home) else Path(path.name)
    size = path.stat().st_size if path.is_file() else 0
    return Artefact(shown.as_posix(), sha256_of(path), size)
