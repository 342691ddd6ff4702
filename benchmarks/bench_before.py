"""The same commands by this checkout and by an older one, taking turns: wall time, CPU time and memory of each process.

On a machine with other work CPU time counts, since it does not contain the waiting. The older checkout is a folder, for
example made by ``git worktree add ../before REVISION``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from bench_cli import fill
from common import REPOSITORY, synthetic_bars

from peaktrade_core.records.registry import Registry
from peaktrade_core.workspace.ledger import REGISTRY, Ledger

PEAKTRADE = str(Path(sys.executable).with_name("peaktrade"))


class Cost(NamedTuple):
    """What a process took: wall and CPU time [s], and memory at its peak [MB]."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("before", type=Path, help="the older checkout")
    options.add_argument("--bars", type=int, default=100_000)
    options.add_argument("--records", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=5, help="medians of so many")
    given = options.parse_args()
    sides = {"before": given.before.resolve(), "now": REPOSITORY}
    print(f"{'':<34} {'before':>7} {'now':>7} {'ratio':>6}   CPU [s], then memory [MB] and wall [s]")
    with tempfile.TemporaryDirectory() as folder:
        candles = Path(folder) / "candles.parquet"
        write(candles, given.bars)
        homes = {side: home(Path(folder) / side) for side in sides}
        replay = ("--feed", "replay", "--candles", str(candles))
        commands = {
            f"backtest, {given.bars:,} bars": ("backtest", *replay),
            f"session run, {given.bars:,} bars": ("session", "run", *replay),
            "runbook run session_report": ("runbook", "run", "session_report"),
        }
        for what, command in commands.items():
            compare(what, sides, homes, command, given.runs)
        for side, path in homes.items():
            fill(Registry(path / "many", path / "unused", Ledger(path).section(REGISTRY)), given.records)
            (path / "many").rename(path / "reports" / "experiments" / f"{side}")
            records = path / "reports" / "experiments" / "live_sessions"
            records.rename(records.with_name("few"))
            records.with_name(side).rename(records)
        compare(f"first index of {given.records:,} records", sides, homes, ("session", "list"), given.runs, index=False)


def home(path: Path) -> Path:
    """Make a workspace."""
    (path / "config").mkdir(parents=True)
    (path / "config" / "config.toml").write_bytes((REPOSITORY / "config" / "config.toml").read_bytes())
    return path


def write(path: Path, bars: int) -> None:
    """Write bars of the embedded market as a file of candles."""
    made = synthetic_bars(42, bars)
    opens = pa.array((made.ts * 1e6).astype(np.int64), pa.timestamp("us", tz="UTC"))
    columns = [opens, *(pa.array(np.ascontiguousarray(column)) for column in made.ohlcv.T)]
    pq.write_table(pa.table(columns, names=["ts", "open", "high", "low", "close", "volume"]), path)


def compare(
    what: str,
    sides: dict[str, Path],
    homes: dict[str, Path],
    command: tuple[str, ...],
    runs: int,
    *,
    index: bool = True,
) -> None:
    """Run a command by both checkouts in turns, after a first time that does not count, and print a line."""
    costs: dict[str, list[Cost]] = {side: [] for side in sides}
    for number in range(runs + 1):
        for side, checkout in sides.items():
            if not index:
                for file in (homes[side] / ".cache").glob("registry.sqlite*"):
                    file.unlink()
            cost = one([PEAKTRADE, *command, "--home", str(homes[side])], checkout)
            costs[side] += [cost] if number else []
    before, now = (Cost(*map(statistics.median, zip(*costs[side], strict=True))) for side in sides)
    more = f"{before.memory:5.0f} {now.memory:5.0f}  {before.wall:6.2f} {now.wall:6.2f}"
    print(f"{what:<34} {before.cpu:>7.2f} {now.cpu:>7.2f} {before.cpu / now.cpu:>6.2f}   {more}", flush=True)


def one(command: list[str], checkout: Path) -> Cost:
    """Run a command with the package of a checkout."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment | {"PYTHONPATH": str(checkout)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode} in {checkout}")
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
