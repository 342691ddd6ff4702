"""A kernel that is ready before anybody wants it: one more like the last one, made while that one works.

What a notebook can see of its process - environment, folder, memory - the kernel only takes on when it is wanted, and
nothing of the user's has run in it until then. It listens on sockets of its own, which Jupyter learns from whoever
launched it.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.warm.link import KernelRequest
from peaktrade_core.warm.process import WarmProcess

READ_EARLY = ("HOME", "IPYTHON", "JUPYTER_", "PYDEVD_", "XDG_")  # what ipykernel reads before a held kernel waits
PATIENCE_S = 2.0  # a kernel that does not become what is wanted within this is given up [s]


class _Ready(NamedTuple):
    """A kernel that waits, what it was made as, and how to reach it."""

    process: WarmProcess
    like: KernelRequest
    connection: dict[str, Any]


class Spare:
    """Keeps one kernel ready."""

    def __init__(self, fork: Callable[[KernelRequest], WarmProcess]) -> None:
        """Prepare for it; ``fork`` starts a kernel and raises EnvironmentFault when it cannot."""
        self._fork = fork
        self._lock = threading.Lock()
        self._ready: _Ready | None = None
        self._maker: threading.Thread | None = None
        self._folder: str | None = None
        self._made = 0

    def take(self, request: KernelRequest) -> tuple[WarmProcess, dict[str, Any]] | None:
        """Return the kernel's process and connection, once it was told to be what is requested; None without a fit."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is None:
            return None
        if _fits(ready.like, request) and ready.process.poll() is None and ready.process.ask(request, PATIENCE_S):
            return ready.process, ready.connection
        ready.process.release()
        return None

    def prepare(self, like: KernelRequest) -> None:
        """Make a kernel ready in the background, unless one is or is being made."""
        with self._lock:
            if self._ready is None and (self._maker is None or not self._maker.is_alive()):
                self._maker = threading.Thread(target=self._make, args=(like,), name="spare kernel", daemon=True)
                self._maker.start()

    def close(self) -> None:
        """End the kernel; to be called when no kernel can be forked any more."""
        maker = self._maker
        if maker is not None:
            maker.join()
        with self._lock:
            ready, self._ready = self._ready, None
            folder, self._folder = self._folder, None
        if ready is not None:
            ready.process.release()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, like: KernelRequest) -> None:
        """Start a held kernel; one that cannot be started is nobody's loss."""
        from jupyter_client.connect import write_connection_file

        with suppress(EnvironmentFault, OSError):
            self._folder = self._folder or tempfile.mkdtemp(prefix="pt")  # a Unix socket's path has little room
            self._made += 1
            name, key = f"{self._folder}/{self._made}", secrets.token_hex(32).encode()
            file, connection = write_connection_file(f"{name}.json", ip=name, transport="ipc", key=key)
            mine = {"connection": file, "cwd": self._folder, "memory": None, "held": True}
            process = self._fork(msgspec.structs.replace(like, **mine))
            with self._lock:
                self._ready = _Ready(process, like, {**connection, "key": key})


def _fits(like: KernelRequest, wanted: KernelRequest) -> bool:
    """Return whether a kernel that got ready as one request can become the other."""
    both = {**like.env, **wanted.env}
    early = (name for name in both if name.startswith(READ_EARLY))
    return like.options == wanted.options and all(like.env.get(name) == wanted.env.get(name) for name in early)
