"""All of ``session run`` in one process - risk, journal with fsync as shipped, record - beside backtesting.py.

Costs are 1 basis point, so that the session does not halt on its drawdown and trades to its end.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import baseline, options, row, synthetic_bars, table

from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

CONFIG = Path(__file__).resolve().parent.parent / "config" / "config.toml"
WARMUP, FEE_BPS = 200, 1.0


class MemoryFeed:
    """Bars that are there already, so that making them is not measured."""

    name = "replay"
    simulated = True
    data_sha256 = None

    def __init__(self, bars: Bars) -> None:
        self.bars = [bars[row] for row in range(len(bars))]

    def __iter__(self) -> Iterator[Bar]:
        return iter(self.bars)

    def __len__(self) -> int:
        return len(self.bars)


def session(feed: MemoryFeed, home: Path) -> tuple[float, float, SessionRecord]:
    """Run one session in a fresh workspace; return the times of the loop and of everything [s], and its record."""
    (home / "config").mkdir(parents=True)
    text = (
        CONFIG.read_text()
        .replace("fee_bps = 26.0", f"fee_bps = {FEE_BPS}")
        .replace("slippage_bps = 5.0", "slippage_bps = 0.0")
    )
    (home / "config" / "config.toml").write_text(text)
    workspace = Workspace(home)
    plan = plan_session(workspace, steps=len(feed) - WARMUP, warmup_candles=WARMUP)._replace(feed=feed)
    moments: dict[str, float] = {}

    def watch(progress: Any) -> None:
        moments.setdefault(progress.phase, time.perf_counter())

    begin = time.perf_counter()
    record = run_session(plan, Desk.of(workspace), watch=watch)
    end = time.perf_counter()
    if record.status != "completed" or record.metrics["orders_blocked_risk"]:
        raise SystemExit(f"the session ended {record.status} with {record.metrics}, so the times do not count")
    return moments["ended"] - moments["running"], end - begin, record


def main() -> None:
    given = options(__doc__, 100_000)
    bars = synthetic_bars(given.seed, given.bars + WARMUP)
    feed = MemoryFeed(bars)
    with tempfile.TemporaryDirectory() as folder:
        done = [session(feed, Path(folder) / str(run)) for run in range(given.runs)]
    other = baseline(given.baseline_python, "backtesting", bars, warmup=WARMUP, runs=given.runs, fee=FEE_BPS / 1e4)
    loop, whole, metrics = min(d[0] for d in done), min(d[1] for d in done), done[-1][2].metrics
    print(f"{given.bars:,} bars, {metrics['num_orders']} orders, {metrics['num_trades']} trades; best of {given.runs}")
    if abs(metrics["num_trades"] - other["trades"]) > 1:  # backtesting.py may close the last one
        raise SystemExit(f"backtesting.py made {other['trades']} trades, so the times do not count")
    theirs = other["seconds"]
    table([
        row("loop with journal and risk", given.bars, loop, theirs),
        row("the same with finish: table, record", given.bars, whole, theirs),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
