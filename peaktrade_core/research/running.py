"""The compiled loops at work: the signals of a decision over bars, and its account or its figures over those signals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from peaktrade_core.base.errors import ConfigError, StrategyError
from peaktrade_core.research import loops
from peaktrade_core.research.compiled import Compiled, LoopSource, compile_loop, loop_digest
from peaktrade_core.research.sources import plain_function
from peaktrade_core.trading import book as bk
from peaktrade_core.trading import engine
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import DENY_CODES, Limits
from peaktrade_core.trading.strategies import Strategy

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 32_768  # bars worked off at once, so that memory for the rows stays bounded
ACCOUNT = LoopSource(
    "the account", loops.account, lambda: loops.account, True, (0, 0, 0, 0, 5, 0, loops.TAPE, 1 + engine.WIDTH)
)
FIGURES = LoopSource("the figures", loops.figures, lambda: loops.figures, True, (0,) * 9)
_MARKET, _SPAN = Market(*[0.0] * len(Market._fields)), loops.TradedBars(0.0, 0)


def signals_loop(strategy: Strategy) -> LoopSource:
    """Return the loop that asks a strategy for its signals."""

    def make() -> Any:
        return loops.signaller(plain_function(strategy.update, strategy.name), strategy.clock)

    return LoopSource(strategy.name, strategy, make, False, (0, 0, 5, 0))


def code_files(strategy: Strategy) -> tuple[str, str]:
    """Return the names that the compiled code of a backtest has in the cache: another one when anything of it changed.

    Raises:
        StrategyError: the strategy uses something that cannot be compiled.
    """
    signals = loop_digest(signals_loop(strategy), (strategy.params(), _SPAN))
    return signals, loop_digest(ACCOUNT, (_MARKET, Limits(), _SPAN))


class Codes:
    """The compiled loops that one strategy needs, for any parameters, market and limits."""

    def __init__(self, strategy: Strategy, cache: Path | None) -> None:
        """Compile or load the strategy's own; ``cache`` is the folder for compiled code, None for memory only.

        Raises:
            StrategyError: it cannot be compiled; says what and why.
        """
        self._cache = cache
        self.signals = compile_loop(signals_loop(strategy), (strategy.params(), _SPAN), cache)

    def account(self) -> Compiled:
        """Return the loop that tells the account of each bar."""
        return compile_loop(ACCOUNT, (_MARKET, Limits(), _SPAN), self._cache)

    def figures(self) -> Compiled:
        """Return the loop that tells what a trial keeps."""
        return compile_loop(FIGURES, (_MARKET, Limits(), _SPAN), self._cache)


class Book(NamedTuple):
    """The arrays of an account, as the loops take them: book, row buffer, totals."""

    book: NDArray[np.float64]
    out: NDArray[np.float64]
    totals: NDArray[np.float64]


def new_book(start_balance: float) -> Book:
    """Return the account of a run that has not begun; ``start_balance`` in quote ccy."""
    return Book(np.array(bk.new_book(start_balance)), np.array(engine.new_out()), np.zeros(loops.TOTALS))


class RunCounts(NamedTuple):
    """What a run counted, in the terms of a session's metrics.

    Attributes:
        generated, fills, blocked, trades: orders, executions, denials, round trips; fees: [quote ccy].
        denied: how often each code denied; worst: severity, 0 to 2; halted_at: when its limits halted it [s since epoch].
        max_drawdown: [fraction]; held: bars at whose close there was a position.
    """

    generated: int
    fills: int
    fees: float
    blocked: int
    trades: int
    worst: int
    halted_at: float | None
    held: int
    denied: dict[str, int]
    max_drawdown: float

    @classmethod
    def of(cls, own: Book) -> RunCounts:
        """Return the totals of an account."""
        return cls._of(own.totals.tolist(), float(own.book[bk.MAX_DRAWDOWN]))

    @classmethod
    def of_rows(
        cls, rows: NDArray[np.float64], closes: NDArray[np.float64], held: int, max_drawdown: float
    ) -> RunCounts:
        """Return the totals of what the decision code said.

        Args:
            rows: (m, 1 + engine.WIDTH) float64, by bar; closes: (n,) float64, of the bars [s since epoch].
            held, max_drawdown: as of the totals.
        """
        n = [0.0] * loops.TOTALS
        for at, *row in rows.tolist():
            loops.count(n, row, 1, float(closes[int(at)]))
        n[loops.HELD] = float(held)
        return cls._of(n, max_drawdown)

    @classmethod
    def _of(cls, n: list[float], max_drawdown: float) -> RunCounts:
        counts = zip(DENY_CODES, n[loops.DENIED :], strict=True)
        return cls(
            int(n[loops.GENERATED]), int(n[loops.FILLS]), n[loops.FEES], int(n[loops.BLOCKED]), int(n[loops.TRADES]),
            int(n[loops.WORST]), n[loops.HALTED_AT] or None, int(n[loops.HELD]),
            {code: int(times) for code, times in sorted(counts) if times}, max_drawdown,
        )  # fmt: skip


def numbers_of(decision: Decision, trade_from: int) -> tuple[tuple[Any, ...], ...]:
    """Return market, limits and span of a decision in the kinds that are compiled.

    Raises:
        ConfigError: the market is a perpetual contract: no research counts its funding, and without it figures would be others
            than a session's.
    """
    if decision.market.leverage:
        raise ConfigError(
            "this market is a perpetual contract, which pays funding: backtests, sweeps and all research count none and would "
            "give other figures than a session, so they refuse it; take the spot market, or run a session with --feed replay"
        )
    kinds = [type(value) for value in Limits()]
    limits = tuple(kind(value) for kind, value in zip(kinds, decision.limits, strict=True))
    return tuple(map(float, decision.market)), limits, (float(decision.bar_s), trade_from)


class CompiledRun:
    """The decision code of one run as machine code, with its book and room for what comes out.

    The signals depend on nothing that happens to the account; they are made once, as far as bars were run.

    Attributes:
        book: as it is after the bars that ran last; out: the rows of the last bar.
    """

    def __init__(self, decision: Decision, bars: Bars, warmup: int, cache: Path | None, most: int) -> None:
        """Make ready to run ``bars``, at most ``most`` of them at once.

        Raises:
            StrategyError: the strategy cannot be compiled.
        """
        self._decision, self._bars, self._warmup = decision, bars, warmup
        self._codes, self._own = Codes(decision.strategy, cache), new_book(decision.start_balance)
        self._account, self._state = self._codes.account(), np.array(decision.new_state(), dtype=np.float64)
        self._signal, self._known = np.empty(len(bars)), 0
        self._tape, self._rows = np.empty((most, loops.TAPE)), np.empty((engine.ROWS * most, 1 + engine.WIDTH))
        self.book, self.out = self._own.book, self._own.out

    @property
    def totals(self) -> RunCounts:
        """What it counted; bars that were run twice count twice."""
        return RunCounts.of(self._own)

    def over(self, at: int, to: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run the bars from ``at`` to before ``to``; the book must be as it was at the close before.

        Returns:
            The account after each bar that trades, (n, TAPE), and the rows, (m, 1 + engine.WIDTH), their bars counted
            from the end of the warm-up. Both are overwritten by the next call.

        Raises:
            StrategyError: the strategy raised.
        """
        if to > self._known:
            some, new = self._bars.part(self._known, to), self._signal[self._known : to]
            signals_over(self._codes, self._decision, some, self._state, new)
            self._known = to
        trade_from, rows = min(max(0, self._warmup - at), to - at), self._rows
        ts, ohlcv, tape = self._bars.ts[at:to], self._bars.ohlcv[at:to], self._tape[: to - at]
        numbers = numbers_of(self._decision, trade_from)
        used = self._account(numbers, *self._own, ts, ohlcv, self._signal[at:to], tape, rows)
        assert used is not None  # no strategy runs in it
        rows[:used, 0] += at - self._warmup
        return tape[trade_from:], rows[:used]


def signals_over(
    codes: Codes, decision: Decision, bars: Bars, state: NDArray[np.float64], signal: NDArray[np.float64]
) -> None:
    """Fill ``signal`` with what the strategy wants to hold at each bar; ``state`` is its memory and goes on.

    Raises:
        StrategyError: the strategy raised; says on which bar.
    """
    span = (float(decision.bar_s), 0)
    for at in range(0, len(bars), CHUNK):
        to = min(at + CHUNK, len(bars))
        before = state.tolist()
        numbers = (tuple(decision.params), span)
        if codes.signals(numbers, state, bars.ts[at:to], bars.ohlcv[at:to], signal[at:to]) is None:
            raise _failed(decision, bars, at, before)


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
