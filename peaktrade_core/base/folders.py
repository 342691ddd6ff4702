"""Folders of whole files, looked at again only when they changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from peaktrade_core.base.clock import from_seconds

SETTLED_NS = 50_000_000  # a folder that changed just now may change again within the clock's grain [ns]
DEPTH = 3  # folders below folders that are looked into


class File(NamedTuple):
    """A file and when it last changed, UTC."""

    path: Path
    changed_at: datetime


class Folders:
    """Listings of folders, each good until the folder's own time changes; files are replaced by renaming."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[int, list[File], list[Path]]] = {}

    def files(self, folder: Path, depth: int = DEPTH) -> Iterator[File]:
        """Yield the files in a folder and below; hidden, temporary and vanished ones are left out.

        Raises:
            OSError: the folder is there but cannot be listed.
        """
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        kept = self._kept.get(folder)
        if kept is None or kept[0] != changed:
            kept = (changed, *_listed(folder))
            if time.time_ns() - changed > SETTLED_NS:
                self._kept[folder] = kept
        yield from kept[1]
        if depth:
            for inner in kept[2]:
                yield from self.files(inner, depth - 1)


def _listed(folder: Path) -> tuple[list[File], list[Path]]:
    """Return the plain files and the folders in a folder."""
    files, folders = [], []
    with os.scandir(folder) as items:
        for item in items:
            if item.name.startswith(".") or item.name.endswith((".tmp", ".lock")):
                continue
            try:
                if item.is_dir(follow_symlinks=False):
                    folders.append(folder / item.name)
                elif item.is_file():
                    files.append(File(folder / item.name, from_seconds(item.stat().st_mtime)))
            except (OSError, OverflowError):
                continue
    return files, folders
