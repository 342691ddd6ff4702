"""Why a session's PnL is not what was expected: where it first differs, trade by trade, and cause by cause in money.

The expectation is a backtest of the same bars or another session. Starting from it, one ingredient after the other is
exchanged for the session's own - bars, signals and settings, what denied and halted, slippage, fee - and the decision
code is run again each time. What the PnL changes by at each exchange is that cause's share; what is left at the end is
the rest, so the shares add up to the whole difference to the last digit. The order of the exchanges decides where an
interaction of two causes is booked: with the later one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.base.errors import ArtefactError
from peaktrade_core.research.divergence_events import FirstDifference, TradePair, exact, first_difference, pair_trades
from peaktrade_core.research.divergence_words import controls_say, data_says, logic_says
from peaktrade_core.research.recorded_bars import RecordedBar
from peaktrade_core.research.replay_limits import Replay, recorded_bars, recorded_limits, recorded_market
from peaktrade_core.runs.execution import Costs, costs_of, executions
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.market import Bar, timeframe_seconds
from peaktrade_core.trading.records import SessionConfig
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.statistics import trades
from peaktrade_core.trading.tally import Tally

DATA, LOGIC, CONTROLS, SLIPPAGE, FEE, REST = "data", "logic", "controls", "slippage", "fee", "rest"
CAUSES = (DATA, LOGIC, CONTROLS, SLIPPAGE, FEE, REST)
UNLIMITED = {name: 1e15 for name in Limits._field_defaults if name.startswith("max_") or name == "price_collar_pct"}
FROM_POSITIONS = (
    "It was imported: its signals and limits are not known. The signals are those that its positions imply, limits were "
    "not asked, and what its own fills made of them elsewhere is the rest."
)

Signals = Callable[[Sequence[Bar]], list[float]]
Controls = Mapping[float, RecordedBar]


class CauseShare(msgspec.Struct, frozen=True, kw_only=True):
    """One cause's share of the difference.

    Attributes:
        amount: session - expectation [quote ccy]; bps: of the start balance.
        says: what is behind it; known: False where it cannot be told apart, and then ``says`` why.
    """

    cause: str
    amount: Decimal
    bps: float
    says: str
    known: bool = True


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """A session beside what was expected of it.

    Attributes:
        against: what it is compared with; bars: how many the session worked off.
        recorded_pnl, expected_pnl, whole: at the last bar, open position marked; whole is their difference [quote ccy].
        relative: size of the whole as a share of the expectation's [fraction], None where that is 0.
        parts: by cause in the order of :data:`CAUSES`; they add up to ``whole`` exactly.
        first: the first event that differs, None where none does.
        pairs: round trips of both, side by side; open_difference: what open positions differ by [quote ccy].
        costs: of the session's executions; notes: what limits the comparison.
    """

    session_id: str
    against: str
    bars: int
    start_balance: float
    recorded_pnl: Decimal
    expected_pnl: Decimal
    whole: Decimal
    relative: float | None
    parts: tuple[CauseShare, ...]
    first: FirstDifference | None
    pairs: tuple[TradePair, ...]
    open_difference: Decimal
    costs: Costs
    notes: tuple[str, ...] = ()

    def part(self, cause: str) -> CauseShare:
        """Return the share of one cause."""
        return next(part for part in self.parts if part.cause == cause)

    @property
    def explained(self) -> bool:
        """Whether causes explain it wholly: there is no rest."""
        return not self.part(REST).amount and (self.first is None or self.first.cause != REST)

    @property
    def main(self) -> str:
        """The cause with the largest share, an empty string where nothing differs."""
        largest = max(self.parts, key=lambda part: abs(part.amount))
        return largest.cause if largest.amount else ""


class Expectation(NamedTuple):
    """What a session is held against.

    Attributes:
        name: in words; config: its settings and costs.
        bars: it trades over, after its warm-up, in order; None takes the session's own, its data cannot be checked.
        signals: its logic over bars; None takes the session's recorded signals, its logic cannot be checked.
        controls: what denied and halted it, by the bar's open [s since epoch]; empty for a backtest.
        pnl: what it recorded itself [quote ccy], None for a backtest.
        notes: what limits it.
    """

    name: str
    config: SessionConfig
    bars: Sequence[Bar] | None
    signals: Signals | None
    controls: Controls = MappingProxyType({})
    pnl: float | None = None
    notes: tuple[str, ...] = ()


class Played(NamedTuple):
    """A run of the decision code: what it decided at each bar, the ends of the bars, and the PnL [quote ccy]."""

    told: list[list[ev.AnyEvent]]
    done: list[ev.BarDone]
    pnl: Decimal

    @property
    def fills(self) -> list[ev.Fill]:
        """Its executions."""
        return [event for events in self.told for event in events if isinstance(event, ev.Fill)]


class Recorded(NamedTuple):
    """A session as its journal tells: settings, whole bars, all events, and its PnL at the last bar [quote ccy]."""

    session_id: str
    config: SessionConfig
    bars: list[RecordedBar]
    events: list[ev.AnyEvent]
    pnl: Decimal

    @property
    def candles(self) -> list[Bar]:
        """Its bars."""
        return [bar_of(bar.done) for bar in self.bars]

    @property
    def controls(self) -> dict[float, RecordedBar]:
        """Its bars by their open."""
        return {bar.done.ts_bar.timestamp(): bar for bar in self.bars}

    def outside(self, expected: Expectation) -> Controls:
        """Return what the world did to an expected run: its own controls, else the funding that fell due, which is data."""
        paid = {ts: RecordedBar(bar.done, [*bar.funding]) for ts, bar in self.controls.items() if bar.funding}
        return expected.controls or paid


def read_recorded(session_id: str, config: SessionConfig, events: Iterable[ev.AnyEvent]) -> Recorded:
    """Return a session as :func:`diverge` takes it.

    Raises:
        ArtefactError: its journal holds no bar.
    """
    listed = list(events)
    tally = Tally(config.start_balance)
    bars = list(recorded_bars(listed, tally))
    if not bars:
        raise ArtefactError(f"the journal of {session_id} holds no bar; there is nothing to compare")
    return Recorded(session_id, config, bars, listed, exact(bars[-1].done.equity) - exact(config.start_balance))


def from_positions(session: Recorded) -> Recorded:
    """Return an imported session with the signals that its positions imply, one bar ahead, and without limits.

    Its fills stand at the end of their bar, as those of the decision code do.
    """
    held = [bar.done.position_size for bar in session.bars]
    wanted = [float((qty > 0.0) - (qty < 0.0)) for qty in (*held[1:], *held[-1:])]
    bars = [bar.as_if(signal) for bar, signal in zip(session.bars, wanted, strict=True)]
    return session._replace(bars=bars, config=msgspec.structs.replace(session.config, risk_limits=UNLIMITED))


def bar_of(done: ev.BarDone) -> Bar:
    """Return the bar that a journalled one was about."""
    return Bar(done.ts_bar.timestamp(), done.open, done.high, done.low, done.close, done.volume)


def diverge(session: Recorded, expected: Expectation) -> Divergence:
    """Compare a session with what was expected of it.

    Raises:
        ArtefactError: the recorded settings cannot be used.
    """
    theirs = session.candles if expected.bars is None else list(expected.bars)
    signals = _logic_of(session, expected)(theirs)
    outside = session.outside(expected)
    base = play(expected.config, theirs, signals, outside)
    expected_pnl = base.pnl if expected.pnl is None else exact(expected.pnl)
    whole = session.pnl - expected_pnl
    levels = [base.pnl, *_exchanged(session, expected, base.pnl), base.pnl + whole]
    mine = [event for bar in session.bars for event in bar.decided if isinstance(event, ev.Fill)]
    pairs = pair_trades(trades(mine), trades(base.fills))
    return Divergence(
        session_id=session.session_id,
        against=expected.name,
        bars=len(session.bars),
        start_balance=session.config.start_balance,
        recorded_pnl=session.pnl,
        expected_pnl=expected_pnl,
        whole=whole,
        relative=abs(float(whole / expected_pnl)) if expected_pnl else None,
        parts=_parts(levels, _says(session, expected, theirs), expected, session.config.start_balance),
        first=first_difference(session.bars, base.told, base.done, signals, outside),
        pairs=pairs,
        open_difference=whole - sum((pair.difference for pair in pairs), Decimal(0)),
        costs=costs_of(executions(session.events)),
        notes=expected.notes,
    )


def expected_run(session: Recorded, expected: Expectation) -> Played:
    """Return the run of the decision code that is expected."""
    bars = session.candles if expected.bars is None else list(expected.bars)
    return play(expected.config, bars, _logic_of(session, expected)(bars), session.outside(expected))


def _exchanged(session: Recorded, expected: Expectation, before: Decimal) -> list[Decimal]:
    """Return the PnL after each exchange: of the bars, the logic, the controls, the slippage and the fee [quote ccy]."""
    own, other, bars = session.config, expected.config, session.candles
    unpriced = msgspec.structs.replace(own, fee_bps=other.fee_bps, slippage_bps=other.slippage_bps)
    slipped = msgspec.structs.replace(own, fee_bps=other.fee_bps)
    recorded = [bar.signal for bar in session.bars]
    logic = _logic_of(session, expected)
    theirs = bars if expected.bars is None else list(expected.bars)
    outside = session.outside(expected)
    last: tuple[Any, ...] = (other, theirs, logic(theirs), outside)
    found = []
    for inputs in (
        (other, bars, logic(bars), outside),
        (unpriced, bars, recorded, outside),
        (unpriced, bars, recorded, session.controls),
        (slipped, bars, recorded, session.controls),
        (own, bars, recorded, session.controls),
    ):
        if _differ(inputs, last):
            before = play(*inputs).pnl
        last = inputs
        found.append(before)
    return found


def _differ(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Return whether two runs have different inputs; what costs and notes do not decide by is not looked at."""
    names = ("symbol", "timeframe", "start_balance", "position_fraction", "fee_bps", "slippage_bps")
    settings = [[getattr(c, n) for n in names] + [c.risk_limits, c.instrument] for c in (one[0], other[0])]
    return bool(settings[0] != settings[1] or one[1:3] != other[1:3] or one[3] != other[3])


