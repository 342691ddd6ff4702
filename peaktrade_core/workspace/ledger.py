"""The ledger: one chained log of a workspace, which everything enters that must not change unseen.

In it are the hash of each session's record and journal, of each evidence, incident, drill and forward signal, every
count of trials, every opening of the hold-out, and how the plain logs grew. Its last line is remembered beside it and
outside the workspace. A ledger that is shorter than remembered, another one or gone means no orders, until a person
answers for it (``peaktrade audit adopt``).

Each room writes into a section of its own. A workspace from before the ledger had a chain for each of these; their lines
are entered first, and their files stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGINNING, Chain, Entry, Link, digest_of, healing, linked, verified
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import open_plain, sha256_of, stamp
from peaktrade_core.base.log import BLOCK, LARGEST_LOG, MOST, Ending, extend, locked, newest_lines, whole_lines
from peaktrade_core.workspace.grown import Growth, growth, logs_of
from peaktrade_core.workspace.memory import KINDS, Memory, Remembered, outside_of
from peaktrade_core.workspace.sections import MANY, Sections
from peaktrade_core.workspace.unremembered import found_entry, unanswered
from peaktrade_core.workspace.workspace import Workspace

LEDGER = "ledger.jsonl"
REGISTRY, EVIDENCE, INCIDENTS, DRILLS = "registry", "evidence", "incidents", "drills"
TRIALS, HOLDOUT, FORWARD, PROMOTIONS = "trials", "holdout", "forward", "promotions"
REQUESTS, PEOPLE_SECTION, CHANGES = "requests", "people", "changes"
PAPERS, ANCHORS = "papers", "anchors"
SEALED = (EVIDENCE, INCIDENTS, DRILLS, FORWARD)  # sections with the hashes of the records in the folder of their name
OWN, BEGUN, ADOPTED, LOGS, GROWN = "ledger", "begun", "adopted", "logs", "grown"
GO_ON = (
    "No orders are sent. Compare with a backup and with the heads printed in reports; then a person who answers for it "
    "lets it go on: `peaktrade audit adopt --by NAME --reason TEXT`"
)
Timed = tuple[datetime, str, dict[str, Any]]


class Ledger:
    """The ledger of a workspace.

    Args (of the constructor):
        home: the workspace; remembered: whether outside of it, too, which one that is soon gone is not.

    Attributes:
        path: the file, ``reports/ledger.jsonl``.
    """

    def __init__(self, home: Path, *, remembered: bool = True) -> None:
        self.home, self.path = home, home / "reports" / LEDGER
        outside = outside_of(home, KINDS[1]) if remembered else None
        self._memory = Memory(self.path, self.path.with_suffix(".last.json"), outside)
        self._looked: tuple[object, str] = (None, "")
        self._sections = Sections(self.path, outside_of(home, KINDS[2]) if remembered else None)

    @classmethod
    def of(cls, workspace: Workspace) -> Ledger:
        """Return the ledger of a workspace, opened once."""
        return workspace.once(cls, lambda: cls(workspace.home))

    def section(self, name: str) -> Section:
        """Return what one room writes, to be used as a chain of its own."""
        return Section(self, name)

    def append(
        self,
        *entries: Entry,
        at: datetime,
        first: Callable[[], object] = lambda: None,
        then: Callable[[], object] = lambda: None,
    ) -> str:
        """Add entries, and how the plain logs grew, and return the new head; raises and calls as :meth:`Chain.append`.

        Args:
            entries: ``section/kind`` and data of each; none, to enter only what the plain logs grew by.
        """
        with locked(self.path):
            fault = self.fault()  # what is remembered stays then, so that a later entry hides nothing
            last = self._write(
                lambda new: [*(self._earlier(at) if new else ()), *((at, *one) for one in entries)], at, first
            )
            if last and not fault:
                self._memory.keep(last)
            then()
        if last:
            return last.head
        end = Chain(self.path).last()
        return end[1] if end else BEGINNING

    def fault(self) -> str:
        """Return why the ledger is not what is remembered of it, empty when it is. Only one of its lines is read."""
        key = tuple(map(stamp, (self.path, *self._memory.files)))
        if self._looked[0] == key:
            return self._looked[1]
        try:
            remembered = self._memory.read()  # before the ledger, which is written first
            fault = next(filter(None, map(self._lacks, remembered)), "")
        except ArtefactError as error:
            fault = str(error)
        if not fault and self._memory.outside_is_new() and remembered:
            self._memory.keep(remembered[0], outside=True)
        self._looked = (key, f"{fault}. {GO_ON}" if fault else "")
        return self._looked[1]

    def remembered(self) -> list[Remembered]:
        """Return what is remembered of it; nothing where that makes no sense, which :meth:`fault` says."""
        try:
            return self._memory.read()
        except ArtefactError:
            return []

    def links(self) -> Iterator[tuple[Link, str]]:
        """Yield each entry with its hash, verified; of a workspace without a ledger, what would be entered first.

        Raises:
            ArtefactError: an entry does not follow from the one before; EnvironmentFault: the file cannot be read.
        """
        lines = whole_lines(self.path)
        if not lines and not os.path.lexists(self.path):
            lines, _ = linked(self._earlier(None), 0, BEGINNING)
        return verified(self.path, lines)

    def checkpoint_fault(self, links: Sequence[tuple[Link, str]]) -> str:
        """Return how the checkpoint differs from all entries, empty where it does not or there is none."""
        return self._sections.differs(links)

    def of_section(self, name: str) -> Iterator[tuple[Link, str]]:
        """Yield the entries of a section, its name taken off their kinds; raises as :meth:`links`.

        All but the longest are read where a checkpoint says that they stand, and read on from where it ended.
        """
        whole = name in MANY or not os.path.lexists(self.path)
        found = self.links() if whole else iter(self._sections.of(name, sound=not self.fault()))
        for link, digest in found:
            section, _, kind = link.kind.partition("/")
            if section == name:
                yield msgspec.structs.replace(link, kind=kind), digest

    def begin_anew(self, by: str, reason: str, at: datetime) -> str:
        """Let a person answer for a ledger that is not what it was, and return what was wrong with it; empty for nothing.

        One that holds together goes on after an entry that says so. One that does not is set aside and kept; what can
        be read of it is entered into a new one.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        with locked(self.path):
            kept, broken = self._readable()
            fault = broken or self.fault().removesuffix(f". {GO_ON}")
            odd, _ = unanswered((link for link, _ in self.links()), self.remembered()) if not fault else ([], False)
            fault = fault or ("it holds entries that were not remembered" if odd else "")
            if not fault:
                return ""
            said: dict[str, Any] = {"fault": fault, "by": by, "reason": reason, "lacks": self._heads()}
            if broken:
                said["set_aside"] = self._set_aside(at)
            told: list[Timed] = [*(kept if broken else ()), (at, f"{OWN}/{ADOPTED}", said)]
            if last := self._write(lambda _: told, at):
                self._memory.keep(last)
        return fault

    def answer_for(self, logs: Sequence[str], by: str, reason: str, at: datetime) -> None:
        """Let a person, or retention, answer for plain logs as they are now, or for that they are gone.

        Args:
            logs: below the workspace; by, reason: who, and why; at: aware UTC.

        Raises:
            EnvironmentFault: it cannot be written.
        """
        with locked(self.path):
            rest = {name: end for name, end in self._covered().items() if name not in logs}
            found = growth(self.home, rest) or Growth((), rest)
            told = _told(msgspec.structs.replace(found, anew=tuple(logs), by=by, reason=reason), at)
            if last := self._write(lambda _: [told], at, logs_too=False):
                self._memory.keep(last)

    def _write(
        self,
        told: Callable[[bool], Sequence[Timed]],
        at: datetime,
        first: Callable[[], object] = lambda: None,
        *,
        logs_too: bool = True,
    ) -> Remembered | None:
        """Write entries, told for whether the ledger is new, and return the last of them; the lock is held."""
        last: Remembered | None = None

        def lines(end: Ending) -> list[bytes]:
            nonlocal last
            before = Chain(self.path).last()
            found = found_entry(self.remembered(), before[0] if before else None)
            news = [*((at, *entry) for entry in (*healing(end), *found)), *told(before is None)]
            grown = growth(self.home, self._covered()) if logs_too else None
            news += [_told(grown, at)] if grown else []
            seq, head = (before[0].seq + 1, before[1]) if before else (0, BEGINNING)
            new, head = linked(news, seq, head)
            first()
            size = end.size + sum(len(line) + 1 for line in new)
            last = Remembered(seq=seq + len(new) - 1, head=head, at=at, size=size)
            return new

        return last if extend(self.path, lines) else None

    def _readable(self) -> tuple[list[Timed], str]:
        """Return the entries that can be trusted, and why the rest cannot."""
        kept: list[Timed] = []
        try:
            kept.extend((link.at, link.kind, link.data) for link, _ in self.links())
        except (ArtefactError, EnvironmentFault) as error:
            return kept, str(error)
        return kept, ""

    def _heads(self) -> list[str]:
        return sorted({one.head for one in self.remembered()})

    def _set_aside(self, at: datetime) -> str:
        """Move the ledger aside, and return its new name with its hash."""
        aside = self.path.with_name(f"ledger.broken-{at:%Y%m%dT%H%M%S%f}.jsonl")
        try:
            os.rename(self.path, aside)
        except OSError as error:
            raise EnvironmentFault(f"cannot move {self.path} aside: {why(error)}") from error
        return f"{aside.name} sha256={sha256_of(aside)}"

    def _lacks(self, one: Remembered) -> str:
        """Return what the ledger lacks of what is remembered, empty for nothing."""
        had = f"it held {one.seq + 1} entries, the last with the hash {one.head[:16]}…"
        try:
            with open_plain(self.path) as file:
                if os.fstat(file.fileno()).st_size < one.size:
                    return f"{self.path} is shorter than it was; {had}"
                if digest_of(_line_before(file, one.size)) != one.head:
                    return f"{self.path} is not what it was; {had}"
        except FileNotFoundError:
            return f"{self.path} is gone; {had}"
        except OSError as error:
            return f"cannot read {self.path}: {why(error)}"
        return ""

    def _earlier(self, at: datetime | None) -> list[Timed]:
        """Return the first entries: that it begins, and what the chains from before it say.

        Raises:
            ArtefactError: one of those chains is broken.
        """
        chains = {
            name: chain for name, path in _EARLIER.items() if (chain := Chain(self.home / "reports" / path)).last()
        }
        found = [
            (link.at, f"{name}/{link.kind}", link.data) for name, chain in chains.items() for link, _ in chain.links()
        ]
        heads = {name: chain.head() for name, chain in chains.items()}
        return [(at, f"{OWN}/{BEGUN}", {"earlier": heads}), *found] if at else found

    def _covered(self) -> dict[str, int]:
        """Return how far each plain log is entered [bytes]."""
        mark = f'"kind":"{LOGS}/{GROWN}"'.encode()
        if not os.path.lexists(self.path) or not any(logs_of(self.home)):
            return {}
        newest = (line.text for line in newest_lines(self.path, LARGEST_LOG) if line.whole)
        found = next((line for line in newest if mark in line), None)
        return {} if found is None else msgspec.convert(msgspec.json.decode(found)["data"], Growth).ends


