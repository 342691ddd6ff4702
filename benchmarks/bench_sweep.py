"""A sweep of 100 combinations over many bars: all cores beside one. Rates are bars times combinations.

The trials are those of `peaktrade sweep run`: the decision code with its limits, day marks and figures.
"""

from __future__ import annotations

import os
import resource
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench_backtest import MARKET, WARMUP, WIDE
from common import best, options, row, synthetic_bars, table

from peaktrade_core.research.trials.trial import try_out
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.strategies import get_strategy

POINTS = [{"fast": fast, "slow": slow} for fast in range(5, 55, 5) for slow in range(60, 260, 20)]


def main() -> None:
    given = options(__doc__, 100_000)
    bars, strategy = synthetic_bars(given.seed, given.bars), get_strategy("ma_crossover")
    base = Decision(strategy, strategy.params(), MARKET, WIDE, 60.0, 10_000.0)
    with tempfile.TemporaryDirectory() as folder:
        one = partial(try_out, 0, base, bars=bars, warmup=WARMUP, cache=Path(folder))
        one(POINTS[0])  # compiled, and not counted

        def swept(threads: int) -> float:
            with ThreadPoolExecutor(threads) as pool:
                return best(given.runs, lambda: list(pool.map(one, POINTS)))[0]

        cores = os.cpu_count() or 1
        table([row(f"{cores} cores beside one", len(POINTS) * given.bars, swept(cores), swept(1))])
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
