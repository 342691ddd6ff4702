"""What processes that died have left in a workspace: put right where it was acknowledged, removed where nobody can miss it.

Whatever is written as a whole is written under a hidden name first. Such a file, or the folder of a run that never began,
belongs to nobody once it has been left alone for an hour. ``peaktrade doctor`` and the job ``recovery`` look for them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from peaktrade_core.base.errors import PeaktradeError
from peaktrade_core.base.sealed import SealedRecords
from peaktrade_core.records.folder import STARTING
from peaktrade_core.workspace.ledger import LEDGER, SEALED, Ledger
from peaktrade_core.workspace.workspace import Workspace

LEFT_S = 3600.0  # no write takes that long [s]
_PLACES = ("config", "reports", "logs", "out", ".cache")
_TEMPORARY = ".tmp"
_PRESENT = {"lock", "process.json"}


def tidy(workspace: Workspace) -> list[Path]:
    """Put right and remove what dead processes have left, and return which files and folders that were.

    What cannot be put right or removed now is left for the next time.
    """
    done: list[Path] = []
    for home in {path.parent.parent for path in workspace.reports.rglob(LEDGER)}:  # also the workspaces of drills
        for name in SEALED:
            with suppress(PeaktradeError):
                done += SealedRecords(home / "reports" / name, Ledger(home).section(name)).settle()
    places = dict.fromkeys([workspace.runs, *(workspace.home / name for name in _PLACES)])
    for path in [found for place in places for found in _left(place)]:
        with suppress(OSError):
            _remove(path)
            done.append(path)
    return done


def _left(place: Path) -> Iterator[Path]:
    """Yield the temporary files below a place, and the folders of what never began, that were left alone for an hour."""
    for folder, folders, files in os.walk(place):
        for name in (*folders, *files):
            if name.startswith(".") and name.endswith((_TEMPORARY, STARTING)) and _alone(Path(folder) / name):
                yield Path(folder) / name
        if Path(folder).name in SEALED:  # records in folders of their own: one that got none is nothing
            yield from (path for path in (Path(folder) / name for name in folders) if _never_was(path) and _alone(path))
        folders[:] = [name for name in folders if not name.startswith(".")]


def _alone(path: Path) -> bool:
    """Return whether nothing was changed for an hour, or the clock was ahead when it was."""
    try:
        return abs(time.time() - path.lstat().st_mtime) > LEFT_S
    except OSError:
        return False


def _never_was(folder: Path) -> bool:
    """Return whether a folder for a record holds at most who was about to write it."""
    try:
        return not folder.is_symlink() and _PRESENT.issuperset(os.listdir(folder))
    except OSError:
        return False


def _remove(path: Path) -> None:
    """Remove a temporary file or folder; a run that is just beginning holds its lock, and stays.

    Raises:
        OSError: it cannot be removed, or is held.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    lock = FileLock(path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OSError(str(error)) from error
    try:
        shutil.rmtree(path)
    finally:
        lock.release()
