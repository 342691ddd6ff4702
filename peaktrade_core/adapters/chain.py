"""A log whose every line holds the hash of the line before it, so that nobody can change, drop or insert one unseen.

It shows tampering; it does not prevent it. Whoever can rewrite the whole file can make a new chain, so the head is
printed in reports, which leave the machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from filelock import FileLock

from peaktrade_core.adapters.files import append_line
from peaktrade_core.domain.errors import ArtefactError, EnvironmentFault

BEGINNING = "0" * 64
HEALED = "healed"  # the line that keeps what a dead writer left unfinished
_LOCK_S = 5.0
_TAIL = 1 << 16  # bytes; a line has some hundred
_KEPT = 400  # characters of what is cut off


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

    def append(self, kind: str, data: dict[str, Any], at: datetime, *, after: str = "") -> str:
        """Add a line and return its hash, the new head.

        Args:
            kind, data, at: what the line says.
            after: the head that it must follow; when another line came first, none is added and "" is returned.

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
                if after and after != head:
                    return ""
                line = msgspec.json.encode(Link(seq=seq, at=at, kind=kind, data=data, prev=head))
                append_line(self.path, line.decode())
        except (OSError, TimeoutError) as error:
            raise EnvironmentFault(f"cannot append to {self.path}: {error}") from error
        return _digest(line)

    def append_to_end(self, *entries: tuple[str, dict[str, Any]], at: datetime) -> str:
        """Add lines after the last one and return the new head; those before are not read, so that it always costs the same.

        For long logs, which are verified when somebody asks. What a dead writer left of a line is cut off and kept in a
        line of its own. The lines are on the disk when it returns.

        Args:
            entries: kind and data of each line; at: aware UTC.

        Raises:
            EnvironmentFault: the file cannot be written, or another process holds it for long.
            ArtefactError: the last line is no link; nothing is added to what cannot be trusted.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_S), self.path.open("a+b") as file:
                last, torn = self._ending(file)
                if torn:
                    file.truncate(file.seek(0, os.SEEK_END) - len(torn))
                    entries = ((HEALED, {"cut_off": torn.decode(errors="replace")[:_KEPT]}), *entries)
                seq, head = (last[0].seq + 1, last[1]) if last else (0, BEGINNING)
                lines: list[bytes] = []
                for number, (kind, data) in enumerate(entries, seq):
                    line = msgspec.json.encode(Link(seq=number, at=at, kind=kind, data=data, prev=head))
                    lines.append(line)
                    head = _digest(line)
                file.write(b"".join(line + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except (OSError, TimeoutError) as error:
            raise EnvironmentFault(f"cannot append to {self.path}: {error}") from error
        return head

    def last(self) -> tuple[Link, str] | None:
        """Return the last whole line with its hash, None for an empty chain; the lines before are not read.

        Raises:
            ArtefactError: it is no link; EnvironmentFault: the file cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                return self._ending(file)[0]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error

    def links(self, *, torn: bool = False) -> Iterator[tuple[Link, str]]:
        """Yield each line with its hash, verified; a missing file is an empty chain.

        Args:
            torn: whether a last line without an end, which a dead writer left, is passed over.

        Raises:
            ArtefactError: a line is no link, or does not follow from the one before; names it.
            EnvironmentFault: the file cannot be read.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {error.strerror or error}") from error
        lines = text.splitlines()
        if torn and text and not text.endswith(b"\n"):
            lines.pop()
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

    def _ending(self, file: IO[bytes]) -> tuple[tuple[Link, str] | None, bytes]:
        """Return the last whole line of the file, if any, and what stands after it."""
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        whole, _, torn = file.read(_TAIL).rpartition(b"\n")
        if not whole:
            return None, torn
        line = whole.rpartition(b"\n")[2]
        try:
            return (msgspec.json.decode(line, type=Link), _digest(line)), torn
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{self.path}: its last line is no link of the chain: {error}") from None


def _digest(line: bytes) -> str:
    """Return the SHA-256 of a line as hexadecimal digits."""
    return hashlib.sha256(line).hexdigest()
