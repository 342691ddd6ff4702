"""``ma_crossover`` on real candles, trade by trade, against a calculation in plain pandas without any code of ours."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from loops import SPOT, decision, session

from peaktrade_core.candles.files.cleaning import read_candles
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.statistics import trades

FILE = "coinbase_BTC-USD_1m_20170903-20170904"
WARMUP, FEE, SLIPPAGE, FRACTION = 200, 0.0026, 0.0005, 0.05


def by_hand(frame: pd.DataFrame) -> tuple[list[tuple], float]:
    """Return (entry time, exit time, quantity, prices, fees, profit) of each trade, and the equity at the end."""
    long = frame.close.rolling(20).mean() > frame.close.rolling(50).mean()
    wanted = long.shift(fill_value=False)  # decided at a close, done at the next open
    wanted[: WARMUP + 1] = False
    turns = wanted.astype(int).diff().fillna(0)
    cash, held, entry, done = 10_000.0, 0.0, None, []
    for i in frame.index[turns != 0]:
        reference, open_ = frame.close[i - 1], frame.open[i]
        if turns[i] > 0:
            held = math.floor(FRACTION * cash / reference * 1e8) / 1e8
            price = math.ceil(open_ * (1 + SLIPPAGE) * 100 - 1e-6) / 100
            fee = held * price * FEE
            cash -= held * price + fee
            entry = (frame.ts[i], price, fee)
        else:
            price = math.floor(open_ * (1 - SLIPPAGE) * 100 + 1e-6) / 100
            fee = held * price * FEE
            cash += held * price - fee
            bought, paid, first_fee = entry
            done.append(
                (bought, frame.ts[i], held, paid, price, first_fee + fee, held * (price - paid) - first_fee - fee)
            )
            held = 0.0
    return done, cash + held * frame.close.iloc[-1]


@pytest.fixture(scope="module")
def expected(candles):
    return by_hand(pd.read_parquet(candles(FILE)))


def assert_same(fills: list[ev.Fill], equity_end: float, expected) -> None:
    trips, equity = expected
    found = trades(fills)
    assert len(trips) > 20
    assert len(found) == len(trips)
    minute = pd.Timedelta(minutes=1)  # a fill is journalled at the close of the bar at whose open it happened
    for trade, (entered, left, qty, paid, got, fees, pnl) in zip(found, trips, strict=True):
        assert (trade.side, trade.entry_ts + minute * -1, trade.exit_ts + minute * -1) == (1, entered, left)
        assert (trade.entry_price, trade.exit_price) == pytest.approx((paid, got), rel=1e-14)
        assert trade.qty == pytest.approx(qty, abs=1.01e-8)  # a lot more or less when equity rounds differently
        assert (trade.fees, trade.pnl) == pytest.approx((fees, pnl), abs=1e-4)
    assert equity_end == pytest.approx(equity, abs=0.005)


def test_the_backtest_equals_the_calculation_by_hand(candles, cache, expected):
    result = run_backtest(decision("ma_crossover", SPOT, Limits()), read_candles(candles(FILE)), WARMUP, cache)
    assert not result.denials
    assert_same(result.fills, result.metrics.equity_end, expected)


def test_the_session_equals_the_calculation_by_hand(candles, tmp_path, expected):
    bars = read_candles(candles(FILE))
    record, events = session(tmp_path / "home", decision("ma_crossover", SPOT, Limits()), bars, WARMUP)
    assert_same([event for event in events if isinstance(event, ev.Fill)], record.metrics["equity_end"], expected)
