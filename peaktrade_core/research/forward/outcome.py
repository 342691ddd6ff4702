"""What became of forward signals, with the bars that are known now.

A position is entered at the open of the first bar that begins after its signal was written, and held until the same of
the next signal of the same decision on the same market. So outcomes do not overlap, and nothing before the writing counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import DataError
from peaktrade_core.candles.files.cleaning import read_clean
from peaktrade_core.candles.store import stored_folder
from peaktrade_core.research.forward.book import ForwardBook, ForwardSignal
from peaktrade_core.show import wording
from peaktrade_core.trading.market import Bars
from peaktrade_core.workspace.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAITING, OPEN, DONE, VOID = "waiting", "open", "done", "void"
LEAST_DAYS = 50  # independent UTC days below which nothing is said of a mean


class SignalOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one signal.

    Attributes:
        signal_id: whose; signal: as it was written, null where it cannot be believed.
        state: ``waiting`` for a bar, ``open`` while no other signal followed, ``done``, or ``void``.
        entered_at, entry, until, exit: aware UTC and [quote ccy]; market: what the market did meanwhile [fraction].
        net: what the signal gained, less fee and slippage of changing the position from the one before [fraction].
        note: why it is void or waiting, or that its entry was late for want of candles.
    """

    signal_id: str
    signal: ForwardSignal | None = None
    state: str
    entered_at: datetime | None = None
    entry: float | None = None
    until: datetime | None = None
    exit: float | None = None
    market: float | None = None
    net: float | None = None
    note: str = ""


class SeriesOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the signals of one decision on one market.

    Attributes:
        strategy, symbol, timeframe, decision_id: whose; signals: written; done: with an outcome; open: without one yet.
        hits: of those done that were not flat, how many gained; positions: how many that is.
        net, market: sums over those done [fraction]; days: UTC days on which one began.
        says: what can be said of it: too few days, or mean and how sure it is.
    """

    strategy: str
    symbol: str
    timeframe: str
    decision_id: str
    signals: int
    done: int
    open: int
    hits: int
    positions: int
    net: float
    market: float
    days: int
    says: str


class Evaluation(NamedTuple):
    """Outcomes, the newest signal first, and what they come to for each decision and market."""

    outcomes: list[SignalOutcome]
    series: list[SeriesOutcome]


def evaluate(workspace: Workspace, since: datetime) -> Evaluation:
    """Return what became of the signals that were written at ``since`` or later.

    Those of a rehearsal count in a rehearsal alone. What is not as it was sealed, or was not written in its time, is void.

    Raises:
        ArtefactError: the ledger cannot be trusted; EnvironmentFault: it cannot be read.
    """
    found, void = ForwardBook(workspace).signals()
    groups: dict[tuple[str, str, str], list[ForwardSignal]] = {}
    for one in found:
        if one.rehearsal and not workspace.rehearsal:
            void[one.signal_id] = "it was written under a fixed clock, so it proves nothing"
        else:
            groups.setdefault(one.series, []).append(one)
    now, outcomes, series = workspace.clock.now(), list[SignalOutcome](), list[SeriesOutcome]()
    for signals in groups.values():
        known = _follow(workspace, signals, now)
        wanted = [one for one in known if one.signal and one.signal.written_at >= since]
        if wanted:
            outcomes += wanted
            series.append(_sum(wanted))
    outcomes.sort(key=lambda one: (one.signal.written_at if one.signal else since, one.signal_id), reverse=True)
    outcomes += [SignalOutcome(signal_id=name, state=VOID, note=why) for name, why in sorted(void.items())]
    return Evaluation(outcomes, sorted(series, key=lambda one: (one.strategy, one.symbol, one.timeframe)))


def _follow(workspace: Workspace, signals: Sequence[ForwardSignal], now: datetime) -> list[SignalOutcome]:
    """Return the outcomes of the signals of one decision on one market, oldest first."""
    try:
        bars = _bars(workspace, signals[0], now)
    except DataError as error:
        return [SignalOutcome(signal_id=one.signal_id, signal=one, state=WAITING, note=str(error)) for one in signals]
    at = [int(np.searchsorted(bars.ts, one.written_at.timestamp())) for one in signals]
    ends = [*at[1:], len(bars)]
    found, held = [], 0
    for one, begin, end in zip(signals, at, ends, strict=True):
        if begin >= len(bars):
            due = f"no bar that begins after {utc(one.written_at)} has closed"
            found.append(SignalOutcome(signal_id=one.signal_id, signal=one, state=WAITING, note=due))
            continue
        found.append(_outcome(one, bars, begin, end, held))
        held = one.signal
    return found


def _outcome(one: ForwardSignal, bars: Bars, begin: int, end: int, held: int) -> SignalOutcome:
    """Return what became of a signal between two bars; ``end`` is the bar of the next signal, or behind the last."""
    entry, done = float(bars.ohlcv[begin, 0]), end < len(bars)
    out = float(bars.ohlcv[end, 0] if done else bars.ohlcv[-1, 3])
    until = float(bars.ts[end] if done else bars.ts[-1] + one.bar_s)
    market = out / entry - 1.0
    late = (float(bars.ts[begin]) - one.written_at.timestamp()) / one.bar_s
    return SignalOutcome(
        signal_id=one.signal_id, signal=one, state=DONE if done else OPEN, entered_at=from_seconds(float(bars.ts[begin])),
        entry=entry, until=from_seconds(until), exit=out, market=market,
        net=one.signal * market - one.cost * abs(one.signal - held),
        note=f"entered {wording.many(int(late), 'bar')} late: candles are missing" if late >= 1.0 else "",
    )  # fmt: skip


def _bars(workspace: Workspace, one: ForwardSignal, now: datetime) -> Bars:
    """Return the closed bars of a signal's market.

    Raises:
        DataError: there are none, or they cannot be read.
    """
    path = Path(one.candles) if one.candles else stored_folder(workspace, one.symbol, one.timeframe)
    rows = read_clean(path, symbol=one.symbol, bar_s=one.bar_s)
    at = int(np.searchsorted(rows.ts, now.timestamp() - one.bar_s, "right"))
    return Bars(rows.ts[:at], rows.ohlcv[:at], "closed")


def _sum(outcomes: Sequence[SignalOutcome]) -> SeriesOutcome:
    """Return what the outcomes of one decision on one market come to; those that are still open are left out."""
    first = outcomes[0].signal
    assert first is not None
    done = [one for one in outcomes if one.state == DONE]
    taken = [one for one in done if one.signal and one.signal.signal]
    net = np.array([one.net or 0.0 for one in done])
    days = len({one.entered_at.date() for one in done if one.entered_at})
    return SeriesOutcome(
        strategy=first.strategy, symbol=first.symbol, timeframe=first.timeframe, decision_id=first.decision_id,
        signals=len(outcomes), done=len(done), open=len(outcomes) - len(done),
        hits=sum((one.net or 0.0) > 0.0 for one in taken), positions=len(taken), net=float(net.sum()),
        market=sum(one.market or 0.0 for one in done), days=days, says=_said(net, days),
    )  # fmt: skip


def _said(net: NDArray[np.float64], days: int) -> str:
    """Return what can be said of outcomes: of few days nothing."""
    if days < LEAST_DAYS:
        return f"too few to say anything: {days} of {LEAST_DAYS} independent days"
    error = float(net.std(ddof=1)) / len(net) ** 0.5
    return f"mean {wording.figure(100.0 * net.mean(), 3, plus=True)} % a signal, standard error {100.0 * error:.3f} %"