def _parts(
    levels: Sequence[Decimal], says: Mapping[str, str], expected: Expectation, balance: float
) -> tuple[CauseShare, ...]:
    """Return the causes' shares: what the PnL changed by from one level to the next."""
    known = {DATA: expected.bars is not None, LOGIC: expected.signals is not None}
    return tuple(
        CauseShare(
            cause=cause,
            amount=after - before,
            bps=1e4 * float(after - before) / balance,
            says=says[cause],
            known=known.get(cause, True),
        )
        for cause, before, after in zip(CAUSES, levels[:-1], levels[1:], strict=True)
    )


def _logic_of(session: Recorded, expected: Expectation) -> Signals:
    """Return the expected logic; where there is none the session's own, which repeats what was recorded."""
    return expected.signals or _by_time(session.candles, [bar.signal for bar in session.bars])


def play(config: SessionConfig, bars: Sequence[Bar], signals: Sequence[float], controls: Controls) -> Played:
    """Run the decision code over bars, with given signals and what the world outside did at each of them.

    Args:
        config: settings, limits and costs; bars: to trade over; signals: one for each bar.
        controls: recorded bars whose halts, denials and refusals are repeated, by open [s since epoch].
    """
    replay = Replay(config, recorded_market(config), recorded_limits(config))
    bar_s = float(timeframe_seconds(config.timeframe))
    told, done = [], []
    for step, (bar, signal) in enumerate(zip(bars, signals, strict=True)):
        planned = _done(step, bar, bar_s, signal)
        recorded = controls.get(bar.ts) or RecordedBar(planned, [])
        events, end = replay.bar(recorded.instead(planned, signal))
        told.append(events)
        done.append(end)
    start = exact(config.start_balance)
    return Played(told, done, exact(done[-1].equity) - start if done else Decimal(0))


