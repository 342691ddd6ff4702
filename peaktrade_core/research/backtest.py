"""A backtest: the decision code of a session, compiled, over columns of bars.

It gives what a session over the same bars journals - the same orders, fills, denials, account and metrics, to the last
bit - because it runs the same functions (:mod:`peaktrade_core.trading.engine`) and folds the same events
(:mod:`peaktrade_core.trading.tally`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import from_seconds, iso
from peaktrade_core.base.errors import DataError, StrategyError
from peaktrade_core.research.compiled import compile_run
from peaktrade_core.runs.trades import TradeRow, trade_rows
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.decision import Decision, Teller
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.records import Metrics
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.statistics import Statistic, Trade, statistics, trades
from peaktrade_core.trading.tally import Tally, fold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 32_768  # bars worked off at once, so that memory for the rows stays bounded


@dataclass(frozen=True, eq=False)
class BacktestResult(ev.Sorted):
    """What a backtest gave; each column has one value for each bar after the warm-up.

    Attributes:
        decision, warmup: what was run, and how many bars only warmed the strategy up.
        ts: opens of the bars [s since epoch]; close: their closes [quote ccy].
        signal: what the strategy wanted to hold.
        position: signed quantity after the bar [base units].
        cash, realized, unrealized, equity: at its close [quote ccy].
        gaps: bars missing before a bar that trades: (n, 3) float64, its open and those of the first missing bar and the count.
        rows: (m, 1 + engine.WIDTH) float64, what the decision code said, by bar; :attr:`events` reads it.
    """

    decision: Decision
    warmup: int
    ts: NDArray[np.float64]
    close: NDArray[np.float64]
    signal: NDArray[np.float64]
    position: NDArray[np.float64]
    cash: NDArray[np.float64]
    realized: NDArray[np.float64]
    unrealized: NDArray[np.float64]
    equity: NDArray[np.float64]
    gaps: NDArray[np.float64]
    rows: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def events(self) -> list[ev.AnyEvent]:
        """Orders, fills, denials, halts and changes of severity, as a session journals them.

        Only ``seq`` differs: it counts these events, as the bars' own are not among them.
        """
        return list(_events(self.rows, self.ts + self.decision.bar_s))

    @cached_property
    def metrics(self) -> Metrics:
        """The figures that the record of a session over the same bars shows."""
        return self._fold().metrics()

    @cached_property
    def trades(self) -> list[Trade]:
        """The round trips, flat to flat."""
        return trades(self.fills)

    @cached_property
    def trade_rows(self) -> list[TradeRow]:
        """The trades as the page of a session lists them, why each was opened and closed among them."""
        import numpy as np

        closes = self.ts + self.decision.bar_s
        wanted = self.signal.astype(int)
        before = np.concatenate([[0], wanted[:-1]])
        signals = [
            ev.Signal(0, from_seconds(float(closes[at])), float(wanted[at]), int(before[at]))
            for at in np.flatnonzero(wanted != before)
        ]
        events = sorted(
            [*signals, *self.events], key=lambda event: event.ts
        )  # the signal first: it is what led to them
        price, until = (float(self.close[-1]), from_seconds(float(closes[-1]))) if len(self) else (None, None)
        return trade_rows(events, price, until)

    def statistics(self, risk_free: float = 0.0) -> list[Statistic]:
        """Return the usual figures with their definitions; ``risk_free`` is an annual rate [fraction]."""
        return statistics(
            self.ts,
            self.equity,
            self.position,
            self.trades,
            start_balance=self.decision.start_balance,
            bar_s=self.decision.bar_s,
            risk_free=risk_free,
            close=self.close,
        )

    def _fold(self) -> Tally:
        """Fold the events with the session's own tally.

        Of the bars it needs those that set a figure: the peak before the largest drawdown, its trough, and the last.
        """
        start = ev.Start(0, from_seconds(0.0), ev.SCHEMA, {"start_balance": self.decision.start_balance})
        gaps = [
            ev.Gap(0, from_seconds(ts), from_seconds(first), from_seconds(ts - self.decision.bar_s), int(missing))
            for ts, first, missing in self.gaps.tolist()
        ]
        return fold([start, *gaps, *self.events, *map(self._bar, self._telling_bars())])

    def _telling_bars(self) -> list[int]:
        """Return the bars that set maximum drawdown and final figures, in order."""
        import numpy as np

        if not len(self):
            return []
        peak = np.maximum(np.maximum.accumulate(self.equity), self.decision.start_balance)
        trough = int(np.argmax(1.0 - self.equity / peak))
        top = int(np.argmax(self.equity[: trough + 1]))
        return sorted({top, trough, len(self) - 1})

    def _bar(self, at: int) -> ev.BarDone:
        """Return the event of one bar as far as metrics look at it."""
        opened, close = float(self.ts[at]), float(self.close[at])
        position, cash, equity, realized, unrealized = (
            float(column[at]) for column in (self.position, self.cash, self.equity, self.realized, self.unrealized)
        )
        now = from_seconds(opened + self.decision.bar_s)
        prices = (close, close, close, close, 0.0)
        account = (position, cash, equity, realized, unrealized)
        return ev.BarDone(
            0, now, at, from_seconds(opened), *prices, *account, int(self.signal[at]), False, 0, 0, 0, 0, True, ()
        )


def run_backtest(decision: Decision, bars: Bars, warmup: int, cache: Path | None = None) -> BacktestResult:
    """Run a strategy over bars, as a session would, only faster.

    Args:
        decision: strategy, market, limits, length of a bar and start balance.
        bars: candles on the grid of the timeframe; missing ones are counted as in a session.
        warmup: first bars, which only warm the strategy up [bars].
        cache: folder for compiled code (``.cache/numba`` of the workspace); None compiles anew in each process.

    Raises:
        DataError: fewer bars than the warm-up needs, or one that is off the grid.
        StrategyError: the strategy cannot be compiled, or raises.
    """
    import numpy as np

    if not len(bars):
        raise DataError("there are no bars to run over")
    if len(bars) < warmup:
        raise DataError(f"there are {len(bars)} bars, the warm-up needs {warmup}; use --warmup-candles")
    gaps = missing_bars(bars.ts, decision.bar_s)
    columns = np.empty((engine.TAPE, len(bars) - warmup))
    rows = _run(decision, bars, warmup, columns, cache)
    ts, close = bars.ts[warmup:], bars.ohlcv[warmup:, 3]
    signal, position, cash, realized, unrealized, equity = columns
    gaps = gaps[gaps[:, 0] >= ts.min(initial=np.inf)]  # like the steps, they count from the end of the warm-up
    return BacktestResult(decision, warmup, ts, close, signal, position, cash, realized, unrealized, equity, gaps, rows)


def _run(
    decision: Decision, bars: Bars, warmup: int, columns: NDArray[np.float64], cache: Path | None
) -> NDArray[np.float64]:
    """Fill ``columns`` chunk by chunk and return the rows, their bars counted from the end of the warm-up."""
    import numpy as np

    loop = CompiledLoop(decision, bars, warmup, cache, min(CHUNK, len(bars)))
    found = []
    for at in range(0, len(bars), CHUNK):
        to = min(at + CHUNK, len(bars))
        tape, rows = loop.run(at, to)
        columns[:, max(at, warmup) - warmup : max(to, warmup) - warmup] = tape.T
        found.append(rows.copy())
    return np.concatenate(found)


class CompiledLoop:
    """The decision code of one run as machine code, with the strategy's memory, the book and room for what comes out.

    Attributes:
        state, book: as they are after the bars that ran last; out: the rows of the last bar.
    """

    def __init__(self, decision: Decision, bars: Bars, warmup: int, cache: Path | None, most: int) -> None:
        """Make ready to run ``bars``, at most ``most`` of them at once.

        Raises:
            StrategyError: the strategy cannot be compiled.
        """
        import numpy as np

        self._decision, self._bars, self._warmup = decision, bars, warmup
        self.state = np.array(decision.new_state(), dtype=np.float64)
        self.book, self.out = np.array(bk.new_book(decision.start_balance)), np.array(engine.new_out())
        self._tape = np.zeros((most, engine.TAPE))
        self._rows = np.zeros((engine.ROWS * most, 1 + engine.WIDTH))
        kinds = [type(value) for value in Limits()]
        limits = tuple(kind(value) for kind, value in zip(kinds, decision.limits, strict=True))
        numbers = (tuple(decision.params), tuple(map(float, decision.market)), limits)
        self._compiled = compile_run(decision.strategy, numbers, cache)

    def run(self, at: int, to: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run the bars from ``at`` to before ``to``, which follow those that ran last.

        Returns:
            The account after each bar that trades, (n, engine.TAPE), and the rows, (m, 1 + engine.WIDTH), their bars
            counted from the end of the warm-up. Both are overwritten by the next call.

        Raises:
            StrategyError: the strategy raised.
        """
        trade_from, before = max(0, self._warmup - at), self.state.tolist()
        ts, ohlcv = self._bars.ts[at:to], self._bars.ohlcv[at:to]
        rows, bar_s = self._rows, self._decision.bar_s
        used = self._compiled(self.state, self.book, self.out, bar_s, ts, ohlcv, trade_from, self._tape, rows)
        if used is None:
            raise _failed(self._decision, self._bars, at, before)
        rows[:used, 0] += at - self._warmup
        return self._tape[trade_from : to - at], rows[:used]


