"""A backtest: the decision code of a session, compiled, over columns of bars.

It gives what a session over the same bars journals - the same orders, fills, denials, account and metrics, to the last
bit - because it runs the same functions (:mod:`peaktrade_core.trading.engine`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from peaktrade_core.base.clock import from_seconds, utc
from peaktrade_core.base.errors import DataError
from peaktrade_core.research.loops import TAPE
from peaktrade_core.research.running import CHUNK, CompiledRun, RunCounts
from peaktrade_core.show.wording import many
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.decision import Decision, Teller
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.records import Metrics
from peaktrade_core.trading.statistics import Statistic, Trade, statistics, trades
from peaktrade_core.trading.tally import LEVELS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
        totals: what the run counted.
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
    totals: RunCounts
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
        n, bars = self.totals, len(self)
        realized, unrealized = (float(self.realized[-1]), float(self.unrealized[-1])) if bars else (0.0, 0.0)
        return Metrics(
            realized_pnl=realized,
            unrealized_pnl=unrealized,
            fees=n.fees,
            max_drawdown=n.max_drawdown,
            num_orders=n.fills,
            num_trades=n.trades,
            steps=bars,
            fill_rate=n.fills / n.generated if n.generated else None,
            orders_generated=n.generated,
            orders_executed=n.fills,
            orders_blocked_risk=n.blocked,
            orders_rejected=0,
            orders_open=n.generated - n.fills - n.blocked,
            equity_end=self.decision.start_balance + realized + unrealized,
            gaps=len(self.gaps),
            bars_missing=int(self.gaps[:, 2].sum()),
            risk_status=LEVELS[n.worst],
            deny_codes=n.denied,
            trading_state="ACTIVE" if n.halted_at is None else "HALTED",
        )

    @cached_property
    def trades(self) -> list[Trade]:
        """The round trips, flat to flat."""
        return trades(self.fills)

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
        raise DataError(f"there are {many(len(bars), 'bar')}, the warm-up needs {warmup}; use --warmup-candles")
    gaps = missing_bars(bars.ts, decision.bar_s)
    columns = np.empty((TAPE, len(bars) - warmup))
    totals, rows = _run(decision, bars, warmup, columns, cache)
    ts, close = bars.ts[warmup:], bars.ohlcv[warmup:, 3]
    signal, position, cash, realized, unrealized, equity = columns
    gaps = gaps[gaps[:, 0] >= ts.min(initial=np.inf)]  # like the steps, they count from the end of the warm-up
    return BacktestResult(
        decision, warmup, ts, close, signal, position, cash, realized, unrealized, equity, gaps, totals, rows
    )


def _run(
    decision: Decision, bars: Bars, warmup: int, columns: NDArray[np.float64], cache: Path | None
) -> tuple[RunCounts, NDArray[np.float64]]:
    """Fill ``columns`` chunk by chunk; return totals and rows, their bars counted from the end of the warm-up."""
    import numpy as np

    run = CompiledRun(decision, bars, warmup, cache, min(CHUNK, len(bars)))
    found = []
    for at in range(0, len(bars), CHUNK):
        to = min(at + CHUNK, len(bars))
        tape, rows = run.over(at, to)
        columns[:, max(at, warmup) - warmup : max(to, warmup) - warmup] = tape.T
        found.append(rows.copy())
    return run.totals, np.concatenate(found)


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
        came, due = utc(from_seconds(ts[wrong[0] + 1])), utc(from_seconds(expected[wrong[0]]))
        raise DataError(f"the bar at {came} came where {due} or later was expected; is --timeframe right?")
    return np.column_stack([ts[1:][at], expected[at], missing[at]])


def _events(rows: NDArray[np.float64], closes: NDArray[np.float64]) -> Iterator[ev.AnyEvent]:
    """Yield the events that the rows stand for, timed at the close of their bar."""
    teller = Teller()
    for seq, (at, *row) in enumerate(rows.tolist()):
        yield from teller.tell(row, 1, seq, from_seconds(float(closes[int(at)])))
