"""The best of a thousand coins is caught, and one among them that knows the market passes; candles that are not as wished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import floor, sin
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from test_sweep import HOURS, candles_file

from peaktrade_core.base.errors import ConfigError, DataError
from peaktrade_core.base.question import FAIL, PASS
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.research.trials.opening import look
from peaktrade_core.research.trials.spec import Judge, Null, Search, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.trial import day_marks, decided
from peaktrade_core.research.trials.verdict import told
from peaktrade_core.trading.strategies import register, scratch_registry
from peaktrade_core.workspace.workspace import Workspace

KNOWS = 777  # the coin that the planted market follows


class Coin(NamedTuple):
    seed: int = 1


def coin(p: Coin, s: Any, o: float, h: float, l: float, c: float, v: float) -> float:
    """Toss a coin each day: long, or flat."""
    mixed = sin(floor((s[0] - 1.0) / 86_400.0) * 12.9898 + p.seed * 78.233) * 43_758.5453
    return 1.0 if mixed - floor(mixed) > 0.5 else 0.0


@pytest.fixture(autouse=True)
def _coins() -> Iterator[None]:
    with scratch_registry():
        register("coin", Coin, slots=lambda _: 1, warmup=lambda _: 0, clock=True)(coin)
        yield


def market(path: Path, edge: float) -> Path:
    """Write noise that rises by ``edge`` an hour while the coin that knows is long, and falls while it is not."""
    table = pq.read_table(candles_file(path, 0.0, seed=3))
    closes = np.array([one.timestamp() for one in table["ts"].to_pylist()]) + 3600.0
    sides = np.array([coin(Coin(KNOWS), [float(ts)], 0.0, 0.0, 0.0, 0.0, 0.0) for ts in closes])
    held = np.concatenate([[0.0, 0.0], sides[:-2]])  # decided at a close, filled at the next open
    factor = np.exp(np.cumsum(edge * (2.0 * held - 1.0)))
    before = np.concatenate([[1.0], factor[:-1]])
    names = table.column_names
    for name in ("open", "high", "low", "close"):
        scaled = table[name].to_numpy() * (before if name == "open" else factor)
        table = table.set_column(names.index(name), name, [scaled])
    prices = np.column_stack([table[name].to_numpy() for name in ("open", "close")])
    for name, most in (("high", prices.max(axis=1)), ("low", prices.min(axis=1))):
        table = table.set_column(names.index(name), name, [most])
    pq.write_table(table, path)
    return path


def tosses(candles: Path, **more: Any) -> Sweep:
    given = {
        "name": "luck", "question": "Does one of a thousand coins know the market?", "strategy": "coin",
        "symbol": "BTC/EUR", "timeframe": "1h", "candles": str(candles), "warmup_candles": 48,
        "parameters": {"seed": {"from": 1, "to": 1000, "step": 1}}, "search": Search(sampler="random", trials=1000),
        "judge": Judge(least_trades=3, blocks=8), "walk_forward": WalkForward(windows=3),
        "null": Null(shuffles=19, block_days=1),
    }  # fmt: skip
    return Sweep(**{**given, **more})


def test_the_best_of_a_thousand_coins_is_caught(workspace: Workspace, tmp_path: Path) -> None:
    record = run_sweep(workspace, prepare(workspace, tosses(market(tmp_path / "noise.parquet", 0.0))))
    assert record.figures is not None
    assert record.figures.total_return is not None
    assert record.figures.total_return > 0.0  # after costs: it looks good
    against = {one.id for one in record.verdict if one.status == FAIL}
    assert {"deflated", "null"} <= against, record.verdict
    assert told(record.verdict).endswith("speak against it; 1 could not be answered")
    assert record.counted == 1000


def test_a_coin_that_knows_the_market_passes(workspace: Workspace, tmp_path: Path) -> None:
    record = run_sweep(workspace, prepare(workspace, tosses(market(tmp_path / "planted.parquet", 0.0008))))
    assert record.figures is not None
    assert record.figures.params["seed"] == KNOWS
    answers = {one.id: (one.status, one.evidence) for one in record.verdict}
    assert {name for name, (status, _) in answers.items() if status != PASS} == {"plateau"}, answers  # not a grid
    assert told(record.verdict) == "Nothing speaks against it; 1 could not be answered."


def crossover(candles: Path, **more: Any) -> Sweep:
    given = {
        "strategy": "ma_crossover", "parameters": {"fast": [5, 20], "slow": [40, 80]}, "warmup_candles": 100,
        "search": Search(), "walk_forward": WalkForward(windows=2), "null": Null(shuffles=1),
    }  # fmt: skip
    return tosses(candles, **{**given, **more})


def test_a_market_with_gaps_is_swept_as_it_is_backtested(workspace: Workspace, tmp_path: Path) -> None:
    whole = pq.read_table(candles_file(tmp_path / "gaps.parquet", 0.002))
    kept = np.ones(HOURS, dtype=bool)
    kept[[500, 501, 502, 1000]] = False
    kept[1500:1580] = False  # more than three days
    pq.write_table(whole.filter(kept), tmp_path / "gaps.parquet")
    ready = prepare(workspace, crossover(tmp_path / "gaps.parquet"))
    record = run_sweep(workspace, ready)
    for one in SweepStore(workspace).trials(record.sweep_id):
        result = run_backtest(decided(ready.base, one.params), ready.bars, ready.warmup)
        assert (result.metrics.gaps, result.metrics.bars_missing) == (3, 84)
        assert (one.equity, one.fees, one.trades) == (
            float(result.equity[-1]), result.metrics.fees, result.metrics.num_trades,
        )  # fmt: skip
        assert one.days == len(day_marks(result).day) < 117  # of the 120 readable ones four only warm up


def test_combinations_that_a_strategy_refuses_are_trials_that_say_so(workspace: Workspace, tmp_path: Path) -> None:
    candles = candles_file(tmp_path / "wavy.parquet", 0.002)
    record = run_sweep(
        workspace, prepare(workspace, crossover(candles, parameters={"fast": [5, 60], "slow": [40, 80]}))
    )
    errors = [one.error for one in SweepStore(workspace).trials(record.sweep_id)]
    assert [bool(one) for one in errors] == [False, False, True, False]
    assert "fast = 60, slow = 40" in errors[2]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"fast": [-3, 5], "slow": [80]}, r"parameters\.fast: -3 cannot run with any value of the others: .*1 <= fast"),
        ({"fast": [5, 90], "slow": [40, 80]}, r"parameters\.fast: 90 cannot run"),
        ({"fast": {"from": 0, "to": 20, "step": 1}, "slow": [80]}, r"parameters\.fast: 0 cannot run"),
        ({"slow": [2, "x"], "fast": [1]}, r"parameters\.slow: 'x' cannot run"),
        ({"fee_bps": [10, -1], "fast": [5]}, r"parameters\.fee_bps: -1 cannot run .*must be a number from 0 to 1,000"),
        ({"max_order_notional": [-5]}, r"parameters\.max_order_notional: -5 cannot run: .*max_order_notional"),
        ({"fast": [], "slow": [80]}, "fast"),
    ],
)
def test_a_value_that_can_never_run_is_refused_before_it_counts(
    workspace: Workspace, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    candles = candles_file(tmp_path / "wavy.parquet", 0.002)
    with pytest.raises(ConfigError, match=says):
        prepare(workspace, crossover(candles, parameters=parameters))
    assert not TrialLedger(workspace).chain.path.exists()


def test_a_hold_out_or_a_stretch_that_is_shorter_than_the_warm_up(workspace: Workspace, tmp_path: Path) -> None:
    candles = candles_file(tmp_path / "wavy.parquet", 0.002)
    ready = prepare(workspace, crossover(candles, warmup_candles=1000))  # the hold-out has 720 bars
    record = run_sweep(workspace, ready)
    assert record.held == 720
    trial = SweepStore(workspace).trial(f"{record.sweep_id}#0")
    held, found = look(workspace, record, trial, by="Ada", reason="go or not")
    assert (len(held.openings), found.error, found.days) == (1, "", 30)  # warmed up by the bars before it
    short = tmp_path / "short.parquet"
    pq.write_table(pq.read_table(candles).slice(0, 240), short)
    with pytest.raises(
        DataError, match="192 bars of ETH/EUR 1h may be read and 48 are held back; the warm-up takes 200"
    ):
        prepare(workspace, crossover(short, warmup_candles=200, symbol="ETH/EUR"))
    with pytest.raises(ConfigError, match="the candles hold 240 bars, but 300 for the warm-up"):
        prepare(workspace, crossover(short, warmup_candles=300, symbol="ETH/EUR"))
    assert TrialLedger(workspace).count(ready.market._replace(symbol="ETH/EUR")) == 0  # what cannot run is no try


def test_a_trial_is_looked_at_on_the_market_of_its_sweep_whatever_the_configuration_says_since(
    workspace: Workspace, tmp_path: Path, configure: Callable[[str, str], None]
) -> None:
    candles = candles_file(tmp_path / "wavy.parquet", 0.002)
    record = run_sweep(workspace, prepare(workspace, crossover(candles, symbol=None)))
    assert (record.asked.symbol, record.asked.timeframe) == ("BTC/EUR", "1h")
    configure('symbol = "BTC/EUR"', 'symbol = "ETH/EUR"')
    later = Workspace(workspace.home)
    held, _ = look(later, record, SweepStore(later).trial(f"{record.sweep_id}#0"), by="Ada", reason="go or not")
    assert (held.symbol, len(held.openings)) == ("BTC/EUR", 1)
