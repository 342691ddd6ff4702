"""What is killed with SIGKILL goes on: no part is computed twice, the ledger counts the sweep whole and once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.research.trials import cluster as clustering
from peaktrade_core.research.trials import search as searching
from peaktrade_core.research.trials.cluster import Cluster
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import Prepared, SweepRecord, SweepStore, prepare, run_sweep
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

SCHEDULER = """\
import sys, time
from distributed import LocalCluster
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


def asked(candles: Path, fast: int) -> Sweep:
    return Sweep(
        name="s", question="Does it survive?", strategy="ma_crossover", symbol="BTC/EUR", timeframe="1h",
        candles=str(candles), warmup_candles=200,
        parameters={"fast": {"from": 2, "to": fast, "step": 1}, "slow": {"from": 90, "to": 189, "step": 1}},
        judge=Judge(least_trades=3, blocks=8), walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
    )  # fmt: skip


def kept(workspace: Workspace) -> dict[str, tuple[bytes, int]]:
    """Return the bytes of each part, and when it was written."""
    files = sorted(SweepStore(workspace).folder.rglob("parts/*.*"))
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files if path.suffix != ".tmp"}


def assert_gone_on(
    workspace: Workspace, ready: Prepared, whole: dict[str, tuple[bytes, int]], parts: set[int], expected: SweepRecord
) -> None:
    """Go on with a killed sweep: its whole parts stay as they were, and the rest is as if nobody had killed it."""
    begun, ledger = kept(workspace), TrialLedger(workspace)
    assert ledger.count(ready.market) == ready.plan.trials  # counted before the first one, and whole
    record = run_sweep(workspace, ready, threads=2)
    after = kept(workspace)
    for part in parts:
        for name in (f"{part:05d}.jsonl", f"{part:05d}.marks"):
            assert after[name] == begun[name], name
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in whole.items()}
    numbers = [one.number for one in SweepStore(workspace).trials(ready.sweep_id)]
    assert numbers == list(range(ready.plan.trials))
    assert (record.counted, ledger.count(ready.market)) == (ready.plan.trials, ready.plan.trials)
    assert (record.best, record.figures, record.verdict) == (expected.best, expected.figures, expected.verdict)


def test_a_sweep_that_is_killed_goes_on_where_it_was(
    home: Path, workspace: Workspace, other: Workspace, wavy: Path
) -> None:
    store, path = SweepStore(workspace), home / "s.toml"
    path.write_text(
        f'question = "q"\nstrategy = "ma_crossover"\ncandles = "{wavy}"\nsymbol = "BTC/EUR"\ntimeframe = "1h"\n'
        "[parameters]\nfast = {from = 2, to = 31, step = 1}\nslow = {from = 90, to = 189, step = 1}\n"
        "[judge]\nleast_trades = 3\nblocks = 8\n[walk_forward]\nwindows = 0\n[null]\nshuffles = 0\n"
    )
    command = [sys.executable, "-m", "peaktrade_core", "sweep", "run", path, "--home", home, "--threads", "1"]
    running = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 120
        while len(list(store.folder.rglob("parts/*.jsonl"))) < 2 and running.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        running.kill()
    finally:
        said = running.communicate()
    assert running.returncode == -signal.SIGKILL, said
    (sweep_id,) = store.ids()
    parts, record = store.parts(sweep_id), store.load(sweep_id)
    assert record.ended_at is None
    assert 2 <= len(parts) < 47
    ready = prepare(workspace, record.sweep)
    assert ready.sweep_id == sweep_id
    expected = run_sweep(other, prepare(other, record.sweep), threads=2)
    assert_gone_on(workspace, ready, kept(other), parts, expected)


@pytest.fixture
def scheduler(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str]]:
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    command = [sys.executable, script, str(getattr(request, "param", 1))]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert running.stdout is not None
    try:
        yield running, running.stdout.readline().strip()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # its workers, too: they are of its group
        running.wait()
        running.stdout.close()


