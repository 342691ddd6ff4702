"""A log whose every line holds the hash of the line before it, so that nobody can change, drop or insert one unseen.

It shows tampering; it does not prevent it. Whoever can rewrite the whole file can make a new chain, so the head is
printed in reports, which leave the machine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.base.files import open_plain
from peaktrade_core.base.log import Ending, append, ending, whole_lines

Entry = tuple[str, dict[str, Any]]  # kind and data of a line
BEGINNING = "0" * 64
_COMPARE = "Compare with a backup and with the heads printed in reports"
HEALED = "healed"  # the line that keeps what a dead writer left unfinished
BEGUN = "begun"  # a line that says that something began; what it is follows
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


class Place(NamedTuple):
    """How far a chain was read.

    Attributes:
        inode: which file; size: of its whole lines, last: where the last of them begins [bytes].
        seq, head: number and hash of that line.
    """

    inode: int = 0
    size: int = 0
    last: int = 0
    seq: int = -1
    head: str = BEGINNING


class NewLinks(NamedTuple):
    """What stands in a chain behind a place.

    Attributes:
        lines: whole, without newlines; torn: what stands after them.
        begin: the place that they follow, its beginning when the file is not the one that was read; end: the new place.
    """

    lines: list[bytes]
    torn: bytes
    begin: Place
    end: Place


def news(path: Path, before: Place, *, as_long: bool = False) -> NewLinks:
    """Return what was added to a chain since it was read; all of it when it is not known to be the same file.

    Args:
        path, before: the chain, and how far it was read; as_long: also where nothing was added since.

    Raises:
        OSError: it cannot be read.
    """
    with open_plain(path) as file:
        about = os.fstat(file.fileno())
        if before.size and about.st_ino == before.inode and about.st_size >= before.size + (not as_long):
            file.seek(before.last)
            last, *lines = (file.read() or b"").split(b"\n")
            if lines and digest_of(last) == before.head:
                *lines, torn = lines
                return NewLinks(lines, torn, before, _end(before, lines, about.st_ino))
            file.seek(0)
        *lines, torn = (file.read() or b"").split(b"\n")
    return NewLinks(lines, torn, Place(), _end(Place(), lines, about.st_ino))


def _end(begin: Place, lines: Sequence[bytes], inode: int) -> Place:
    """Return the place behind some lines."""
    if not lines:
        return begin._replace(inode=inode)
    size = begin.size + sum(len(line) + 1 for line in lines)
    return Place(inode, size, size - len(lines[-1]) - 1, begin.seq + len(lines), digest_of(lines[-1]))


class Chain:
    """A chained log in a file that several processes may append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        *entries: Entry,
        at: datetime,
        first: Callable[[], object] = lambda: None,
        then: Callable[[], object] = lambda: None,
    ) -> str:
        """Add lines after the last one and return the new head; those before are not read, so that it always costs the same.

        The whole chain is verified when somebody asks. What a dead writer left of a line is kept in a line of its own.
        The lines are on the disk when it returns.

        Args:
            entries: kind and data of each line; at: aware UTC.
            first, then: called before and after the lines are written, while nobody else may write.

        Raises:
            EnvironmentFault: the file cannot be written, or another process holds it for long; nothing was added.
            ArtefactError: the last line is no link; nothing is added to what cannot be trusted.
        """
        head = BEGINNING

        def lines(end: Ending) -> list[bytes]:
            nonlocal head
            last = self._link(end.last)
            told = [(at, *entry) for entry in (*healing(end), *entries)]
            seq, head = (last[0].seq + 1, last[1]) if last else (0, BEGINNING)
            found, head = linked(told, seq, head)
            first()
            return found

        append(self.path, lines, then)
        return head

    def last(self) -> tuple[Link, str] | None:
        """Return the last whole line with its hash, None for an empty chain; the lines before are not read.

        Raises:
            ArtefactError: it is no link; EnvironmentFault: the file cannot be read.
        """
        return self._link(ending(self.path).last)

    def torn(self) -> bool:
        """Return whether the file ends in an unfinished line, which the next entry heals.

        Raises:
            EnvironmentFault: the file cannot be read.
        """
        return bool(ending(self.path).torn)

    def links(self) -> Iterator[tuple[Link, str]]:
        """Yield each whole line with its hash, verified; a missing file is an empty chain.

        Raises:
            ArtefactError: a line is no link, or does not follow from the one before; names it.
            EnvironmentFault: the file cannot be read.
        """
        return verified(self.path, whole_lines(self.path))

    def sealed(self) -> dict[str, str]:
        """Return the hash under which each thing was sealed last, by its id.

        Raises:
            ArtefactError: as :meth:`links`, or a line seals nothing; EnvironmentFault: the file cannot be read.
        """
        found = {}
        for link, _ in self.links():
            if link.kind in (HEALED, BEGUN):
                continue
            name, digest = link.data.get("id"), link.data.get("sha256")
            if not isinstance(name, str) or not isinstance(digest, str):
                raise ArtefactError(f"{self.path}, line {link.seq + 1}: names no id with its sha256")
            found[name] = digest
        return found

    def head(self) -> str:
        """Return the hash of the last line; raises as :meth:`links`."""
        return max(((link.seq, digest) for link, digest in self.links()), default=(0, BEGINNING))[1]

    def _link(self, line: bytes | None) -> tuple[Link, str] | None:
        """Return the last line as a link with its hash, None for an empty chain."""
        if line is None:
            return None
        try:
            return msgspec.json.decode(line, type=Link), digest_of(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ArtefactError(
                f"{self.path}: its last line is no link of the chain: {why(error)}. {_COMPARE}"
            ) from None


def verified(path: Path, lines: Iterable[bytes], seq: int = 0, head: str = BEGINNING) -> Iterator[tuple[Link, str]]:
    """Yield lines of a chain with their hashes, each verified to follow from the one before.

    Args:
        path: the file, for messages; lines: whole lines without newlines.
        seq, head: number of the first of them, and hash of the line before it.

    Raises:
        ArtefactError: a line is no link, or does not follow from the one before; names it.
    """
    for number, line in enumerate(lines, seq):
        try:
            link = msgspec.json.decode(line, type=Link)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ArtefactError(f"{path}, line {number + 1}: no link of the chain: {why(error)}. {_COMPARE}") from None
        if link.seq != number or link.prev != head:
            raise ArtefactError(
                f"{path}, line {number + 1}: does not follow from the line before; a line here was changed, dropped "
                f"or inserted. {_COMPARE}"
            )
        head = digest_of(line)
        yield link, head


def linked(entries: Iterable[tuple[datetime, str, dict[str, Any]]], seq: int, head: str) -> tuple[list[bytes], str]:
    """Return lines for entries (when, kind, data), and the new head.

    Args:
        seq: number of the first; head: hash of the line before it.
    """
    found = []
    for number, (at, kind, data) in enumerate(entries, seq):
        found.append(msgspec.json.encode(Link(seq=number, at=at, kind=kind, data=data, prev=head)))
        head = digest_of(found[-1])
    return found, head


def healing(end: Ending) -> list[Entry]:
    """Return the entry that keeps the unfinished line at the end of a chain, none where there is none."""
    return [(HEALED, {"cut_off": end.torn.decode(errors="replace")[:_KEPT]})] if end.torn else []


def digest_of(line: bytes) -> str:
    """Return the SHA-256 of a line as hexadecimal digits."""
    return hashlib.sha256(line).hexdigest()
