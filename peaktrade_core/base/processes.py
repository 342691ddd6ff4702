"""Processes: by a number and the moment it was given out, and at work in a folder.

A recycled number is never mistaken for ours. Who works in a folder holds a lock that ends with the process, however that
ends, and leaves a note for people and for folders that several machines share: only the machine on which the work began
may say that it is over.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from peaktrade_core.base.errors import EnvironmentFault, why
from peaktrade_core.base.files import read_plain, write_atomic

if TYPE_CHECKING:
    import psutil


_SAME_S = 1.5  # the same start, read twice: the machine's clock may have been set in between [s]


class Identity(msgspec.Struct, frozen=True):
    """One process: its number, and when it began [s since epoch]."""

    pid: int
    started: float


def this_process() -> Identity:
    """Return the identity of the process that asks."""
    found = identity_of(os.getpid())
    assert found is not None
    return found


def identity_of(pid: int) -> Identity | None:
    """Return the identity of the process that has a number now, None where there is none."""
    import psutil

    with suppress(psutil.Error):
        return Identity(pid, psutil.Process(pid).create_time())
    return None


def exists(who: Identity) -> bool:
    """Return whether that very process still runs; one that ended and was not yet collected does not."""
    return _find(who) is not None


def send(who: Identity, number: signal.Signals) -> bool:
    """Send a signal to that very process; False when it is gone or its number belongs to another by now.

    Raises:
        EnvironmentFault: the process is another user's.
    """
    import psutil

    process = _find(who)
    if process is None:
        return False
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        raise EnvironmentFault(
            f"may not send {number.name} to process {who.pid}: it is another user's; ask them, or become them"
        ) from None
    return True


def _find(who: Identity) -> psutil.Process | None:
    """Return that very process, or None."""
    import psutil

    with suppress(psutil.Error):
        process = psutil.Process(who.pid)
        if abs(process.create_time() - who.started) < _SAME_S and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def spawn(command: Sequence[str], *, folder: Path, console: Path) -> subprocess.Popen[bytes]:
    """Start a process of its own session that outlives its starter, its terminal and its connection.

    Args:
        command: program and arguments.
        folder: where it works.
        console: file that takes what it prints; its folder is made where it is missing.

    Raises:
        EnvironmentFault: the file cannot be written or the process cannot be started.
    """
    try:
        console.parent.mkdir(parents=True, exist_ok=True)
        with console.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (our own command line, no shell)
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise EnvironmentFault(f"cannot start {command[0]}: {why(error)} ({console})") from error


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C inside the block: it raises KeyboardInterrupt (main thread only, elsewhere nothing changes)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
            host = msgspec.json.decode(read_plain(self._note), type=_Note).host
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
            raise EnvironmentFault(f"cannot lock {self._lock.lock_file}: {why(error)}") from error
        return True


def is_locked(path: Path) -> bool:
    """Return whether a process holds a lock file; asking is in nobody's way, and not in that of others who ask.

    Where it cannot be told, none does.
    """
    if sys.platform == "win32":
        try:
            with FileLock(path, timeout=0) if path.exists() else nullcontext():
                return False
        except Timeout:
            return True
        except OSError:
            return False
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def this_host() -> str:
    """Return this machine's name, which tells whose runs may be recovered here."""
    return socket.gethostname()
