"""What is said on a kernel's link: the request to the kernel, and how it starts and ends; a line of JSON each."""

from __future__ import annotations

import socket
from contextlib import suppress

import msgspec

CHUNK = 1 << 16  # at most so much is read at a time [bytes]


class Request(msgspec.Struct, frozen=True):
    """What a kernel is to be.

    Attributes:
        arguments: of the kernel application; cwd: its working directory.
        env: its whole environment.
        memory: how much more data it may map than it starts with [bytes]; None for no bound.
    """

    arguments: list[str]
    cwd: str
    env: dict[str, str]
    memory: int | None = None


class Started(msgspec.Struct, frozen=True, tag=True):
    """The kernel is about to start."""

    pid: int


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The kernel's process ended; ``code`` as of :class:`subprocess.Popen`: minus the signal when one killed it."""

    code: int


def say(link: socket.socket, message: Started | Ended) -> None:
    """Send a line; nobody being there any more is no error."""
    with suppress(OSError):
        link.sendall(msgspec.json.encode(message) + b"\n")
