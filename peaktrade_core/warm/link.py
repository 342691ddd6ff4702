"""What is said on a kernel's link: the request to the kernel, and how it starts and ends; a line of JSON each."""

from __future__ import annotations

import socket
from contextlib import suppress

import msgspec

from peaktrade_core.warm.confine import Bounds

CHUNK = 1 << 16  # at most so much is read at a time [bytes]


class KernelRequest(msgspec.Struct, frozen=True):
    """What a kernel is to be.

    Attributes:
        connection: path of its connection file; options: of the kernel application.
        cwd: its working directory.
        env: its whole environment.
        memory: how much more data it may map than it starts with [bytes]; None for no bound.
        held: it is to get ready and then to wait for a second request, which says what it really is to be.
        bounds: what it may touch, enforced before any of its code runs; None for no bounds. A held one has none.
    """

    connection: str
    options: list[str]
    cwd: str
    env: dict[str, str]
    memory: int | None = None
    held: bool = False
    bounds: Bounds | None = None

    @property
    def arguments(self) -> list[str]:
        """All arguments of the kernel application."""
        return ["-f", self.connection, *self.options]


class Started(msgspec.Struct, frozen=True, tag=True):
    """The kernel is about to start."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The kernel ended, said by itself or by the nursery once its process is gone.

    Attributes:
        code: as of :class:`subprocess.Popen`: minus the signal when one killed it.
    """

    code: int


def say(link: socket.socket, message: KernelRequest | Started | Ended) -> None:
    """Send a line; nobody being there any more is no error."""
    with suppress(OSError):
        link.sendall(msgspec.json.encode(message) + b"\n")