class Section(Chain):
    """The entries of one room in the ledger.

    Args (of the constructor):
        ledger: whose; name: of the section.
    """

    def __init__(self, ledger: Ledger, name: str) -> None:
        super().__init__(ledger.path)
        self._ledger, self.name = ledger, name

    def append(
        self,
        *entries: Entry,
        at: datetime,
        first: Callable[[], object] = lambda: None,
        then: Callable[[], object] = lambda: None,
    ) -> str:
        """Add entries to the ledger and return its new head; as :meth:`Chain.append`."""
        named = [(f"{self.name}/{kind}", data) for kind, data in entries]
        return self._ledger.append(*named, at=at, first=first, then=then)

    def links(self) -> Iterator[tuple[Link, str]]:
        """Yield each entry of this section with its hash; raises as :meth:`Chain.links`."""
        return self._ledger.of_section(self.name)


_EARLIER = {
    REGISTRY: "experiments/live_sessions.chain.jsonl",
    **{name: f"{name}/chain.jsonl" for name in (*SEALED, TRIALS, HOLDOUT, PROMOTIONS)},
}


def _told(grown: Growth, at: datetime) -> Timed:
    """Return what the plain logs grew by as an entry."""
    return at, f"{LOGS}/{GROWN}", msgspec.to_builtins(grown)


def _line_before(file: Any, end: int) -> bytes:
    """Return the line of an open file that ends, with its newline, at an offset."""
    size = BLOCK
    while True:
        begin = max(0, end - size)
        file.seek(begin)
        data = file.read(end - begin) or b""
        head, newline, line = data[:-1].rpartition(b"\n")
        if newline or begin == 0 or size >= MOST:
            return line if newline else head + line
        size *= 4
