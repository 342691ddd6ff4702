"""Whole-process times of the command line: help, and a list over 10,000 records.

Baselines: an interpreter that does nothing, and a script that reads every record with the standard library.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from common import scratch

from peaktrade_core.records.registry import Registry
from peaktrade_core.trading.records import SCHEMA_VERSION, SessionRecord, encode_record
from peaktrade_core.workspace.workspace import Workspace

NAIVE = """
import json, pathlib, sys
records = [json.loads(path.read_text()) for path in pathlib.Path(sys.argv[1]).glob("*.json")]
records.sort(key=lambda record: record["started_at"], reverse=True)
for record in records[:20]:
    print(record["session_id"], record["status"], record["metrics"].get("realized_pnl"))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    peaktrade = Path(sys.executable).with_name("peaktrade")
    with scratch() as home:
        registry = Registry.of(Workspace(home))
        fill(registry, given.records)
        listing = [str(peaktrade), "session", "list", "--home", str(home)]
        first = seconds(listing, 1)
        table = [
            ("peaktrade --help", seconds([str(peaktrade), "--help"], given.runs), 0.15),
            ("  baseline: python -c pass", seconds([sys.executable, "-c", "pass"], given.runs), None),
            (f"session list, {given.records:,} records", seconds(listing, given.runs), 0.30),
            ("  the first time, which builds the index", first, None),
            (
                "  baseline: json.loads of every file",
                seconds([sys.executable, "-c", NAIVE, str(registry.folder)], given.runs),
                None,
            ),
        ]
    print(f"{'whole process, median':<44} {'s':>8} {'goal':>8}")
    for name, took, goal in table:
        print(f"{name:<44} {took:>8.3f} {goal if goal else '':>8}")


def fill(registry: Registry, count: int) -> None:
    """Write records without the fsync of each, which is not what is measured."""
    registry.folder.mkdir(parents=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for n in range(count):
        at = start + timedelta(minutes=n)
        session_id = f"shadow_{at:%Y%m%d_%H%M%S}_{n:06x}"
        record = SessionRecord(
            session_id=session_id,
            run_id=session_id,
            run_type="live_session_shadow",
            mode="shadow",
            env_name="kraken",
            symbol="BTC/EUR",
            status="failed" if n % 50 == 7 else "completed",
            started_at=at,
            finished_at=at + timedelta(minutes=30),
            created_at=at,
            config={"strategy_name": "ma_crossover", "params": {"fast": 20, "slow": 50}, "start_balance": 10_000.0},
            metrics={
                "realized_pnl": n % 100 - 50.0,
                "max_drawdown": 0.01,
                "num_orders": n % 30,
                "risk_status": "green",
            },
            cli_args=["peaktrade", "session", "run"],
            error="DataError: a gap" if n % 50 == 7 else None,
            strategy_tier="core",
            schema_version=SCHEMA_VERSION,
        )
        registry.path_of(record).write_bytes(encode_record(record))


def seconds(command: list[str], runs: int) -> float:
    """Return the median wall time of a command [s]."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


if __name__ == "__main__":
    main()
