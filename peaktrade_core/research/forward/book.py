"""Forward signals as they were written: before their outcome, one sealed record each, its hash in the ledger.

The time of a signal is the clock's at the moment of writing; nobody gives it. It is written only between the close of its
bar and the close of the next. A clock behind the ledger, or candles from after now, are refused: the future is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from peaktrade_core.base.chain import Chain
from peaktrade_core.base.clock import EPOCH, iso
from peaktrade_core.base.errors import ArtefactError, DataError, EnvironmentFault, why
from peaktrade_core.base.files import found_in, sha256_of
from peaktrade_core.base.log import locked
from peaktrade_core.base.question import FAIL, Check, Found, question
from peaktrade_core.base.sealed import ADOPTED, SealedRecords
from peaktrade_core.show.wording import moment
from peaktrade_core.workspace.ledger import FORWARD, Ledger
from peaktrade_core.workspace.workspace import Workspace

WRITTEN = "signal"  # kind of an entry
TOLERANCE_S = 5.0  # by which a clock may be behind the ledger: two processes ask it one after the other
_SHOWN = 5


class ForwardSignal(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision wanted to hold at the close of a bar, written before anybody could know what became of it.

    Attributes:
        signal_id: of decision, market and bar; preset: whose component it is, empty for none.
        strategy, params, symbol, timeframe, tier: what decided; decision_id: with its limits, costs and code.
        signal, before: -1, 0 or 1 at that close, and at the close before.
        closed_at, close: of the bar, aware UTC and [quote ccy]; bar_s: its length [s].
        bars, data_sha256: that were looked at; candles: where they lie, null for the store.
        cost: of a change of position by its notional, fee and slippage [fraction].
        by, written_at: who and when, aware UTC; rehearsal: under a fixed clock, which proves nothing.
    """

    signal_id: str
    strategy: str
    params: dict[str, Any]
    symbol: str
    timeframe: str
    tier: str
    decision_id: str
    preset: str = ""
    signal: int
    before: int | None
    closed_at: datetime
    close: float
    bar_s: float
    bars: int
    data_sha256: str
    candles: str | None = None
    cost: float
    by: str
    written_at: datetime
    rehearsal: bool = False

    @property
    def series(self) -> tuple[str, str, str]:
        """The decision and market whose signals follow each other."""
        return self.decision_id, self.symbol, self.timeframe


