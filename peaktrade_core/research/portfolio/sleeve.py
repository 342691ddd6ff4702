"""A sleeve: one component of a portfolio with its own book, run ahead of the others as far as nobody need be asked.

Only an opening order has to ask the account, and only it depends on what the other sleeves do. So a sleeve runs compiled
and takes for granted that its orders fit; each is answered later, in the order of the clock. One that does not fit is
taken back: the bars from the last certain one are run again, up to its own, and from there anew.
"""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from peaktrade_core.research.backtest import BacktestResult, missing_bars
from peaktrade_core.research.loops import TAPE
from peaktrade_core.research.running import CHUNK, CompiledRun, RunCounts
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading.account import Share, account_of
from peaktrade_core.trading.costs import fill_price
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import DAY_S, RiskVerdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHORTEST = 128  # bars that are run ahead after an order was taken back; doubled where all fit


class SleevePlan(NamedTuple):
    """What a sleeve is made of.

    Attributes:
        name: in tables; decision: its balance is that of the sleeve at the beginning.
        bars: the first ``warmup`` of them only warm the strategy up.
    """

    name: str
    symbol: str
    decision: Decision
    bars: Bars
    warmup: int


class PendingOrder(NamedTuple):
    """An opening order that the account has not answered yet.

    Attributes:
        bar: at whose close it was decided, counted from the end of the warm-up; close_ts: that time [s since epoch].
        share: what the sleeve would use with it [quote ccy].
        notional: of the order, at the price at which it is expected to fill [quote ccy].
    """

    bar: int
    close_ts: float
    qty: float
    share: Share
    notional: float


