"""Sleeves on one account: one alone is its backtest, all together are the account to the cent, cash moved is no gain."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from peaktrade_core.research.backtest import CHUNK, BacktestResult, run_backtest
from peaktrade_core.research.portfolio import sleeve as sleeves
from peaktrade_core.research.portfolio.account import Ran, run_portfolio
from peaktrade_core.research.portfolio.curve import cash_moved
from peaktrade_core.research.portfolio.figures import curves
from peaktrade_core.research.portfolio.preset import Weights
from peaktrade_core.research.portfolio.sleeve import SleevePlan
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.exact import ExactAccount
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import get_strategy

SPOT = Market(1.0, 10.0, 1.0, 1e8, 0.0001, 0.0, 0.0, 0.0026, 0.0005, 0.2)
PERP = SPOT._replace(shorts=1.0)
WIDE = Limits(max_daily_loss_abs=1e9, max_daily_loss_pct=99.0, max_drawdown_halt_pct=99.0, max_price_age_s=1e9)
WARMUP, START = 50, 2500.0


def part(strategy: str, symbol: str, seed: int, *, bar_s: int = 3600, days: int = 100, limits: Limits = WIDE,
         market: Market = SPOT, gap: slice = slice(0), **params: object) -> SleevePlan:  # fmt: skip
    rows = np.array(list(SyntheticFeed(seed, bar_s, bars=WARMUP + days * 86_400 // bar_s)))
    rows[:, 0] -= WARMUP * bar_s
    rows = np.delete(rows, gap, axis=0)
    found = get_strategy(strategy)
    decision = Decision(found, found.parameters(params), market, limits, float(bar_s), START)
    return SleevePlan(f"{strategy} {symbol}", symbol, decision, Bars(rows[:, 0], rows[:, 1:]), WARMUP)


def several(limits: Limits = WIDE) -> list[SleevePlan]:
    return [
        part("donchian_breakout", "ETH/EUR", 1, limits=limits, gap=slice(400, 430)),
        part("ma_crossover", "BTC/EUR", 2, bar_s=14_400, limits=limits),
        part("rsi_reversion", "BTC/EUR", 3, limits=limits, market=PERP, period=4),
        part("trend_following", "LTC/EUR", 4, bar_s=900, limits=limits, gap=slice(900, 1100)),
    ]


def assert_same(one: BacktestResult, other: BacktestResult) -> None:
    for name in ("ts", "close", "signal", "position", "cash", "realized", "unrealized", "equity", "gaps", "rows"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert (one.totals, one.metrics) == (other.totals, other.metrics)


@pytest.mark.parametrize("strategy", ["ma_crossover", "rsi_reversion", "donchian_breakout", "trend_following"])
@pytest.mark.parametrize(
    "limits", [Limits(), WIDE, Limits(max_total_exposure_notional=400.0, max_order_notional=499.0)]
)
def test_one_component_is_its_backtest_to_the_last_bit(cache: Path, strategy: str, limits: Limits) -> None:
    alone = part(strategy, "BTC/EUR", 7, limits=limits, market=PERP, gap=slice(300, 320))
    ran = run_portfolio([alone], Weights(rebalance="daily"), [1.0], cache)
    assert_same(ran.sleeves[0], run_backtest(alone.decision, alone.bars, alone.warmup, cache))
    assert ran.transfers == ran.refusals == ()


def test_how_far_a_sleeve_runs_ahead_changes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = several(Limits(max_total_exposure_notional=900.0, max_daily_loss_abs=40.0))
    found = []
    for ahead in (CHUNK, 7):
        monkeypatch.setattr(sleeves, "CHUNK", ahead)
        monkeypatch.setattr(sleeves, "SHORTEST", 1)
        found.append(run_portfolio(parts, Weights(rebalance="weekly", least=0.02), [0.25] * 4, cache))
    assert len(found[0].refusals) > 20
    assert found[0].refusals == found[1].refusals
    assert found[0].transfers == found[1].transfers
    for one, other in zip(found[0].sleeves, found[1].sleeves, strict=True):
        assert_same(one, other)


def exact(ran: Ran, closes: list[float]) -> Decimal:
    """Return what one account with all fills of all sleeves is worth, in decimals."""
    worth = Decimal(0)
    for one, close in zip(ran.sleeves, closes, strict=True):
        ledger = ExactAccount(one.decision.start_balance)
        for fill in one.fills:
            ledger.apply(fill.qty, fill.price, fill.fee)
        worth += ledger.equity(close)
    return worth


@pytest.mark.parametrize("method", ["equal", "inverse_volatility", "risk_parity"])
def test_the_sleeves_are_the_account_to_the_cent(cache: Path, method: str) -> None:
    ran = run_portfolio(several(), Weights(method=method, rebalance="weekly", lookback=20), [0.25] * 4, cache)  # type: ignore[arg-type]
    assert len(ran.transfers) > 5
    assert all(sum(one.cents) == 0 and one.at % 86_400.0 == 0.0 for one in ran.transfers)
    seen = curves(ran)
    ends = [float(one.level(np.array([np.inf]), after=True)[0]) for one in seen.levels]
    assert sum(ends) == pytest.approx(float(exact(ran, [float(one.close[-1]) for one in ran.sleeves])), abs=0.005)
    whole = 4 * START * np.concatenate([[1.0], np.cumprod(1.0 + seen.account)])
    assert whole[-1] == pytest.approx(sum(ends), abs=0.005)
    for one, level, (_, came) in zip(ran.sleeves, ends, cash_moved(ran.transfers, 4), strict=True):
        assert level == pytest.approx(START + float(one.realized[-1] + one.unrealized[-1]) + came.sum(), abs=0.005)


def test_cash_that_is_moved_is_no_gain_and_no_drawdown(cache: Path) -> None:
    parts = several()
    ran = run_portfolio(parts, Weights(rebalance="daily", least=0.02), [0.7, 0.1, 0.1, 0.1], cache)
    apart = run_portfolio(parts, Weights(rebalance="never"), [0.25] * 4, cache)
    assert ran.transfers
    assert ran.transfers[0].at == 86_400.0 * (float(parts[0].bars.ts[WARMUP]) // 86_400.0 + 1.0)
    before, after = curves(apart), curves(ran)
    still = np.array([day for day in range(3) if all(not before.returns[day, n] for n in range(4))], dtype=int)
    assert np.abs(after.returns[still]).max(initial=0.0) < 1e-9  # days without a position have no return in spite of it
    for one in ran.sleeves:
        assert (one.cash >= -0.005).all() or one.decision.market.shorts


def test_a_position_is_never_left_with_less_than_it_takes(cache: Path) -> None:
    parts = [part("donchian_breakout", "BTC/EUR", 2), part("rsi_reversion", "ETH/EUR", 3)]
    ran = run_portfolio(parts, Weights(rebalance="daily", least=0.02), [0.9, 0.1], cache)
    cash, levels = cash_moved(ran.transfers, 2), curves(ran).levels
    gave = 0
    for one, level, (at, amount) in zip(ran.sleeves, levels, cash, strict=True):
        bar = (one.ts + one.decision.bar_s).searchsorted(at, "right") - 1
        held = np.where(bar >= 0, np.abs(one.position[bar]) * one.close[bar], 0.0)
        left = level.level(at, after=True)
        assert (held[amount < 0.0] <= SPOT.position_fraction * left[amount < 0.0] + 0.01).all()
        gave += int(((amount < 0.0) & (held > 0.0)).sum())
    assert gave > 0


def test_at_one_moment_symbols_come_in_the_order_of_their_names(cache: Path) -> None:
    limits = WIDE._replace(max_open_positions=1)
    for names in itertools.permutations(["AAA/EUR", "BBB/EUR", "CCC/EUR"]):
        parts = [part("ma_crossover", name, 5, limits=limits) for name in names]  # the same market, so the same orders
        ran = run_portfolio(parts, Weights(rebalance="never"), [1 / 3] * 3, cache)
        traded = [name for name, one in zip(names, ran.sleeves, strict=True) if one.fills]
        assert traded == ["AAA/EUR"]
        assert {one.verdict.code for one in ran.refusals} == {9}  # MAX_OPEN_POSITIONS
        assert {names[one.sleeve] for one in ran.refusals} == {"BBB/EUR", "CCC/EUR"}
