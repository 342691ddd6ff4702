"""Whole-process times of `fleet status` and `monitor overview`, with runs that live and runs that ended.

The living ones are real processes; the ended ones have a record and a journal. What a follower costs while nothing
happens is measured as its share of one core. Baseline: an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from bench_cli import seconds
from common import scratch

from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.records import encode_record
from peaktrade_core.workspace.workspace import Workspace


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--running", type=int, default=20)
    options.add_argument("--finished", type=int, default=200)
    options.add_argument("--bars", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    with scratch() as home:
        workspace = Workspace(home)
        finish(workspace, given.finished, given.bars)
        try:
            for seed in range(given.running):
                order = order_of(workspace, {"mode": "shadow", "seed": seed, "pace": "60", "steps": 100_000})
                Fleet.of(workspace).start(order, by="benchmark", allow_duplicate=True)
            measure(home, given)
        finally:
            list(Fleet.of(workspace).stop(Fleet.of(workspace).active(), by="benchmark", reason="done"))


def finish(workspace: Workspace, count: int, bars: int) -> None:
    """Run one session and copy it until there are enough that ended."""
    record = run_session(plan_session(workspace, steps=bars), Desk.of(workspace))
    source = RunFolder(workspace.runs, record.session_id).path
    for n in range(1, count):
        record.session_id = record.run_id = f"shadow_20260101_000000_{n:06x}"
        shutil.copytree(source, workspace.runs / record.session_id)
        Registry.of(workspace).path_of(record).write_bytes(encode_record(record))


def measure(home: Path, given: argparse.Namespace) -> None:
    """Print the times."""
    peaktrade = str(Path(sys.executable).with_name("peaktrade"))
    nothing = seconds([sys.executable, "-c", "pass"], given.runs)
    print(f"{given.running} running, {given.finished} finished runs of {given.bars:,} bars")
    print(f"{'whole process, median':<44} {'s':>8} {'cpu s':>8} {'goal':>8} {'x pass':>8}")
    print(f"{'python -c pass':<44} {nothing:>8.3f} {cpu([sys.executable, '-c', 'pass'], given.runs):>8.3f}")
    for words in (["fleet", "status"], ["monitor", "overview"], ["monitor", "overview", "--include-inactive"]):
        command = [peaktrade, *words, "--home", str(home)]
        seconds(command, 1)
        took = seconds(command, given.runs)
        print(
            f"{'peaktrade ' + ' '.join(words):<44} {took:>8.3f} {cpu(command, given.runs):>8.3f} {0.3:>8} {took / nothing:>8.1f}"
        )
    print(f"{'monitor follow, all, share of a core':<44} {'':>8} {following(peaktrade, home):>8.1%} {0.02:>8}")


def cpu(command: list[str], runs: int) -> float:
    """Return the mean processor time of a command [s], which other work on the machine does not lengthen much."""
    before = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    for _ in range(runs):
        subprocess.run(command, check=True, capture_output=True)
    return (sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before) / runs


def following(peaktrade: str, home: Path) -> float:
    """Return the share of a core that `monitor follow` takes."""
    process = subprocess.Popen([peaktrade, "monitor", "follow", "--home", str(home)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(3.0)
        watched = psutil.Process(process.pid)
        before, begun = sum(watched.cpu_times()[:2]), time.monotonic()
        time.sleep(10.0)
        return (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - begun)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    os.environ.pop("PEAKTRADE_HOME", None)
    main()
