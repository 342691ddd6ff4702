"""A sweep of 100 combinations over many bars: all cores beside one, shared signals, vectorbt, memory up to 10,000 trials.

The trials are those of `peaktrade sweep run`: the decision code with its limits, day marks and figures. Rates are bars times
combinations. vectorbt runs the same combinations with its usual figures where `--baseline-python` has it; its final values must
be ours to the cent.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_backtest import FEE, MARKET, WARMUP, WIDE
from common import baseline, options, rate, synthetic_bars, table

from peaktrade_core.research.trials.crew import Threads, Work
from peaktrade_core.research.trials.search import PART
from peaktrade_core.trading.decision import Decision
from peaktrade_core.trading.strategies import get_strategy

FASTS, SLOWS = range(5, 55, 5), range(60, 260, 20)
POINTS: list[dict[str, Any]] = [{"fast": fast, "slow": slow} for fast in FASTS for slow in SLOWS]
SHARED: list[dict[str, Any]] = [
    {"fast": fast, "slow": 100, "fee_bps": fee, "max_order_notional": most}
    for fast in (10, 20, 30, 40)
    for fee in (1, 5, 10, 26, 40)
    for most in (400, 550, 700, 1000, 2000)
]


def swept(work: Work, points: list[dict[str, Any]], threads: int) -> tuple[float, float, list[float]]:
    """Return elapsed and CPU time [s], and the equity at the end of each trial."""
    parts = (list(enumerate(points[at : at + PART], at)) for at in range(0, len(points), PART))
    begin, used = time.perf_counter(), time.process_time()
    with Threads(threads) as crew:
        ends = [trial.equity or 0.0 for found in crew.run(work, parts) for trial, _ in found]
    return time.perf_counter() - begin, time.process_time() - used, ends


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    given = options(__doc__, 100_000)
    bars, strategy = synthetic_bars(given.seed, given.bars), get_strategy("ma_crossover")
    base, cores = Decision(strategy, strategy.params(), MARKET, WIDE, 60.0, 10_000.0), os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        work = Work(base, bars, WARMUP, Path(folder))
        swept(work, POINTS[:1], 1)  # compiled, and not counted
        rows = []
        for name, points in (("strategy's parameters", POINTS), ("costs and limits, shared signals", SHARED)):
            runs = [(swept(work, points, cores), swept(work, points, 1)) for _ in range(given.runs)]
            size = len(points) * given.bars
            many, one = min(run[0][0] for run in runs), min(run[1][0] for run in runs)
            cpu = min(run[1][1] for run in runs)
            rows.append((f"{name}: {cores} cores, one", rate(size, many), rate(size, one), f"{one / many:.2f}"))
            rows.append((f"{name}: a second of CPU time", rate(size, cpu), "", ""))
        try:
            grid = {"fasts": len(FASTS), "slows": len(SLOWS)}
            other = baseline(given.baseline_python, "vectorbt_sweep", bars, warmup=WARMUP, runs=2, fee=FEE, **grid)
        except SystemExit as fault:
            print(fault)
        else:
            elapsed, cpu, ends = swept(work, POINTS, cores)
            apart = max(abs(ours - theirs) for ours, theirs in zip(ends, other["finals"], strict=True))
            if apart > 0.01:
                raise SystemExit(f"final values differ by {apart:.4f}, so the times do not count")
            size = len(POINTS) * given.bars
            for name, ours, theirs in (("", elapsed, other["seconds"]), (", CPU time", cpu, other["cpu"])):
                rows.append((f"beside vectorbt{name}", rate(size, ours), rate(size, theirs), f"{theirs / ours:.1f}"))
            print(f"vectorbt took {other['megabytes']:.0f} MB")
        table(rows)
        print(f"peak memory {memory():.0f} MB")
        few = Work(base, bars.part(0, 2_000), WARMUP, Path(folder))
        for trials in (1_000, 10_000):
            parts = ([(n, POINTS[n % len(POINTS)]) for n in range(at, at + PART)] for at in range(0, trials, PART))
            with Threads(cores) as crew:
                for _ in crew.run(few, parts):
                    pass
            print(f"peak memory after {trials:,} trials {memory():.0f} MB")


if __name__ == "__main__":
    main()
