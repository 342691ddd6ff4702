"""The log of halts: one chained file in which every change of a trading state stands, and whose fold the states are.

It fails closed. A line that was changed, dropped or put in, a log that is shorter than it was, or gone: no orders,
anywhere, until a person begins a new log by engaging the kill switch and two people release it. A line that a dead writer
left unfinished may have been an engagement: it counts as one, before it is healed and after.

Every change is decided under the log's lock, on what the log says then. An engagement that cannot have the lock lays a
file into a folder beside the log instead. It counts at once, and the next change enters it into the log before itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from peaktrade_core.base.chain import BEGINNING, Chain, Entry, NewLinks, Place, healing, linked, news
from peaktrade_core.base.errors import ArtefactError, EnvironmentFault, why
from peaktrade_core.base.files import read_plain, sha256_of, stamp, write_atomic
from peaktrade_core.base.log import Ending, extend, locked
from peaktrade_core.halts.earlier import Earlier
from peaktrade_core.halts.entries import GO_ON, HaltEntry, Known, closing, last_of, let_go, read_on, with_waiting
from peaktrade_core.halts.scope import ENGAGE, GLOBAL, STATES
from peaktrade_core.workspace.chain_heads import HALTS
from peaktrade_core.workspace.memory import Memory, Remembered

DECIDE_S = 5.0  # how long a change waits for the lock
ENGAGE_S = 2.0  # an engagement waits no longer, and does without
LOOK_S = 0.5  # how long a reader waits for a change that is being written
WAITING = "halts.waiting"  # beside the log: engagements that could not have its lock
_UNLISTED = "unknown.json"


class HaltLog:
    """The log of halts of a workspace.

    Args (of the constructor):
        folder: ``reports/live``; outside: the file outside the workspace that remembers the log, None for none.

    Attributes:
        path: the file; chain: the chained log in it.
    """

    def __init__(self, folder: Path, outside: Path | None = None) -> None:
        self.path = folder / HALTS
        self.chain = Chain(self.path)
        self._memory = Memory(self.path, folder / "halts.last.json", outside)
        self._waiting = folder / WAITING
        self._earlier = Earlier(folder)
        self._seen: tuple[object, Known] | None = None
        self._good = Known()  # the newest that could be trusted

    def look(self) -> Known:
        """Return what the log says; it is read only when it changed, and then only what is new. It never raises."""
        key = self._key()
        if self._seen is not None and self._seen[0] == key:
            return self._seen[1]
        if self._earlier.pending(self.path, *self._memory.files):
            return self._carry_over()
        known = self._read()
        if known.fault or known.torn:  # perhaps a change that is being written
            with self._alone(LOOK_S):
                key, known = self._key(), self._read()
        self._seen = None if known.fault else (key, known)  # what cannot be read now perhaps can at the next look
        if known.entries and not known.fault and self._memory.outside_is_new():
            self._memory.keep(last_of(known), outside=True)
        return known

    def decide(self, think: Callable[[Known], Sequence[Entry]], at: datetime) -> Known:
        """Let ``think`` look at the log and add what it returns, with nobody in between; return the log after it.

        Args:
            think: returns kind and data of each line; what it raises forbids the change.
            at: when, aware UTC.

        Raises:
            ArtefactError: the log cannot be trusted; says how to go on.
            EnvironmentFault: nothing was changed: the lock cannot be had, or the log cannot be written.
        """
        with self._alone(DECIDE_S) as fault:
            if fault:
                raise EnvironmentFault(f"nothing was changed: {fault}")
            known = self._current()
            if known.fault:
                raise ArtefactError(f"{known.fault}. {GO_ON}")
            entries = think(known)
            if entries:
                self._add(known, [(at, *entry) for entry in entries])
            return self._read()

    def engage(self, by: str, reason: str, state: str, at: datetime) -> None:
        """Engage the kill switch, whatever becomes of the log: one that cannot be trusted is set aside and begun anew.

        What is stopped more strictly already stays so.

        Raises:
            EnvironmentFault: it is engaged, but the log cannot be written; or it cannot be engaged at all.
        """
        data: dict[str, Any] = {"by": by, "reason": reason, "state": state}
        with self._alone(ENGAGE_S) as fault:
            if fault:
                self._wait(data, at)
                return
            try:
                known = self._current()
                data["state"] = max(state, known.state(GLOBAL.text).state, key=STATES.index)
                if known.fault:
                    data["replaces"] = self._remembered()
                    data["set_aside"], known = self._set_aside(known.fault, at), Known()
                self._add(known, [(at, ENGAGE, data)])
            except (ArtefactError, EnvironmentFault) as error:
                self._wait(data, at)
                raise EnvironmentFault(str(error)) from error

    def _add(self, known: Known, entries: Sequence[tuple[datetime, str, dict[str, Any]]]) -> None:
        """Add lines behind what is known, first the engagements that wait beside it; the lock is held."""
        waiting = [entry for entry in known.waiting if entry.waited]
        before = last_of(known)
        news: list[tuple[datetime, str, dict[str, Any]]] = [(one.at, ENGAGE, _data(one)) for one in waiting]
        news += entries
        head = BEGINNING

        def lines(end: Ending) -> list[bytes]:
            nonlocal head
            news[:0] = [(news[0][0], *entry) for entry in healing(end)]
            found, head = linked(news, before.seq + 1, before.head)
            return found

        extend(self.path, lines)
        self._memory.keep(Remembered(seq=before.seq + len(news), head=head, at=news[-1][0]))
        with suppress(OSError):
            for entry in waiting:
                (self._waiting / entry.waited).unlink(missing_ok=True)
            self._waiting.rmdir()

    def _wait(self, data: dict[str, Any], at: datetime) -> None:
        """Lay an engagement beside the log, where it counts at once."""
        name = f"{at:%Y%m%dT%H%M%S%f}-{os.getpid()}-{time.monotonic_ns()}.json"
        write_atomic(self._waiting / name, msgspec.json.encode({**data, "at": at}) + b"\n")

    def _remembered(self) -> list[str]:
        """Return the hashes of the last lines that are remembered of the log, here and in its files."""
        remembered = [last_of(self._good)]
        with suppress(ArtefactError):
            remembered += self._memory.read()
        return sorted({last.head for last in remembered if last.seq >= 0})

    def _set_aside(self, fault: str, at: datetime) -> str:
        """Move what is left of the log aside, kept as evidence, and return what the new log says of it."""
        if not os.path.lexists(self.path):
            return fault
        aside = self.path.with_name(f"{self.path.stem}.broken-{at:%Y%m%dT%H%M%S%f}{self.path.suffix}")
        try:
            os.rename(self.path, aside)
        except OSError as error:
            raise EnvironmentFault(f"cannot move {self.path} aside: {why(error)}") from error
        return f"{aside.name} sha256={sha256_of(aside)}: {fault}"

    def _carry_over(self) -> Known:
        """Enter into a new log what the files of an earlier version say; where that cannot be written, only read it."""
        with self._alone(ENGAGE_S) as fault, suppress(EnvironmentFault):
            if not fault or os.path.lexists(self.path):
                return self._current()
        links, _ = linked(self._earlier.entries(), 0, BEGINNING)
        told = read_on(Known(), self.path, NewLinks(links, b"", Place(), Place()))
        return with_waiting(told, self._beside(), "")

    def _current(self) -> Known:
        """Return what the log says now, made first of what an earlier version left; the lock is held.

        Raises:
            EnvironmentFault: that cannot be written.
        """
        if self._earlier.pending(self.path, *self._memory.files) and (entries := self._earlier.entries()):
            self._add(Known(), entries)
            self._earlier.set_aside()
        return self._read()

    @contextmanager
    def _alone(self, wait_s: float) -> Iterator[str]:
        """Hold the log's lock in the block; where it cannot be had, yield why and run the block without it."""
        with ExitStack() as stack:
            fault = ""
            try:
                stack.enter_context(locked(self.path, wait_s))
            except EnvironmentFault as error:
                fault = str(error)
            yield fault

    def _key(self) -> object:
        """Return what tells whether anything changed on the disk."""
        watched = (self.path, *self._memory.files, *self._earlier.files)
        return tuple(map(stamp, watched)), tuple(_names(self._waiting))

    def _read(self) -> Known:
        """Return what the log says now, its new lines verified and compared with what is remembered."""
        beside, known, fault = self._beside(), Known(), ""
        try:
            remembered = self._memory.read()  # before the log, which is written first
            known = self._lines()
            fault = _lacking(self.path, known, [*remembered, last_of(self._good)])
            if remembered and not fault and (told := let_go(known.entries, max(one.seq for one in remembered))):
                fault = f"{self.path}: {told}"
        except (ArtefactError, EnvironmentFault) as error:
            fault = str(error)
        if not fault:
            self._good = known
        return with_waiting(known, beside, fault)

    def _lines(self) -> Known:
        """Return the whole lines; those that were verified before are not read again, but for the last of them."""
        good = self._good  # of one moment: another thread may read on meanwhile
        try:
            found = news(self.path, good.place)
        except FileNotFoundError:
            return Known()
        except OSError as error:
            raise EnvironmentFault(f"cannot read {self.path}: {why(error)}") from error
        return read_on(good if found.begin.size else Known(), self.path, found)

    def _beside(self) -> list[HaltEntry]:
        """Return the engagements that lie beside the log; one that cannot be read counts as well."""
        found = []
        for name in _names(self._waiting):
            told: dict[str, Any] = {"seq": -1, "kind": ENGAGE}
            try:
                told |= msgspec.json.decode(read_plain(self._waiting / name), type=dict[str, Any])
                found.append(msgspec.convert({**told, "waited": name}, HaltEntry))
            except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                if isinstance(error, FileNotFoundError) and name != _UNLISTED:  # it is in the log now
                    continue
                told_why = f"an engagement beside the log, {self._waiting / name}, cannot be read: {why(error)}"
                found.append(closing(-1, told_why, waited=name))
        return found


