"""Runs that retention has archived: ``reports/archive/live_runs/<id>.tar.gz``, read as if they had never gone.

What is asked of one is unpacked below ``.cache``, which can be deleted at any time; retention does so at each sweep.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.files import Names
from peaktrade_core.records.folder import RunFolder, is_id
from peaktrade_core.workspace.settings import ARCHIVE
from peaktrade_core.workspace.workspace import Workspace

SUFFIX = ".tar.gz"


class RunArchive:
    """The archived runs of a workspace.

    Args (of the constructor):
        home: the workspace.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "reports" / ARCHIVE / "live_runs"
        self.unpacked = home / ".cache" / "archived_runs"
        self._packed = Names(self.folder, lambda item: item.name.endswith(SUFFIX) and item.is_file())

    @classmethod
    def of(cls, workspace: Workspace) -> RunArchive:
        """Return the archived runs of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(workspace.home))

    def path(self, run_id: str) -> Path:
        """Return where a run is, once it is archived."""
        return self.folder / f"{run_id}{SUFFIX}"

    def holds(self, run_id: str) -> bool:
        """Return whether a run is archived."""
        return is_id(run_id) and f"{run_id}{SUFFIX}" in self._packed()

    def told(self, run_id: str) -> str:
        """Return where the folder of a run is that is no longer in its place."""
        if self.holds(run_id):
            return f"its run folder is archived: {self.path(run_id).relative_to(self.home).as_posix()}"
        return "its run folder is gone"

    def open(self, run_id: str) -> RunFolder:
        """Return the folder of an archived run, unpacked.

        Raises:
            ArtefactError: it cannot be unpacked; says where the archive is.
        """
        folder, packed = RunFolder(self.unpacked, run_id), self.path(run_id)
        if folder.path.is_dir():
            return folder
        try:
            self.unpacked.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".", suffix=".tmp", dir=self.unpacked) as staged:
                with tarfile.open(packed) as tar:
                    tar.extractall(staged, filter=_files_only)  # noqa: S202 - our own archive, and the filter lets nothing out
                os.rename(Path(staged) / run_id, folder.path)
        except (OSError, EOFError, tarfile.TarError) as error:
            if not folder.path.is_dir():  # else another process was faster
                raise ArtefactError(f"cannot unpack the archived run {packed}: {why(error)}") from error
        return folder

    def forget(self) -> None:
        """Remove what was unpacked: first its name, so that nobody finds half of it."""
        going = self.unpacked.with_name(f".{self.unpacked.name}.tmp")
        shutil.rmtree(going, ignore_errors=True)
        with suppress(OSError):
            os.rename(self.unpacked, going)
        shutil.rmtree(going, ignore_errors=True)


def _files_only(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo | None:
    """Leave out links, which may lead anywhere, and refuse names that lead out of the folder."""
    return None if member.issym() or member.islnk() else tarfile.data_filter(member, target)