class Sleeve:
    """One component while its portfolio runs.

    Attributes:
        part: what it is made of; closes: (n,) float64, of the bars that trade [s since epoch].
        moved: cash that came or went before each bar, (n + 1,) float64, the last for after the end [quote ccy].
    """

    def __init__(self, part: SleevePlan, cache: Path | None) -> None:
        """Make it ready.

        Raises:
            DataError: a bar is off the grid; StrategyError: the strategy cannot be compiled.
        """
        import numpy as np

        self.part, decision = part, part.decision
        n = len(part.bars) - part.warmup
        self.opens, self.close = part.bars.ts[part.warmup :], part.bars.ohlcv[part.warmup :, 3]
        self.closes = self.opens + decision.bar_s
        days = self.opens // DAY_S
        self._day_begin = np.searchsorted(days, days)
        self._gaps = missing_bars(part.bars.ts, decision.bar_s)
        self._loop = CompiledRun(decision, part.bars, part.warmup, cache, min(CHUNK, len(part.bars)))
        self._tape = np.empty((n, TAPE))
        self._sent, self.moved = np.zeros(n), np.zeros(n + 1)
        self._share = Share(part.name, account_of("shadow", part.symbol), part.symbol)
        self._certain: list[NDArray[np.float64]] = []
        self._rows: NDArray[np.float64] = np.empty((0, 1 + engine.WIDTH))  # since the last certain bar
        self._waiting: deque[int] = deque()  # rows of orders that nobody answered yet
        for at in range(0, part.warmup, CHUNK):
            self._loop.over(at, min(at + CHUNK, part.warmup))
        self._base = self._to = 0  # bars that are certain, and that were run
        self._ahead = CHUNK
        self._keep()

    @property
    def equity(self) -> float:
        """Its equity after all bars that were run [quote ccy]."""
        return float(self._loop.book[bk.EQUITY])

    def levels(self) -> NDArray[np.float64]:
        """Return its equity at the close of each bar that was run, (n,) float64 [quote ccy]."""
        return self._tape[: self._to, 5]

    def reach(self, moment: float) -> int:
        """Return how many of its bars close until a moment [s since epoch], that moment included."""
        return int(self.closes.searchsorted(moment, "right"))

    def next_order(self, end: int) -> PendingOrder | None:
        """Return its first opening order that waits for an answer; run on, up to before bar ``end``, until there is one."""
        while not self._waiting and self._to < end:
            self._settle()
            self._run(min(end, self._base + self._ahead))
            self._ahead = min(CHUNK, 2 * self._ahead)
        return self._asked() if self._waiting else None

    def accept(self) -> None:
        """Let the order that waits longest stand."""
        bar, qty = self._order(self._waiting.popleft())
        self._sent[bar] = qty

    def refuse(self, verdict: RiskVerdict) -> None:
        """Take the order that waits longest back, as if the checks had denied it, and go on from its bar."""
        bar, _ = self._order(self._waiting[0])
        self._back()
        self._run(bar + 1)
        loop, first = self._loop, int(self._rows[:, 0].searchsorted(bar))
        own = len(self._rows) - first
        own = engine.refuse_opening(
            loop.book, loop.out, own, self.part.decision.limits, verdict, float(self.close[bar])
        )
        self._rows = _with(self._rows[:first], bar, loop.out, own)
        self._waiting.clear()
        self._ahead = SHORTEST
        self._settle()

    def transfer(self, amount: float) -> None:
        """Move cash in (or out, where negative): no gain and no loss.

        The loss of the day stays what it is, and so does the drawdown, as if the peak had been of the new size.
        """
        self._settle()
        book = self._loop.book
        grown = (book[bk.EQUITY] + amount) / book[bk.EQUITY] if book[bk.EQUITY] > 0.0 else 1.0
        for slot in (bk.START, bk.CASH, bk.EQUITY, bk.DAY_EQUITY):
            book[slot] += amount
        book[bk.PEAK] = max(book[bk.PEAK] * grown, book[bk.EQUITY])
        self.moved[self._base] += amount
        self._keep()

    def free_cash(self) -> float:
        """Return how much it can give away [quote ccy].

        What is left makes its position, and the order on its way, no larger a share of it than a new position has; on a
        market without credit it also pays for the order.
        """
        book, market = self._loop.book, self.part.decision.market
        price = float(self.close[self._to - 1]) if self._to else 0.0
        sent = abs(float(book[bk.OPENING])) * fill_price(market, float(book[bk.ORDER_REF]), 1.0)
        held = abs(float(book[bk.QTY])) * price
        free = float(book[bk.EQUITY]) - (held + sent) / market.position_fraction
        paid = math.inf if market.shorts else float(book[bk.CASH]) - sent * (1.0 + market.fee_rate)
        return max(0.0, min(free, paid))

    def share(self, moment: float, *, included: bool) -> Share | None:
        """Return what it uses of the account at a moment, at the close that it saw last; None before its first one.

        Args:
            moment: [s since epoch]; included: whether its bar that closes just then counts.
        """
        bar = int(self.closes.searchsorted(moment, "right" if included else "left")) - 1
        return self._share_at(bar) if bar >= 0 else None

    def result(self) -> BacktestResult:
        """Return everything that it did; its account holds the cash that came and went, too."""
        import numpy as np

        self._settle()
        signal, position, cash, realized, unrealized, equity = np.ascontiguousarray(self._tape.T)
        gaps = self._gaps[self._gaps[:, 0] >= self.opens.min(initial=np.inf)]
        rows = np.concatenate([*self._certain, np.empty((0, 1 + engine.WIDTH))])
        held, deepest = int(np.count_nonzero(position)), float(self._loop.book[bk.MAX_DRAWDOWN])
        counted = RunCounts.of_rows(rows, self.closes, held, deepest)
        return BacktestResult(
            self.part.decision, self.part.warmup, self.opens, self.close, signal, position, cash, realized,
            unrealized, equity, gaps, counted, rows,
        )  # fmt: skip

    def _settle(self) -> None:
        """Take what was run for certain, once no order waits."""
        assert not self._waiting
        self._certain.append(self._rows.copy())
        self._rows = self._rows[:0]
        self._base = self._to
        self._keep()

    def _keep(self) -> None:
        self._book = self._loop.book.copy()

    def _back(self) -> None:
        """Go back to the last certain bar."""
        self._loop.book[:] = self._book

    def _run(self, to: int) -> None:
        """Run from the last certain bar to before bar ``to``."""
        warmup = self.part.warmup
        tape, rows = self._loop.over(warmup + self._base, warmup + to)
        self._tape[self._base : to] = tape
        self._rows, self._to = rows, to
        self._waiting.extend(((rows[:, 1] == engine.ORDER) & (rows[:, 2] == 1.0)).nonzero()[0].tolist())

    def _order(self, row: int) -> tuple[int, float]:
        """Return the bar and the signed quantity of an order."""
        return int(self._rows[row, 0]), float(self._rows[row, 3])

    def _asked(self) -> PendingOrder:
        """Return the order that waits longest, with the account that the sleeve had at its bar."""
        bar, qty = self._order(self._waiting[0])
        price = fill_price(self.part.decision.market, float(self.close[bar]), qty)
        notional, held = abs(qty) * price, abs(float(self._tape[bar, 1])) * price
        share = self._share_at(bar)._replace(price=price, exposure=max(held, notional))
        return PendingOrder(bar, float(self.closes[bar]), qty, share, notional)

    def _share_at(self, bar: int) -> Share:
        """Return what it uses after a bar."""
        came = float(self.moved[bar + 1])
        held, price, begin = float(self._tape[bar, 1]), float(self.close[bar]), int(self._day_begin[bar])
        before = float(self._tape[begin - 1, 5]) if begin else self.part.decision.start_balance
        return self._share._replace(
            position=held,
            price=price,
            exposure=max(abs(held), abs(float(self._sent[bar]))) * price,
            day_equity=before + float(self.moved[begin]) + came,
            equity=float(self._tape[bar, 5]) + came,
        )


def _with(rows: NDArray[np.float64], bar: int, out: NDArray[np.float64], own: int) -> NDArray[np.float64]:
    """Return rows with those of one more bar, ``own`` of them in ``out``."""
    import numpy as np

    last = out[: own * engine.WIDTH].reshape(own, engine.WIDTH)
    return np.concatenate([rows, np.column_stack([np.full(own, float(bar)), last])])