def _lacking(path: Path, known: Known, remembered: Iterable[Remembered]) -> str:
    """Return what the log lacks of what it is known to have held, empty when it is whole.

    A log that a person began anew in its place, by engaging the kill switch, need not hold it. It says what it replaces, as
    the machine's clock may have been set back meanwhile.
    """
    first = known.entries[0] if known.entries else None
    for last in remembered:
        if last.seq < 0 or (last.seq < len(known.entries) and known.entries[last.seq].digest == last.head):
            continue
        if first is not None and first.set_aside and (last.head in first.replaces or first.at >= last.at):
            continue
        had = f"it held {last.seq + 1} entries, the last with the hash {last.head[:16]}…"
        if first is None:
            return f"{path} is gone or empty; {had}"
        return (
            f"{path} is not what it was: {had}, now {len(known.entries)}; an older or another file was put in its place"
        )
    return ""


def _data(entry: HaltEntry) -> dict[str, Any]:
    """Return what a line of the log says of an engagement that waited."""
    return {"by": entry.by, "reason": entry.reason, "state": entry.state, "waited": entry.waited}


def _names(folder: Path) -> list[str]:
    """Return the files in a folder in the order in which they came; one that cannot be listed holds something."""
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return []
    except OSError:
        return [_UNLISTED]