@pytest.mark.parametrize(("scheduler", "killed"), [(2, 1), (1, 1)], indirect=["scheduler"])
def test_a_worker_that_is_killed_costs_no_part_twice(
    workspace: Workspace,
    other: Workspace,
    wavy: Path,
    scheduler: tuple[subprocess.Popen[str], str],
    killed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kill workers in the middle: the others do their tasks; where none is left, the sweep says so and goes on later."""
    monkeypatch.setattr(searching, "PART", 16)
    monkeypatch.setattr(clustering, "MOST_PARTS", 1)
    monkeypatch.setattr(clustering, "LOST_S", 1.0)
    ready, keep, written = prepare(workspace, asked(wavy, 5)), SweepStore.keep, list[int]()
    with Cluster(scheduler[1]) as crew:
        workers = list(crew._client.run(os.getpid).values())

        def killing(self: SweepStore, sweep_id: str, part: int, found: Any) -> None:
            keep(self, sweep_id, part, found)
            written.append(part)
            if part == 2:
                for pid in workers[:killed]:
                    os.kill(pid, signal.SIGKILL)

        monkeypatch.setattr(SweepStore, "keep", killing)
        if len(workers) > killed:
            run_sweep(workspace, ready, crew=crew)
        else:
            with pytest.raises(EnvironmentFault, match="what is on disk stays"):
                run_sweep(workspace, ready, crew=crew)
    monkeypatch.setattr(SweepStore, "keep", keep)
    assert written == sorted(set(written))
    assert (len(written) == 25) is (len(workers) > killed)
    expected = run_sweep(other, prepare(other, asked(wavy, 5)), threads=2)
    assert_gone_on(workspace, ready, kept(other), set(written), expected)


@pytest.mark.parametrize("scheduler", [2], indirect=True)
def test_a_worker_that_has_the_only_copy_of_the_bars_is_killed(
    workspace: Workspace, wavy: Path, scheduler: tuple[subprocess.Popen[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask keeps one copy of what no task waits for; with its worker the bars were gone, and the sweep ended."""
    monkeypatch.setattr(searching, "PART", 16)
    monkeypatch.setattr(clustering, "MOST_PARTS", 1)
    ready, keep, written = prepare(workspace, asked(wavy, 5)), SweepStore.keep, list[int]()
    with Cluster(scheduler[1]) as crew:
        client = crew._client
        pids = client.run(os.getpid)

        def killing(self: SweepStore, sweep_id: str, part: int, found: Any) -> None:
            keep(self, sweep_id, part, found)
            written.append(part)
            if part == 2:
                until(lambda: not any(client.processing().values()))
                (times, _) = crew._sent[1]
                until(lambda: client.amm.run_once() or len(client.who_has([times])[times.key]) == 1)
                os.kill(pids[client.who_has([times])[times.key][0]], signal.SIGKILL)

        monkeypatch.setattr(SweepStore, "keep", killing)
        record = run_sweep(workspace, ready, crew=crew)
    assert (written, record.ended_at is None) == (sorted({*range(25)}), False)


def test_a_scheduler_that_is_killed_loses_nothing(
    workspace: Workspace,
    other: Workspace,
    wavy: Path,
    scheduler: tuple[subprocess.Popen[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searching, "PART", 16)
    monkeypatch.setattr(clustering, "MOST_PARTS", 1)
    monkeypatch.setattr(clustering, "CONNECT_S", 3.0)
    running, address = scheduler
    ready, keep = prepare(workspace, asked(wavy, 5)), SweepStore.keep

    def killing(self: SweepStore, sweep_id: str, part: int, found: Any) -> None:
        keep(self, sweep_id, part, found)
        if part == 2:
            os.kill(running.pid, signal.SIGKILL)
            running.wait()

    monkeypatch.setattr(SweepStore, "keep", killing)
    with pytest.raises(EnvironmentFault, match="what is on disk stays"), Cluster(address) as crew:
        run_sweep(workspace, ready, crew=crew)
    monkeypatch.setattr(SweepStore, "keep", keep)
    parts = SweepStore(workspace).parts(ready.sweep_id)
    assert {0, 1, 2} <= parts
    assert len(parts) < 25
    expected = run_sweep(other, prepare(other, asked(wavy, 5)), threads=2)
    assert_gone_on(workspace, ready, kept(other), parts, expected)
