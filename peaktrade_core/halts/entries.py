"""What the log of halts says: its entries, and the trading states that follow from them. No file is opened here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from peaktrade_core.base.chain import BEGINNING, HEALED, Link, NewLinks, Place, verified
from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ArtefactError, why
from peaktrade_core.halts.scope import ENGAGE, GLOBAL, REFUSAL, REQUEST, STATES, TradingState
from peaktrade_core.workspace.memory import Remembered

PROGRAM = "peaktrade"
GO_ON = (
    "Keep a copy for the risk officer and find out who changed it. `peaktrade killswitch engage` then sets aside what is "
    "left of the log and begins a new one; after that two people may release"
)


class HaltEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log.

    Attributes:
        seq: its number; at: when, aware UTC.
        kind: what was done, to the kill switch or (``halt``, ``resume``) to one scope.
        scope: of what; state: what was in force there after it.
        by, reason: who and why; checks: the health check before a release, id to status.
        digest: SHA-256 of the line, empty while it is not a whole line of the log.
        set_aside: in the first line of a new log, what became of the one before; replaces: the hashes of the last lines
            that were remembered of that.
        waited: the file in which an engagement waited for the log.
        request: under which what is let go was signed; empty where names were typed, which ``by`` says.
    """

    seq: int
    at: datetime
    kind: Literal["engage", "request", "refusal", "release", "halt", "resume"]
    by: str
    reason: str
    state: Literal["ACTIVE", "REDUCING", "HALTED", "NO_ORDERS"]
    digest: str = ""
    scope: str = GLOBAL.text
    checks: dict[str, str] = {}
    set_aside: str = ""
    replaces: tuple[str, ...] = ()
    waited: str = ""
    request: str = ""


class Known(NamedTuple):
    """The log as it was read.

    Attributes:
        entries: its whole lines; waiting: what counts and is none of them yet: an unfinished line, engagements beside it.
        states: of every scope that is named; fault: why nothing of it counts, empty as a rule.
        ledger: why nothing may be sent, whatever the log says: the ledger of the workspace is not what it was.
        place: how far it was read; torn: whether a line is unfinished.
    """

    entries: tuple[HaltEntry, ...] = ()
    waiting: tuple[HaltEntry, ...] = ()
    states: Mapping[str, TradingState] = {}
    fault: str = ""
    ledger: str = ""
    place: Place = Place()
    torn: bool = False

    @property
    def doubt(self) -> str:
        """Why nothing may be sent, whatever the entries say; empty as a rule."""
        return self.fault or self.ledger

    def of_switch(self) -> tuple[HaltEntry, ...]:
        """Return what happened to the kill switch, oldest first."""
        return tuple(entry for entry in (*self.entries, *self.waiting) if entry.scope == GLOBAL.text)

    def state(self, scope: str) -> TradingState:
        """Return the state of a scope: ACTIVE when nothing was ever said, NO_ORDERS when log or ledger cannot be trusted."""
        told = f"{self.fault}; failing closed. {GO_ON}" if self.fault else self.ledger
        if told:
            return TradingState(scope=scope, state="NO_ORDERS", by=PROGRAM, reason=told)
        return self.states.get(scope) or TradingState(scope=scope)


def read_on(before: Known, path: Path, found: NewLinks) -> Known:
    """Return the log with what was added to it, verified.

    Raises:
        ArtefactError: one of them breaks the chain or makes no sense.
    """
    last = last_of(before)
    links = verified(path, found.lines, last.seq + 1, last.head)
    try:
        news = [_entry(link, digest) for link, digest in links]
    except (msgspec.ValidationError, RecursionError) as error:
        raise ArtefactError(f"{path}: a line makes no sense: {why(error)}") from None
    return Known(
        entries=(*before.entries, *news), states=_fold(before.states, news), place=found.end, torn=bool(found.torn)
    )


def with_waiting(known: Known, beside: Iterable[HaltEntry], fault: str) -> Known:
    """Return the log with what counts besides its whole lines."""
    entered = {entry.waited for entry in known.entries if entry.waited}
    why = "a line of the log is unfinished, its writer died; it may have been an engagement"
    waiting = [closing(-1, why)] if known.torn else []
    waiting += [entry for entry in beside if entry.waited not in entered]
    numbered = tuple(
        msgspec.structs.replace(entry, seq=number) for number, entry in enumerate(waiting, len(known.entries))
    )
    return known._replace(waiting=numbered, states=_fold(known.states, numbered), fault=fault)


def _fold(states: Mapping[str, TradingState], entries: Iterable[HaltEntry]) -> Mapping[str, TradingState]:
    """Return the states after some more entries; an engagement never loosens."""
    found = dict(states)
    for entry in entries:
        if entry.kind in (REQUEST, REFUSAL):
            continue
        state: str = entry.state
        if entry.kind == ENGAGE and entry.scope in found:
            state = max(state, found[entry.scope].state, key=STATES.index)
        found[entry.scope] = TradingState(
            scope=entry.scope, state=state, by=entry.by, reason=entry.reason, since=entry.at, audit=entry.digest
        )
    return found


def let_go(entries: Sequence[HaltEntry], remembered: int) -> str:
    """Return which entry lets something go that nobody remembers, in words; empty where none does.

    Its writer died before it was remembered, or somebody appended it by hand: both look the same, so it does not count.

    Args:
        entries: the whole log; remembered: the number of the last entry that is remembered.
    """
    states = _fold({}, entries[: remembered + 1])
    for entry in entries[remembered + 1 :]:
        after = _fold(states, (entry,))
        before, now = (
            STATES.index(found[entry.scope].state) if entry.scope in found else 0 for found in (states, after)
        )
        if now < before:
            return f"entry {entry.seq + 1} lets {entry.scope} go ({entry.by}), and nobody remembers that it was written"
        states = after
    return ""


def last_of(known: Known) -> Remembered:
    """Return the last whole line of the log; number -1 where there is none."""
    if not known.entries:
        return Remembered(seq=-1, head=BEGINNING, at=EPOCH)
    last = known.entries[-1]
    return Remembered(seq=last.seq, head=last.digest, at=last.at)


def _entry(link: Link, digest: str) -> HaltEntry:
    """Return a line of the chain as an entry."""
    if link.kind == HEALED:
        why = "a line of the log was left unfinished, its writer died; it may have been an engagement"
        return msgspec.structs.replace(closing(link.seq, why), at=link.at, digest=digest)
    told = {**link.data, "seq": link.seq, "at": link.at, "kind": link.kind, "digest": digest}
    return msgspec.convert(told, HaltEntry)


def closing(seq: int, why: str, waited: str = "") -> HaltEntry:
    """Return an engagement in the name of the program: something may have been one."""
    now = datetime.now(UTC)
    return HaltEntry(
        seq=seq, at=now, kind="engage", by=PROGRAM, reason=why, state="NO_ORDERS", scope=GLOBAL.text, waited=waited
    )
