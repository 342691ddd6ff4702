"""Kill sessions at random moments and look whether anything that was acknowledged is lost (run by test_kill.py).

A parent that has imported everything forks a child for each round. The child runs an endless session and acknowledges
the journal's committed count after every commit; the parent kills it after a random time, recovers and compares.
Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import numpy as np

from peaktrade_core.records.bar_table import write_table
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import Journal, read_journal, whole_events
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.session import session
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.recovery import recover
from peaktrade_core.trading.tally import figures, fold
from peaktrade_core.workspace.workspace import Workspace

LONGEST_S = 0.020


class Acknowledging(Journal):
    """A journal that says on a pipe what is safe."""

    pipe = -1

    def commit(self) -> None:
        super().commit()
        os.write(self.pipe, b"%d\n" % self.committed)


def child(home: str, pipe: int) -> None:
    """Run a session that ends only by being killed."""
    Acknowledging.pipe = pipe
    session.Journal = Acknowledging
    workspace = Workspace(home)
    plan = plan_session(workspace, steps=50_000_000, warmup_candles=50, params={"fast": 2, "slow": 5}, seed=os.getpid())
    session.run_session(plan, Desk.of(workspace))


def kill_one(home: str, wait_s: float, *, trading: bool) -> int:
    """Run a session, kill it after a while and return the last count that it acknowledged, -1 for none.

    The while begins with the process or, when ``trading``, with its first acknowledgement.
    """
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read_end)
        try:
            child(home, write_end)
        finally:
            os._exit(1)
    os.close(write_end)
    first = os.read(read_end, 64) if trading else b""
    time.sleep(wait_s)
    os.kill(pid, signal.SIGKILL)
    with os.fdopen(read_end, "rb") as pipe:
        said = (first + pipe.read()).split(b"\n")[:-1]  # what follows the last newline was not said whole
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, "the session ended before it was killed"
    return int(said[-1]) if said else -1


def faults_of(workspace: Workspace, record: object, acknowledged: int) -> list[str]:
    """Return what is wrong with a recovered session."""
    folder = RunFolder(workspace.runs, record.session_id)
    events = list(whole_events(folder.journal))
    faults = []
    if folder.journal.exists() and list(read_journal(folder.journal)) != events:
        faults.append("the journal cannot be read")
    if len(events) < acknowledged:
        faults.append(f"{acknowledged} events were acknowledged, {len(events)} are there")
    if record.status != "aborted" or not str(record.error).startswith("ProcessDied"):
        faults.append(f"recovered as {record.status}: {record.error}")
    metrics = fold(events, 10_000.0).metrics()
    if figures(metrics) != record.metrics:
        faults.append("the metrics are not the fold of the journal")
    off = metrics.equity_end - 10_000.0 - metrics.realized_pnl - metrics.unrealized_pnl
    if abs(off) > 1e-6:
        faults.append(f"the identity is off by {off}")
    if Views.of(workspace).record(record.session_id) != record:
        faults.append("the registry shows another record")
    return faults


def main(home: str, rounds: int, seed: int) -> None:
    """Run the rounds and print what was found."""
    rng = random.Random(seed)
    workspace = Workspace(home)
    np.random.default_rng(0).standard_t(5.0, 10)
    write_table(workspace.home / "warm.parquet", [])
    faults: list[str] = []
    acknowledged, early = [], 0
    for number in range(rounds):
        count = kill_one(home, rng.uniform(0.0, LONGEST_S), trading=number % 2 == 1)
        recovered = recover(workspace)
        if not recovered:
            early += 1  # it died before it was a session; then nothing was acknowledged
            faults += [f"acknowledged {count} without a record"] if count >= 0 else []
            continue
        acknowledged.append(count)
        faults += [f"{recovered[0].session_id}: {fault}" for fault in faults_of(workspace, recovered[0], count)]
        faults += ["more than one was recovered"] if len(recovered) > 1 else []
    left = len(Registry.of(workspace).entries(Query(status="started")))
    print(json.dumps({"faults": faults, "acknowledged": acknowledged, "early": early, "left": left}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
