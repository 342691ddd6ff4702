"""`peaktrade experiments top` over a million trials in 1,000 sweeps, as files that sweeps leave. Goal: 0.3 s."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import best, options

from peaktrade_core.base.clock import from_seconds
from peaktrade_core.research.experiments.rows import ExperimentQuery, Experiments
from peaktrade_core.research.trials.spec import Sweep
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore
from peaktrade_core.research.trials.table import TABLE
from peaktrade_core.workspace.workspace import Workspace

EACH = 1000  # trials of a sweep


def make(workspace: Workspace, trials: int, each: int, seed: int) -> None:
    """Write sweeps as they are when they are over: a record and a table of trials each."""
    store, rng = SweepStore(workspace), np.random.default_rng(seed)
    for number in range(trials // each):
        sweep = Sweep(name="b", question="q", strategy="ma_crossover", candles="c", parameters={"fast": [1]})
        sweep_id = f"sw_{number:012d}"
        store.save(
            SweepRecord(
                sweep_id=sweep_id, sweep=sweep, by="b", began_at=from_seconds(1.7e9 + number), trials=each, bars=1,
                held=0, since=None, data_sha256="", ended_at=from_seconds(1.7e9), symbol="BTC/EUR", timeframe="1h",
            )
        )  # fmt: skip
        at, sharpe = np.arange(each), rng.normal(0.0, 0.05, each)
        pq.write_table(_arrow(at, sharpe), store.folder / sweep_id / TABLE)


def _arrow(at: np.ndarray, sharpe: np.ndarray) -> pa.Table:
    n = len(at)
    text = {"decision_id": "dc_0123456789ab", "error": "", "denied": "{}"}
    counts = {"days": 500, "trades": 40, "fills": 80}
    return pa.table(
        {
            "number": at, "params": [f'{{"fast":{one},"slow":{2 * one}}}' for one in at],
            **{name: [value] * n for name, value in (text | counts).items()},
            "equity": 10_000.0 * (1.0 + sharpe), "total_return": sharpe, "sharpe": sharpe, "max_drawdown": abs(sharpe),
            "fees": sharpe, "exposure": abs(sharpe), "halted_at": pa.nulls(n, pa.string()),
        }
    )  # fmt: skip


def main() -> None:
    given = options(__doc__, 1_000_000)
    rows = []
    for each in (given.bars, 100_000, EACH):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            (home / "config").mkdir()
            (home / "config" / "config.toml").write_text("")
            workspace = Workspace(home)
            make(workspace, given.bars, each, given.seed)
            begin = time.perf_counter()
            ask = partial(Experiments(workspace).top, ExperimentQuery(), "sharpe", 10)
            ask()
            first = time.perf_counter() - begin
            seconds, _ = best(given.runs, ask)
            rows.append((f"{given.bars // each:,} sweeps", f"{given.bars:,}", f"{first:.3f} s", f"{seconds:.3f} s"))
    print("sweeps, trials, first call, best of the next")
    for row in rows:
        print(*row, sep="  ")


if __name__ == "__main__":
    main()
