"""The files of settings: what they hold, as values, and how a change takes its place on the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from peaktrade_core.base.errors import ConfigError, EnvironmentFault, why
from peaktrade_core.base.files import sha256_of, stamp, sync_folder, write_atomic
from peaktrade_core.changes.change import Edit, Proposal
from peaktrade_core.changes.governed import FILES, governed, path_of, texts
from peaktrade_core.workspace.workspace import Workspace


class SettingsFiles:
    """The files of settings of a workspace.

    Args (of the constructor):
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: tuple[object, dict[str, Any]] | None = None

    def values(self) -> dict[str, Any]:
        """Return every governed value as it is on the disk, read anew only when a file has changed.

        Raises:
            ConfigError: a file is not sound; says where.
        """
        key = tuple(stamp(path_of(self._workspace, name)) for name in FILES)
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, governed(self._workspace))
        return self._kept[1]

    def unwritten(self, proposal: Proposal) -> tuple[str, ...]:
        """Return the files of a change that are as they were before it; raises ConfigError where one cannot be read."""
        held = texts(self._workspace)
        return tuple(name for name, edit in proposal.edits.items() if _digest(held.get(name)) == edit.before)

    def stage(self, proposal: Proposal) -> None:
        """Write the files of a change beside their places.

        Raises:
            EnvironmentFault: one cannot be written; nothing has changed.
        """
        for name, edit in proposal.edits.items():
            if edit.data is not None:
                write_atomic(self._staged(name), edit.data, like=self._path(name))

    def unstage(self, proposal: Proposal) -> None:
        """Remove what was staged and did not take its place."""
        for name in proposal.edits:
            with suppress(OSError):
                self._staged(name).unlink()

    def write(self, proposal: Proposal) -> None:
        """Put the files of a change into their places, those that are still as they were before it.

        Raises:
            EnvironmentFault: one cannot be written; the ledger has it, and the same command goes on.
        """
        for name in self.unwritten(proposal):
            try:
                self._put(name, proposal.edits[name])
            except OSError as error:
                path = path_of(self._workspace, name)
                raise EnvironmentFault(f"cannot write {path}: {why(error)}; then apply it again") from error

    def _put(self, name: str, edit: Edit) -> None:
        path, staged = self._path(name), self._staged(name)
        if edit.data is None:
            path.unlink(missing_ok=True)
        elif sha256_of(staged) == edit.after:
            os.replace(staged, path)
        else:
            write_atomic(path, edit.data)
        sync_folder(path.parent)

    def _staged(self, name: str) -> Path:
        path = self._path(name)
        return path.with_name(f".{path.name}.change")

    def _path(self, name: str) -> Path:
        """Return where a file is; of a link what it leads to, so that the link stays."""
        return Path(os.path.realpath(path_of(self._workspace, name)))


def edit_of(name: str, before: bytes | None, after: bytes | None) -> Edit:
    """Return what a file becomes.

    Raises:
        ConfigError: it is not UTF-8.
    """
    try:
        text = None if after is None else after.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{name} is not UTF-8; save it as UTF-8") from None
    return Edit(before=_digest(before), after=_digest(after), text=text)


def _digest(data: bytes | None) -> str:
    return "" if data is None else sha256(data).hexdigest()
