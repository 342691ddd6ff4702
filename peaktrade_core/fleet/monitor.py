"""Watching runs from a terminal: totals over many, what is new in one, and an event as one line.

Follows a journal by reading only what was added since the last look; what is still being written waits for the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from peaktrade_core.base.clock import moved
from peaktrade_core.base.files import open_plain
from peaktrade_core.runs.run import ACTIVE, Run
from peaktrade_core.runs.telling import kind_of, text_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import REALIZED, TOTAL, figure, moment, money, signed
from peaktrade_core.trading.events import AnyEvent, BarDone

_MOST = 8 << 20  # bytes taken at one look; more is passed over, and said
_LINE = 1 << 20  # no line of a journal is longer [bytes]


class MonitorTotals(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs there are of each kind, and how many of their orders were denied."""

    runs: int = 0
    running: int = 0
    silent: int = 0
    died: int = 0
    blocked: int = 0


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of an overview and their totals."""

    at: datetime
    totals: MonitorTotals
    runs: list[Run]


def overview(views: Views, *, include_inactive: bool = False, max_age_h: float | None = None) -> Overview:
    """Return the runs worth a look: those that live or died unseen, and on request those that ended.

    Args:
        views: the read side.
        include_inactive: also runs that ended.
        max_age_h: only runs that were active within so many hours; implies ``include_inactive``.
    """
    now = views.now()
    rows = views.runs()
    if max_age_h is not None:
        since = moved(now, hours=-max_age_h)
        rows = [row for row in rows if row.state in ACTIVE or _last(row, now) >= since]
    elif not include_inactive:
        rows = [row for row in rows if row.state in (*ACTIVE, "died")]
    return Overview(at=now, totals=totals(rows), runs=rows)


def totals(rows: Sequence[Run]) -> MonitorTotals:
    """Return how many runs there are of each kind, and how many orders were denied."""
    states = [row.state for row in rows]
    return MonitorTotals(
        runs=len(rows),
        running=states.count("running"),
        silent=states.count("silent"),
        died=states.count("died"),
        blocked=sum(row.orders_blocked or 0 for row in rows),
    )


def _last(row: Run, now: datetime) -> datetime:
    """Return when a run was last heard of; one that cannot be read counts as just now, so that it is seen."""
    return row.last_event_at or row.ended_at or row.started_at or now


class Follower:
    """What is new in a journal since the last look.

    Args (of the constructor):
        path: the journal; it may not be there yet.
        from_end: pass over what is in it now.

    Attributes:
        broken: lines that cannot be read.
    """

    def __init__(self, path: Path, *, from_end: bool = True) -> None:
        self._path = path
        self._decode = msgspec.json.Decoder(AnyEvent).decode
        self.broken = self._at = 0
        if from_end:
            start = max(0, self._size() - _LINE)
            self._at = start + self._read(start).rfind(b"\n") + 1

    def new(self) -> list[AnyEvent]:
        """Return the events added since the last call, oldest first; nothing when there is no journal yet."""
        size = self._size()
        if size <= self._at:
            self._at = size  # a commit that failed was taken back
            return []
        too_much = size - self._at - _MOST
        if too_much > 0:
            self._at += too_much
        data = self._read(self._at)
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return list(self._events(whole.split(b"\n")[too_much > 0 :]))

    def _read(self, start: int) -> bytes:
        """Return the journal from an offset on."""
        try:
            with open_plain(self._path) as file:
                file.seek(start)
                return file.read(_MOST) or b""
        except OSError:
            return b""

    def _events(self, lines: Iterable[bytes]) -> Iterable[AnyEvent]:
        for line in lines:
            try:
                yield self._decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.broken += bool(line.strip())

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0


def line_of(event: AnyEvent) -> str:
    """Return an event as one line; a bar as the operators know it: step, time, signal, equity."""
    at = moment(event.ts)
    if isinstance(event, BarDone):
        line = f"Step {event.step} | {at} | Signal: {event.signal} | Equity: {money(event.equity)}"
        total = event.realized_pnl + event.unrealized_pnl
        line += f" | Pos: {figure(event.position_size)} | {TOTAL}: {signed(total)} | {REALIZED}: {signed(event.realized_pnl)}"
        return line + (f" | denied: {', '.join(event.risk_reasons)}" if event.risk_reasons else "")
    return f"{kind_of(event):<10} | {at} | {text_of(event)}"
