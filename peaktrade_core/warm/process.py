"""A kernel's process, which is the nursery's child, as if we had started it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time

import msgspec

from peaktrade_core.warm.link import Ended, KernelRequest, Started, say


class WarmProcess:
    """A forked kernel, with the part of :class:`subprocess.Popen` that Jupyter uses.

    Attributes:
        pid: its id, which is its process group's too; it stays taken until :meth:`wait` returned.
        returncode: None while it runs.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, link: socket.socket) -> None:
        self.pid, self.returncode = pid, None  # type: int, int | None
        self._link = link
        self._said = b""

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        while self.returncode is None and _readable(self._link, 0.0):
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and let go of it.

        Raises:
            subprocess.TimeoutExpired: it still runs after ``timeout`` [s].
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not _readable(self._link, left):
                raise subprocess.TimeoutExpired(f"kernel {self.pid}", timeout or 0.0)
            self._read()
        self._link.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal unless it ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(15)

    def kill(self) -> None:
        """End it."""
        self.send_signal(9)

    def ask(self, request: KernelRequest, timeout: float) -> bool:
        """Tell a held kernel what it is to be; return whether it is that within ``timeout`` [s]."""
        say(self._link, request)
        self._link.settimeout(timeout)
        try:
            said = self._link.recv(4096)
        except OSError:
            return False
        self._link.settimeout(None)
        return bool(said) and isinstance(msgspec.json.decode(said.partition(b"\n")[0], type=Started | Ended), Started)

    def release(self) -> None:
        """Let go of it, which ends it."""
        self._link.close()

    def _read(self) -> None:
        """Take in what was said about it; a link that is closed means that it and the nursery are gone."""
        try:
            chunk = self._link.recv(4096)
        except OSError:
            chunk = b""
        self._said += chunk
        if not chunk:
            self.returncode = -9
        elif b"\n" in self._said:  # the kernel says it, and then the nursery, when its process is gone
            self.returncode = msgspec.json.decode(self._said.partition(b"\n")[0], type=Ended).code


def _readable(link: socket.socket, timeout: float | None) -> bool:
    """Return whether something can be read within ``timeout`` [s]."""
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))
