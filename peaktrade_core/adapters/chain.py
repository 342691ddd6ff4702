"""A log whose every line holds the hash of the line before it, so that nobody can change, drop or insert one unseen.

It shows tampering; it does not prevent it. Whoever can rewrite the whole file can make a new chain, so the head is
printed in reports, which leave the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock

from peaktrade_core.adapters.files import append_line
from peaktrade_core.domain.errors import ArtefactError, EnvironmentFault

BEGINNING = "0" * 64
_LOCK_S = 5.0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chain.

    Attributes:
        seq: from 0 without gaps; at: aware UTC; kind: what happened; data: its particulars.
        prev: SHA-256 of the line before; :data:`BEGINNING` for the first.
    """

    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]
    prev: str


class Chain:
    """A chained log in a file that several processes may append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, data: dict[str, Any], at: datetime) -> str:
        """Add a line and return its hash, the new head.

        Raises:
            EnvironmentFault: the file cannot be read or written, or another process holds it for long.
            ArtefactError: the chain is broken; nothing is added to what cannot be trusted.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S):
                seq, head = 0, BEGINNING
                for link, digest in self.links():
                    seq, head = link.seq + 1, digest
                line = msgspec.json.encode(Link(seq=seq, at=at, kind=kind, data=data, prev=head))
                append_line(self.path, line.decode())
        except (OSError, TimeoutError) as error:
            raise EnvironmentFault(f"cannot append to {self.path}: {error}") from error
        return _digest(line)

    def links(self) -> Iterator[tuple[Link, str]]:
        """Yield each line with its hash, verified; a missing file is an empty chain.

        Raises:
            ArtefactError: a line is no link, or does not follow from the one before; names it.
            EnvironmentFault: the file cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error
        head = BEGINNING
        for seq, line in enumerate(lines):
            try:
                link = msgspec.json.decode(line, type=Link)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ArtefactError(f"{self.path}, line {seq + 1}: no link of the chain: {error}") from None
            if link.seq != seq or link.prev != head:
                raise ArtefactError(
                    f"{self.path}, line {seq + 1}: does not follow from the line before; somebody changed, dropped or "
                    "inserted a line here. Compare with a backup and with the heads printed in reports"
                )
            head = _digest(line)
            yield link, head

    def head(self) -> str:
        """Return the hash of the last line; raises as :meth:`links`."""
        return max(((link.seq, digest) for link, digest in self.links()), default=(0, BEGINNING))[1]


def _digest(line: bytes) -> str:
    """Return the SHA-256 of a line as hexadecimal digits."""
    return hashlib.sha256(line).hexdigest()
