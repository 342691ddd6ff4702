"""A session whose PnL is not what a backtest gives, for the outputs of its notebook: candles and costs that were wrong."""

from __future__ import annotations

from contextlib import chdir
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from peaktrade_core.base.clock import FixedClock
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.market import Bar
from peaktrade_core.workspace.config import CONFIG
from peaktrade_core.workspace.workspace import Workspace

BEGAN = "2026-01-05T06:45:00+00:00"  # after the sessions that every workspace has
CANDLES = "data/session_candles.parquet"


def prepare_divergence(home: Path) -> None:
    """Run a session over a file with a bad print and with too much slippage; both are mended afterwards."""
    config = home / CONFIG
    text = config.read_text()
    bars = list(SyntheticFeed(4, 60, bars=600))
    wrong = list(bars)
    wrong[350] = bars[350]._replace(close=round(bars[350].close * 1.03, 2), high=round(bars[350].high * 1.04, 2))
    write_candles(home / CANDLES, wrong)
    config.write_text(text.replace("slippage_bps = 5.0", "slippage_bps = 16.0"))
    workspace = Workspace(home)
    workspace.clock = FixedClock(datetime.fromisoformat(BEGAN), timedelta(milliseconds=1))
    with chdir(home):  # so that the record names no folder of this machine
        plan = plan_session(workspace, candles=CANDLES, params={"fast": 2, "slow": 5}, notes="Its loss surprised us.")
    run_session(plan, Desk.of(workspace))
    config.write_text(text)
    write_candles(home / CANDLES, bars)


def write_candles(path: Path, bars: list[Bar]) -> None:
    """Write bars as a candle file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = pa.array([int(bar.ts * 1e6) for bar in bars], pa.timestamp("us", tz="UTC"))
    columns = {name: [getattr(bar, name) for bar in bars] for name in ("open", "high", "low", "close", "volume")}
    pa.parquet.write_table(pa.table({"timestamp": stamps, **columns}), path)