def _failed(decision: Decision, bars: Bars, at: int, state: list[float]) -> StrategyError:
    """Return the error of a strategy that raised while compiled: the same code in Python says what, and on which bar."""
    for row in range(at, len(bars)):
        try:
            decision.signal(bars[row], state)
        except StrategyError as fault:
            return fault
    name = decision.strategy.name
    return StrategyError(
        f"strategy {name!r} fails when it is compiled, and does not as Python; simplify what it computes"
    )


def missing_bars(ts: NDArray[np.float64], bar_s: float) -> NDArray[np.float64]:
    """Return where bars are missing: the open after, the first missing open and the count.

    Raises:
        DataError: a bar lies between two of the grid.
    """
    import numpy as np

    expected = ts[:-1] + bar_s
    missing = (ts[1:] - expected) / bar_s
    at = np.flatnonzero(missing)
    wrong = at[(missing[at] < 0.0) | (missing[at] % 1.0 != 0.0)]
    if len(wrong):
        came, due = iso(from_seconds(ts[wrong[0] + 1])), iso(from_seconds(expected[wrong[0]]))
        raise DataError(f"the bar at {came} came where {due} or later was expected; is --timeframe right?")
    return np.column_stack([ts[1:][at], expected[at], missing[at]])


def _events(rows: NDArray[np.float64], closes: NDArray[np.float64]) -> Iterator[ev.AnyEvent]:
    """Yield the events that the rows stand for, timed at the close of their bar."""
    teller = Teller()
    for seq, (at, *row) in enumerate(rows.tolist()):
        yield from teller.tell(row, 1, seq, from_seconds(float(closes[int(at)])))
