"""Files as evidence and incidents name them: their path below the workspace, their hash, their size, and a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.files import below, sha256_of
from peaktrade_core.runbooks.evidence import Artefact
from peaktrade_core.workspace.ledger import Ledger
from peaktrade_core.workspace.papers import enter_files

COPIES = "artefacts"  # folder of the copies, beside the record that names the files
LARGEST_COPY = 256 << 20  # bytes of a file that a person may name


def named_files(files: Iterable[Path]) -> list[Path]:
    """Return the files that a person names, as whole paths.

    Raises:
        ConfigError: one is not a file, or too large for a copy.
    """
    found = [file.resolve() for file in files]
    if missing := [str(file) for file in found if not file.is_file()]:
        raise ConfigError(f"{', '.join(missing)}: not a file; a copy is kept of each file that is named")
    for file in found:
        if (size := file.stat().st_size) > LARGEST_COPY:
            raise ConfigError(
                f"{file} has {size:,} bytes; a copy is kept of files up to {LARGEST_COPY:,}: name a part of it, or its hash"
            )
    return found


def artefact_of(home: Path, path: Path) -> Artefact:
    """Return a file as it is now; one that is missing has the hash ``missing``."""
    size = path.stat().st_size if path.is_file() else 0
    return Artefact(below(home, path), sha256_of(path), size)


def copy_of(folder: Path, artefact: Artefact) -> Path:
    """Return where the copy of a file is kept; its hash is part of its name, so that a later state is another copy."""
    return folder / COPIES / f"{artefact.sha256[:12]}-{Path(artefact.path).name}"


def secure(folder: Path, home: Path, paths: Iterable[Path], at: datetime) -> None:
    """Keep a copy of each file beside a record; what cannot be copied is found by :func:`unsecured`, and loses nothing."""
    kept = []
    for path in paths:
        copy = copy_of(folder, artefact_of(home, path))
        with suppress(OSError):
            if path.is_file() and not copy.is_file():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, copy)
                kept.append(copy)
    enter_files(Ledger(home), at, kept)


def unsecured(folder: Path, artefacts: Iterable[Artefact]) -> list[str]:
    """Return the files of which no copy is kept that is as they were when they were named."""
    return [one.path for one in artefacts if sha256_of(copy_of(folder, one)) != one.sha256 or one.sha256 == "missing"]
