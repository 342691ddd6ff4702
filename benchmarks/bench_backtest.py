"""The compiled backtest beside vectorbt: the same bars and rules; counts only if positions and value are the same too.

Positions must agree to the lot, the final value to a millionth. Ours computes the whole account with its risk checks; the
limits are set so wide that none bites, because vectorbt has none.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import baseline, best, options, row, synthetic_bars, table

from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.trading.costs import Market
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.market import Bars
from peaktrade_core.trading.risk import Limits
from peaktrade_core.trading.strategies import get_strategy

WARMUP, FEE = 200, 0.0001
WIDE = Limits(1e12, 1e12, 1e12, 5, 1e12, 1e12, 0.8, 1e12, 1e12, 1e12, 1e12, 1e12, 0.0, 2.0, 1e12)
MARKET = Market(1.0, 1e8, 1.0, 1e8, 0.0, 0.0, 0.0, FEE, 0.0, 0.05)


LOAD = """
import sys, time
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from bench_backtest import MARKET, WIDE
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.candles.replay import bars_of
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.strategies import get_strategy
strategy = get_strategy("ma_crossover")
bars = bars_of(SyntheticFeed(1, 60, bars=500))
begin = time.perf_counter()
run_backtest(Decision(strategy, strategy.params(), MARKET, WIDE, 60.0, 10_000.0), bars, 200, Path(sys.argv[2]))
print(time.perf_counter() - begin)
"""


def loading(cache: Path) -> float:
    """Return how long a new process takes to load code that an earlier one compiled, with llvmlite's import [s]."""
    command = [sys.executable, "-c", LOAD, str(Path(__file__).parent), str(cache)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    given = options(__doc__, 525_600)
    bars = synthetic_bars(given.seed, given.bars)
    strategy = get_strategy("ma_crossover")
    decision = Decision(strategy, strategy.params(), MARKET, WIDE, 60.0, 10_000.0)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        compiling, _ = best(1, lambda: run_backtest(decision, Bars(bars.ts[:500], bars.ohlcv[:500]), WARMUP, cache))
        loaded = min(loading(cache) for _ in range(given.runs))
        columns, result = best(given.runs, lambda: run_backtest(decision, bars, WARMUP, cache))
        whole, metrics = best(given.runs, lambda: run_backtest(decision, bars, WARMUP, cache).metrics)
    other = baseline(given.baseline_python, "vectorbt", bars, warmup=WARMUP, runs=given.runs, fee=FEE)

    held = np.concatenate([np.zeros(WARMUP), result.position])[:: max(1, len(bars) // 1000)]
    same = (
        np.allclose(held, other["held"], atol=2e-8)
        and metrics.orders_executed == other["orders"]
        and abs(metrics.equity_end / other["final"] - 1.0) < 1e-6
    )
    print(f"{len(bars):,} bars, {metrics.orders_executed} orders, {metrics.num_trades} trades; best of {given.runs}")
    print(
        f"final value {metrics.equity_end:.4f} and {other['final']:.4f}, orders {metrics.orders_executed} and {other['orders']}"
    )
    if not same:
        raise SystemExit("positions or values differ, so the times do not count")
    theirs = other["seconds"]
    table([
        row("orders, fills and account of each bar", len(bars), columns, theirs),
        row("the same, and the metrics of its events", len(bars), whole, theirs),
        ("compiling, once for a version of the code", f"{compiling:.1f} s", "", ""),
        ("loading it in a new process", f"{loaded * 1e3:.0f} ms", "", ""),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
