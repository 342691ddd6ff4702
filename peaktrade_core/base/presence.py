"""A process at work in a folder: a lock that ends with the process, however that ends, and a note of who it is.

The lock alone says whether somebody is there. The note is for people, and for folders that several machines share: only
the machine on which the work began may say that it is over.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import write_atomic


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    """Which process is at work, and on which machine."""

    pid: int
    host: str


class Presence:
    """Whether a process is at work in a folder; let go of when this object goes."""

    def __init__(self, folder: Path) -> None:
        """Describe it; nothing is touched."""
        self._lock = FileLock(folder / "lock")
        self._note = folder / "process.json"

    def enter(self) -> None:
        """Be at work in the folder, which must exist.

        Raises:
            EnvironmentFault: somebody is, or the folder cannot be written.
        """
        if not self._acquired():
            raise EnvironmentFault(f"cannot lock {self._lock.lock_file}: another process is at work there")
        write_atomic(self._note, msgspec.json.encode(_Note(pid=os.getpid(), host=this_host())))

    def inherit(self) -> bool:
        """Take the place of a process of this machine that is gone; False while it works, or where it was another's."""
        try:
            host = msgspec.json.decode(self._note.read_bytes(), type=_Note).host
        except (OSError, msgspec.DecodeError):
            host = this_host()  # it ended before it could say so, or is from before there were notes
        return host == this_host() and self._acquired()

    def leave(self) -> None:
        """Be gone, and leave nothing behind."""
        self._lock.release()
        for path in (self._note, Path(self._lock.lock_file)):
            with suppress(OSError):  # it says nothing any more, nobody must fail of it
                path.unlink()

    def release(self) -> None:
        """Let go, and leave the rest for whoever looks next."""
        self._lock.release()

    def _acquired(self) -> bool:
        """Take the lock if nobody has it.

        Raises:
            EnvironmentFault: it cannot be made.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise EnvironmentFault(f"cannot lock {self._lock.lock_file}: {error.strerror or error}") from error
        return True


def this_host() -> str:
    """Return this machine's name, which tells whose runs may be recovered here."""
    return socket.gethostname()