def _done(step: int, bar: Bar, bar_s: float, signal: float) -> ev.BarDone:
    """Return the end of a bar as far as it is known before it is traded."""
    opened, closed = from_seconds(bar.ts), from_seconds(bar.ts + bar_s)
    wanted = int(signal) if signal in (-1.0, 0.0, 1.0) else 0
    flat = (0.0, 0.0, 0.0, 0.0, 0.0)
    return ev.BarDone(0, closed, step, opened, *bar[1:], *flat, wanted, False, 0, 0, 0, 0, True, ())


def _by_time(bars: Sequence[Bar], signals: Sequence[float]) -> Signals:
    """Return a logic that repeats recorded signals, and holds still where none was recorded."""
    known = {bar.ts: signal for bar, signal in zip(bars, signals, strict=True)}

    def repeat(other: Sequence[Bar]) -> list[float]:
        found, last = [], 0.0
        for bar in other:
            last = known.get(bar.ts, last)
            found.append(last)
        return found

    return repeat


def _says(session: Recorded, expected: Expectation, theirs: Sequence[Bar]) -> dict[str, str]:
    """Return in words what is behind each cause."""
    own, other = session.config, expected.config
    return {
        DATA: data_says(session.candles, theirs) if expected.bars is not None else "no second source of these bars",
        LOGIC: logic_says(session.bars, expected.signals(session.candles), own, other)
        if expected.signals is not None
        else "the strategy could not be run again; the recorded signals were taken",
        CONTROLS: controls_say(session.events),
        SLIPPAGE: f"{own.slippage_bps:g} bps in the session, {other.slippage_bps:g} expected",
        FEE: f"{own.fee_bps:g} bps in the session, {other.fee_bps:g} expected",
        REST: "the journal against the decision code over the session's own inputs",
    }
