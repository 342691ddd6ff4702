"""Run folders under ``live_runs/``: one a session, with its journal, its meta data and the lock of the process in it.

The lock is the operating system's: it ends with the process that holds it, however that ends, and a recycled process
number can never be mistaken for it.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.adapters.files import write_atomic
from peaktrade_core.adapters.journal import JOURNAL, TABLE
from peaktrade_core.domain.errors import ArtefactError, EnvironmentFault

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def is_id(text: str) -> bool:
    """Return whether ``text`` may name a run: no separators, no leading dot."""
    return bool(_ID.fullmatch(text))


class RunFolder:
    """The folder of one run.

    Attributes:
        run_id: the session's id, which names the folder.
        path, journal, table, meta: the folder and its files.
    """

    def __init__(self, base: Path, run_id: str) -> None:
        """Describe the folder; nothing is touched.

        Raises:
            ArtefactError: the id could escape the base folder.
        """
        if not is_id(run_id):
            raise ArtefactError(f"{run_id!r} cannot be a run id")
        self.run_id = run_id
        self.path = base / run_id
        self.journal = self.path / JOURNAL
        self.table = self.path / TABLE
        self.meta = self.path / "meta.json"
        self._lock = FileLock(self.path / "lock")

    def create(self, meta: dict[str, Any]) -> None:
        """Make the folder, take its lock and write ``meta.json``.

        Raises:
            FileExistsError: a run of that id exists.
            EnvironmentFault: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True)
        except FileExistsError:
            raise
        except OSError as error:
            raise EnvironmentFault(f"cannot create {self.path}: {error.strerror or error}") from error
        self.acquire()
        self.write_meta(meta)

    def write_meta(self, meta: dict[str, Any]) -> None:
        """Replace ``meta.json``."""
        write_atomic(self.meta, msgspec.json.format(msgspec.json.encode(meta), indent=2) + b"\n")

    def read_meta(self) -> dict[str, Any]:
        """Return ``meta.json``, empty when there is none that can be read."""
        try:
            meta = msgspec.json.decode(self.meta.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}
        return meta if isinstance(meta, dict) else {}

    def acquire(self) -> bool:
        """Take the run's lock; False when its process is alive (or the folder cannot be written)."""
        try:
            self._lock.acquire(timeout=0)
        except (Timeout, OSError):
            return False
        return True

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()


def this_host() -> str:
    """Return this machine's name, which tells whose runs may be recovered here."""
    return socket.gethostname()
