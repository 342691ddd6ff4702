"""What each room wrote into the ledger, without reading all of it again: a checkpoint says where its entries stand.

Whoever has read and verified the whole ledger leaves a checkpoint in the user's state folder, beside what is remembered of the
ledger. The next process reads the entries of one section where they stand, and what came after the checkpoint. It is checked
itself: its last entry must have its hash, the entries of the section together theirs; else all is read. The audit, which reads
all anyway, compares it with the whole ledger, so that one that leaves an entry out is known.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock

import msgspec

from peaktrade_core.base.chain import Link, Place, digest_of, news, verified
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import open_plain, read_plain, stamp, write_atomic
from peaktrade_core.base.log import LARGEST_LOG

EVERY = 5_000  # entries after which a new checkpoint is worth its writing
MANY = ("registry", "logs")  # sections with as many entries as there are sessions and turns of the watcher; never kept
Entries = list[tuple[Link, str]]


class SectionSpans(msgspec.Struct, frozen=True):
    """Where the entries of a section stand: ``spans`` are begin and end of each line [bytes], ``digest`` is over their hashes."""

    spans: list[int]
    digest: str


class Checkpoint(msgspec.Struct, frozen=True):
    """How far the ledger was read and verified, and where the entries of its sections stand up to there."""

    place: Place
    sections: dict[str, SectionSpans]


class Sections:
    """The sections of a ledger, all but :data:`MANY`; several threads may ask.

    Args (of the constructor):
        path: the ledger; checkpoint: the file outside the workspace that says where its entries stand, None for none.
    """

    def __init__(self, path: Path, checkpoint: Path | None) -> None:
        self._path, self._file = path, checkpoint
        self._key: tuple[int, int, int] | None = None
        self._lock = Lock()  # one thread reads on at a time
        self._old, self._new = dict[str, Entries](), dict[str, Entries]()
        self._begin()

    def of(self, name: str, *, sound: bool) -> Entries:
        """Return the entries of a section with their hashes, oldest first.

        Args:
            name: of the section; sound: whether the ledger holds what is remembered of it; of another one no checkpoint is left.

        Raises:
            ArtefactError: an entry does not follow from the one before; EnvironmentFault: the ledger cannot be read.
        """
        with self._lock:
            try:
                if (key := stamp(self._path)) != self._key:
                    self._read_on(sound=sound)
                    self._key = key
                earlier = self._earlier(name)
                if earlier is None:  # not what the checkpoint says: all is read, and says what is wrong
                    self._begin(trusting=False)
                    self._read_on(sound=sound)
                    earlier = []
            except OSError as error:
                raise EnvironmentFault(f"cannot read {self._path}: {why(error)}") from error
            return [*earlier, *self._new.get(name, ())]

    def differs(self, links: Iterable[tuple[Link, str]]) -> str:
        """Return how the checkpoint differs from the whole ledger, empty where it does not or there is none."""
        found = self._checkpoint()
        if found is None:
            return ""
        hashes = dict[str, list[str]]()
        for link, digest in links:
            section = link.kind.partition("/")[0]
            if link.seq <= found.place.seq and section not in MANY:
                hashes.setdefault(section, []).append(digest)
        wrong = {name for name in {*hashes, *found.sections} if _digest(hashes.get(name)) != _kept(found, name)}
        return f"{self._file} says something else of {', '.join(sorted(wrong))} than {self._path}" if wrong else ""

    def _begin(self, *, trusting: bool = True) -> None:
        """Know nothing yet, or what the checkpoint says."""
        self._key = None
        self._from = self._checkpoint() if trusting else None
        self._read = self._from.place if self._from else Place()
        self._left = self._read.seq
        self._old, self._new = {}, {}
        self._spans = {name: list(one.spans) for name, one in self._from.sections.items()} if self._from else {}

    def _read_on(self, *, sound: bool) -> None:
        """Take in what came since the last look, or all of it where the ledger is not the one that was read."""
        found = news(self._path, self._read, as_long=self._key is None)
        if not found.begin.size:
            self._begin(trusting=False)
        at = found.begin.size
        entries = verified(self._path, found.lines, found.begin.seq + 1, found.begin.head)
        try:
            for line, (link, digest) in zip(found.lines, entries, strict=True):
                section = link.kind.partition("/")[0]
                if section not in MANY:
                    self._new.setdefault(section, []).append((link, digest))
                    self._spans.setdefault(section, []).extend((at, at + len(line)))
                at += len(line) + 1
        except ArtefactError:
            self._begin()
            raise
        self._read = found.end
        if sound and self._file is not None and found.end.seq - self._left >= EVERY:
            self._leave(self._file)

    def _leave(self, file: Path) -> None:
        """Leave a checkpoint for the processes that come; one that cannot be written only costs their time."""
        sections = dict[str, SectionSpans]()
        for name, spans in self._spans.items():
            if (earlier := self._earlier(name)) is None:
                return
            digests = [digest for _, digest in (*earlier, *self._new.get(name, ()))]
            sections[name] = SectionSpans(spans, _digest(digests))
        body = msgspec.json.encode(Checkpoint(self._read, sections))
        with suppress(EnvironmentFault):
            write_atomic(file, digest_of(body).encode() + b"\n" + body)
        self._left = self._read.seq

    def _earlier(self, name: str) -> Entries | None:
        """Return the entries of a section up to the checkpoint, read where they stand; None where they are not as it says."""
        kept = self._from.sections.get(name) if self._from else None
        if kept is None:
            return []
        if name not in self._old:
            spans, size = list(zip(kept.spans[::2], kept.spans[1::2], strict=False)), os.stat(self._path).st_size
            if not all(0 <= begin < end <= size for begin, end in spans):
                return None
            with open_plain(self._path) as file:
                lines = [os.pread(file.fileno(), end - begin, begin) for begin, end in spans]
            hashes = list(map(digest_of, lines))
            if _digest(hashes) != kept.digest:
                return None
            try:
                links = [msgspec.json.decode(line, type=Link) for line in lines]
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            self._old[name] = list(zip(links, hashes, strict=True))
        return self._old[name]

    def _checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint, None where there is none that makes sense."""
        if self._file is None:
            return None
        try:
            digest, _, body = read_plain(self._file).partition(b"\n")
            if digest.decode() != digest_of(body):
                return None
            found = msgspec.json.decode(body, type=Checkpoint)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        place = found.place
        return found if 0 <= place.last < place.size < LARGEST_LOG and place.seq >= 0 else None


def _kept(found: Checkpoint, name: str) -> str:
    return found.sections[name].digest if name in found.sections else _digest(None)


def _digest(hashes: Iterable[str] | None) -> str:
    """Return the SHA-256 over the hashes of lines."""
    return sha256("".join(hashes or ()).encode()).hexdigest()
