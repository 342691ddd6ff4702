"""Twenty runs at once for ten accelerated hours, a watcher beside them: nothing is lost, and commands stay quick.

Each run is a process that trades a bar a market minute. On the way one run is killed with SIGKILL and one is stopped. At
the end every journal must hold every bar once, every record must agree with its journal (the post-session check folds it
anew), and the killed run must have been recovered with its figures.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from common import scratch

from peaktrade_core.base.question import FAIL
from peaktrade_core.fleet.fleet import Fleet
from peaktrade_core.fleet.orders import order_of
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.runs.questions import post_session_checks
from peaktrade_core.runs.views import Views
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.events import BarDone
from peaktrade_core.workspace.workspace import Workspace

PEAKTRADE = str(Path(sys.executable).with_name("peaktrade"))
BAR_S = 60.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--running", type=int, default=20)
    options.add_argument("--hours", type=float, default=10.0, help="of market time")
    options.add_argument("--seconds", type=float, default=300.0, help="that they take")
    given = options.parse_args()
    with scratch("alerts.toml") as home:
        workspace = Workspace(home)
        steps = round(given.hours * 3600 / BAR_S)
        pace = str(round(given.hours * 3600 / given.seconds))
        watcher = subprocess.Popen([PEAKTRADE, "watch", "--home", str(home)], stdout=subprocess.DEVNULL)
        try:
            ids = []
            for seed in range(given.running):
                wishes = {"mode": "shadow", "seed": seed, "pace": pace, "steps": steps}
                started = Fleet.of(workspace).start(order_of(workspace, wishes), by="endurance", allow_duplicate=True)
                ids.append(started.run_id)
            killed, stopped = ids[0], ids[1]
            times = play(home, workspace, killed, stopped, given.seconds)
        finally:
            watcher.send_signal(signal.SIGTERM)
            watcher.wait(30)
            list(Fleet.of(workspace).stop(Fleet.of(workspace).active(), by="endurance", reason="over"))
        report(workspace, ids, killed, stopped, steps, times)


def play(home: Path, workspace: Workspace, killed: str, stopped: str, seconds: float) -> dict[str, list[float]]:
    """Ask the commands until nothing runs any more; kill one run at a third, stop one at two thirds."""
    times: dict[str, list[float]] = {"fleet status": [], "monitor overview": []}
    begun, done = time.monotonic(), set()
    while Fleet.of(workspace).active():
        passed = time.monotonic() - begun
        if passed > 3 * seconds + 120:
            raise SystemExit(f"still running: {Fleet.of(workspace).active()}")
        if passed > seconds / 3 and "kill" not in done:
            done.add("kill")
            beat = RunFolder(workspace.runs, killed).heartbeat()
            assert beat is not None
            psutil.Process(beat.pid).kill()
        if passed > seconds * 2 / 3 and "stop" not in done:
            done.add("stop")
            subprocess.run([PEAKTRADE, "fleet", "stop", stopped, "--home", str(home)], check=True, capture_output=True)
        for words, took in times.items():
            before = time.perf_counter()
            subprocess.run([PEAKTRADE, *words.split(), "--home", str(home)], check=True, capture_output=True)
            took.append(time.perf_counter() - before)
        time.sleep(5.0)
    return times


def report(
    workspace: Workspace, ids: list[str], killed: str, stopped: str, steps: int, times: dict[str, list[float]]
) -> None:
    """Print what came of it.

    Raises:
        SystemExit: something was lost.
    """
    recover(workspace)
    wrong, bars = [], 0
    for run_id in ids:
        record = Views.of(workspace).record(run_id)
        seen = [event.step for event in Views.of(workspace).events(run_id) if type(event) is BarDone]
        bars += len(seen)
        expected = "aborted" if run_id in (killed, stopped) else "completed"
        if record.status != expected:
            wrong.append(f"{run_id} is {record.status}, not {expected}")
        if seen != list(range(seen[0], seen[0] + len(seen))):
            wrong.append(f"{run_id}: bars are missing or twice")
        if expected == "completed" and len(seen) != steps:
            wrong.append(f"{run_id}: {len(seen)} bars, not {steps}")
        figures = [one for one in post_session_checks(Views.of(workspace).look(run_id)) if one.status == FAIL]
        wrong += [f"{run_id}: {one.question} {one.evidence}" for one in figures if expected == "completed"]
    print(f"{len(ids)} runs, {bars:,} bars, one killed, one stopped; lost or wrong: {len(wrong)}")
    for words, took in times.items():
        print(f"{words:<20} median {statistics.median(took):.3f} s, longest {max(took):.3f} s, {len(took)} times")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    os.environ.pop("PEAKTRADE_HOME", None)
    main()