class ForwardBook:
    """The forward signals of a workspace: ``reports/forward/<id>.json``, and a section of the ledger over them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.folder = workspace.reports / "forward"
        self.sealed = SealedRecords(self.folder, Ledger.of(workspace).section(FORWARD))

    def write(self, signal: ForwardSignal) -> tuple[ForwardSignal, bool]:
        """Write a signal now, and return it and whether it is new: one that was written before stays.

        Raises:
            EnvironmentFault: it cannot be written.
            ArtefactError: the ledger cannot be trusted, or the signal that is there cannot be read.
            DataError: its bar has not closed, or the next one has, too.
        """
        path = self.folder / f"{signal.signal_id}.json"
        with locked(self.folder / "signals.jsonl"):
            self.sealed.settle(path)
            if path.exists():
                return self.load(signal.signal_id), False
            now = self._workspace.clock.now()
            signal = msgspec.structs.replace(signal, written_at=now, rehearsal=self._workspace.rehearsal)
            if late := not_open(signal.closed_at, signal.bar_s, now):
                raise DataError(late)
            self.sealed.seal(WRITTEN, path, signal, now, closed_at=iso(signal.closed_at), bar_s=signal.bar_s)
        return signal, True

    def load(self, signal_id: str) -> ForwardSignal:
        """Return a signal.

        Raises:
            ArtefactError: it cannot be read.
        """
        path = self.folder / f"{signal_id}.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=ForwardSignal)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ArtefactError(f"{path}: not a forward signal: {why(error)}") from None

    def signals(self) -> tuple[list[ForwardSignal], dict[str, str]]:
        """Return the signals that are as they were sealed, oldest first, and by id why the others say nothing.

        Raises:
            ArtefactError: the ledger cannot be trusted; EnvironmentFault: it cannot be read.
        """
        found, void = [], {}
        for signal_id, digest, odd in self._entries():
            path = self.folder / f"{signal_id}.json"
            if odd or (sha256_of(path) != digest and not self.sealed.pending(path, digest)):
                void[signal_id] = odd or "it is gone, or not as it was sealed"
                continue
            self.sealed.settle(path)
            try:
                found.append(self.load(signal_id))
            except ArtefactError as error:
                void[signal_id] = str(error)
        known = {one.signal_id for one in found} | void.keys()
        for path in found_in(self.folder, "fs_*.json"):
            if path.stem not in known:
                void[path.stem] = "it was never sealed"
        found.sort(key=lambda one: (one.written_at, one.signal_id))
        return found, void

    def _entries(self) -> Iterator[tuple[str, str, str]]:
        """Yield id and hash of each signal in the ledger, and what is odd about the time of its entry; first ones only."""
        seen = set()
        for link, _ in self.sealed.chain.links():
            if link.kind == WRITTEN and (name := str(link.data.get("id"))) not in seen:
                seen.add(name)
                try:
                    closed, bar_s = datetime.fromisoformat(link.data["closed_at"]), float(link.data["bar_s"])
                    odd = not_open(closed, bar_s, link.at)
                except (KeyError, TypeError, ValueError):
                    odd = "its entry does not say when its bar closed"
                yield name, str(link.data.get("sha256")), odd

    def odd(self) -> list[str]:
        """Return what nobody has answered for: odd times of entries, and files that have none; raises as :meth:`signals`."""
        entries = list(self._entries())
        answered = {str(link.data.get("id")) for link, _ in self.sealed.chain.links() if link.kind == ADOPTED}
        loose = {path.stem for path in found_in(self.folder, "fs_*.json")} - {name for name, _, _ in entries}
        past = set() if self._workspace.rehearsal else _back_dated(Ledger.of(self._workspace))
        return [
            *(f"{name}: its entry is earlier than one before it" for name in sorted(past - answered)),
            *(f"{name}: {odd}" for name, _, odd in entries if odd and name not in answered),
            *(f"{name}: it was never sealed; take it away" for name in sorted(loose)),
        ]


def require_clock(workspace: Workspace) -> None:
    """Refuse to write signals with a clock that is behind the ledger; in a rehearsal it always is.

    Raises:
        EnvironmentFault: it is: a signal would be back-dated. ArtefactError: the end of the ledger cannot be trusted.
    """
    last, now = Chain(Ledger.of(workspace).path).last(), workspace.clock.now()
    if last and not workspace.rehearsal and (last[0].at - now).total_seconds() > TOLERANCE_S:
        raise EnvironmentFault(
            f"the clock says {moment(now)} UTC, and the last entry of the ledger was made at {moment(last[0].at)}: a signal "
            "written now would be back-dated. Set the clock right, then try again"
        )


def _back_dated(ledger: Ledger) -> set[str]:
    """Return the ids of signals whose entries are earlier than an entry that stands before them."""
    found, latest = set(), EPOCH
    for link, _ in ledger.links():
        if link.kind == f"{FORWARD}/{WRITTEN}" and (latest - link.at).total_seconds() > TOLERANCE_S:
            found.add(str(link.data.get("id")))
        latest = max(latest, link.at)
    return found


def not_open(closed_at: datetime, bar_s: float, now: datetime) -> str:
    """Return why a signal of a bar cannot be written at a time, empty where it can: after its close, before the next."""
    late = (now - closed_at).total_seconds()
    if late < 0.0:
        return f"the bar closes at {moment(closed_at)} UTC, and it is {moment(now)}: it has not closed"
    if late >= bar_s:
        return (
            f"the last bar closed at {moment(closed_at)} UTC, and the one after it has closed, too: what became of it is known; "
            "`peaktrade exchange fetch` gets the newest"
        )
    return ""


_STEP = (
    "Restore it from a backup and open an incident: signals were changed or back-dated. What they say proves nothing."
)


@question("forward_chain", "Is every forward signal as it was written, before its outcome?", _STEP)
def forward_check(place: Workspace) -> Found:
    """Compare every forward signal with the ledger, and the time of its entry with its bar."""
    book = ForwardBook(place)
    found = book.sealed.check(forward_check.id, forward_check.text, _STEP)
    if not (wrong := book.odd()):
        return found
    told = "; ".join([*wrong[:_SHOWN], *([found.evidence] if found.status == FAIL else [])])
    return Check(id=found.id, question=found.question, status=FAIL, evidence=told, next_step=_STEP)
