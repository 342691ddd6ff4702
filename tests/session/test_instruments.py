"""Steps of an instrument: configured, the venue's or those of the candles, and never one that does not fit them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.candles.store import CandleStore, Series
from peaktrade_core.runs.views import Views
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import Fill
from peaktrade_core.trading.market import Bars, Instrument, candle_steps


def bars_at(price: float, decimals: int, n: int = 600, volume: float = 12.5) -> Bars:
    """Return bars that wander around ``price``, written with so many decimals."""
    rng = np.random.default_rng(3)
    closes = price * np.exp(np.cumsum(rng.normal(0.0, 0.003, n)))
    opens = np.concatenate([[price], closes[:-1]])
    rounded = np.round(np.stack([opens, np.maximum(opens, closes), np.minimum(opens, closes), closes], 1), decimals)
    return Bars(1_704_067_200.0 + 60.0 * np.arange(n), np.column_stack([rounded, np.full(n, volume)]))


def parquet(folder: Path, bars: Bars) -> Path:
    path = folder / "candles.parquet"
    columns = {name: bars.ohlcv[:, n] for n, name in enumerate(("open", "high", "low", "close", "volume"))}
    ts = pa.array((bars.ts * 1e6).astype("int64"), pa.timestamp("us", tz="UTC"))
    pa.parquet.write_table(pa.table({"ts": ts, **columns}), path)
    return path


@pytest.fixture
def coin(home: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that configures COIN/EUR and writes candles for it; returns the wishes of a session on them."""

    def make(price: float, decimals: int, table: str = "") -> dict[str, Any]:
        path = home / "config" / "config.toml"
        path.write_text(path.read_text() + f'\n[instruments."COIN/EUR"]\n{table}\n')
        candles = parquet(tmp_path, bars_at(price, decimals))
        return {"symbol": "COIN/EUR", "candles": candles, "timeframe": "1m", "warmup_candles": 50}

    return make


@pytest.mark.parametrize(("price", "decimals"), [(2e-5, 9), (2e-5, 8), (0.15, 4), (1.08, 4), (47.0, 2), (60_000.0, 1)])
def test_an_instrument_without_steps_takes_those_of_its_candles(workspace, coin, price, decimals):
    plan = plan_session(workspace, **coin(price, decimals))
    assert float(plan.config.instrument["tick"]) == pytest.approx(10.0**-decimals)
    assert any("those of" in one or "after the candles" in one for one in plan.remarks)
    record = run_session(plan, Desk.of(workspace))
    fills = [event for event in Views.of(workspace).events(record.session_id) if isinstance(event, Fill)]
    assert fills
    for fill in fills:  # the slippage and less than one tick
        assert abs(fill.price / fill.reference - 1.0) <= 5e-4 + 1.01 * 10.0**-decimals / fill.reference
    assert record.config["instrument"] == plan.config.instrument


def test_a_tick_that_is_more_than_the_price_is_refused(workspace, coin):
    with pytest.raises(ConfigError, match=r"COIN/EUR trades at .*, and tick = '0.01' is .* % of that: no order could"):
        plan_session(workspace, **coin(2e-5, 9, 'tick = "0.01"'))


def test_a_coarse_tick_is_told(workspace, coin, peaktrade):
    wishes = coin(0.15, 4, 'tick = "0.01"')
    (_, odd) = plan_session(workspace, **wishes).remarks
    assert odd.startswith("COIN/EUR trades at 0.1")
    given = ("--symbol", "COIN/EUR", "--timeframe", "1m", "--candles", wishes["candles"], "--warmup-candles", 50)
    for command in (("session", "run"), ("session", "run", "--dry-run"), ("backtest",)):
        ended = peaktrade(*command, *given)
        assert ended.code == 0
        assert "each fill may be off by as much" in " ".join((ended.stdout + ended.stderr).split())
    shown = json.loads(peaktrade("session", "run", "--dry-run", "--json", *given).stdout)
    assert odd in shown["remarks"]


def test_a_fine_instrument_is_not_talked_about(workspace):
    assert plan_session(workspace).remarks == ()


@given(st.integers(0, 8), st.integers(200, 10**9))
@settings(max_examples=60, deadline=None)
def test_the_tick_is_the_decimal_place_of_the_prices(places, base):
    rng = np.random.default_rng(base)
    ticks = base // 10 * 10 + rng.integers(0, 50, 400) * 10 + 1  # the last place is used
    prices = np.array([float(f"{n}e-{places}") for n in ticks])
    bars = Bars(60.0 * np.arange(400), np.column_stack([prices, prices, prices, prices, np.full(400, 0.125)]))
    assert float(candle_steps(bars)[0]) == float(f"1e-{places}")


@pytest.mark.parametrize(
    ("price", "volume", "lot"), [(2e-5, 61e6, "1"), (60_000.0, 12.0, "0.00000001"), (1.5, 3.5, "0.00001")]
)
def test_the_smallest_lot_is_worth_next_to_nothing_however_volumes_are_rounded(price, volume, lot):
    assert candle_steps(bars_at(price, 9, volume=volume))[1] == lot


def test_prices_with_noise_in_their_last_digits_have_the_tick_that_is_meant():
    bars = bars_at(0.000281, 7)
    noisy = Bars(bars.ts, bars.ohlcv * 1.0 + bars.ohlcv * 2e-16)
    assert candle_steps(noisy)[0] == "0.0000001"


def test_what_is_configured_goes_before_what_is_found():
    given = Instrument(tick="0.5", min_qty=2.0)
    assert given.completed(tick="0.1", lot="0.001", min_qty=1.0, min_notional=5.0) == Instrument(
        tick="0.5", lot="0.001", min_qty=2.0, min_notional=5.0
    )


def test_doctor_holds_ticks_against_the_stored_candles(home, workspace, peaktrade):
    path = home / "config" / "config.toml"
    path.write_text(path.read_text() + '\n[instruments."COIN/EUR"]\ntick = "0.01"\n')

    def answer(bars: Bars) -> dict[str, Any]:
        CandleStore.of_workspace(home).put(Series("kraken", "COIN/EUR", "1m"), [bars[row] for row in range(len(bars))])
        shown = json.loads(peaktrade("doctor", "--json").stdout)
        return next(one for one in shown if one["id"] == "instruments")

    sound = answer(Bars(*(lambda b: (b.ts[:10], b.ohlcv[:10]))(bars_at(47.0, 2))))
    assert (sound["status"], sound["evidence"].startswith("9 instruments, 1 with")) == ("pass", True)
    late = bars_at(2e-5, 9)
    refused = answer(Bars(late.ts + 86_400.0 * 400, late.ohlcv))
    assert refused["status"] == "fail"
    assert "COIN/EUR trades at 1." in refused["evidence"]
    assert "tick" in refused["next_step"]
