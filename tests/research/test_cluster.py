"""A sweep on a dask cluster gives the same bytes as threads, whatever happens to its workers; other code is refused."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from peaktrade_core.base.errors import ConfigError, EnvironmentFault
from peaktrade_core.research.trials import cluster as clustering
from peaktrade_core.research.trials import search as searching
from peaktrade_core.research.trials.cluster import Cluster
from peaktrade_core.research.trials.crew import Threads
from peaktrade_core.research.trials.spec import Judge, Null, Search, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepStore, prepare, run_sweep
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

MODULE = '''
from typing import NamedTuple
from peaktrade_core.trading.strategies import register

class P(NamedTuple):
    level: float = 1.0

def above(c, level):
    return c > 1000.0 * level

@register("cluster_test", P, slots=lambda p: 1, warmup=lambda p: 0)
def cluster_test(p, s, o, h, l, c, v):
    """Long above a level."""
    return 1.0 if above(c, p.level) else 0.0
'''


@pytest.fixture(scope="module")
def scheduler() -> Iterator[LocalCluster]:
    options: dict[str, Any] = {"host": "127.0.0.1", "dashboard_address": None, "threads_per_worker": 1}
    with LocalCluster(n_workers=2, processes=True, **options) as found:
        yield found


def asked(candles: Path, **more: Any) -> Sweep:
    given = {
        "name": "s", "question": "Is it the same everywhere?", "strategy": "ma_crossover", "symbol": "BTC/EUR",
        "timeframe": "1h", "candles": str(candles), "warmup_candles": 200,
        "parameters": {"fast": {"from": 2, "to": 40, "step": 2}, "slow": [30, 60, 90], "fee_bps": [10, 26]},
        "judge": Judge(least_trades=3, blocks=8), "walk_forward": WalkForward(windows=2), "null": Null(shuffles=2),
    }  # fmt: skip
    return Sweep(**{**given, **more})


def parts(workspace: Workspace) -> dict[str, bytes]:
    folder = SweepStore(workspace).folder
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("parts/*"))}


def test_a_cluster_gives_the_same_bytes_as_threads(
    workspace: Workspace, other: Workspace, wavy: Path, scheduler: LocalCluster
) -> None:
    record = run_sweep(workspace, prepare(workspace, asked(wavy)), threads=2)
    with Cluster(scheduler.scheduler_address) as crew:
        there = run_sweep(other, prepare(other, asked(wavy)), crew=crew)
    assert len(parts(workspace)) == 4
    assert parts(other) == parts(workspace)
    assert (there.sweep_id, there.best, there.verdict) == (record.sweep_id, record.best, record.verdict)


def test_what_a_lost_worker_had_begun_is_done_again(
    workspace: Workspace, other: Workspace, wavy: Path, scheduler: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "PART", 4)
    ready = prepare(other, asked(wavy))
    with Cluster(scheduler.scheduler_address) as crew, Client(scheduler.scheduler_address) as client:
        workers = client.run(os.getpid)
        found = crew.run(ready.over(ready.bars), ([(n, {"fast": 2 + n % 20, "slow": 60})] for n in range(200)))
        ours = [next(found)]
        os.kill(next(iter(workers.values())), signal.SIGKILL)
        ours += list(found)
    with Threads(2) as threads:
        theirs = list(
            threads.run(ready.over(ready.bars), ([(n, {"fast": 2 + n % 20, "slow": 60})] for n in range(200)))
        )
    assert [part[0][0] for part in ours] == [part[0][0] for part in theirs]
    until(lambda: len(scheduler.scheduler_info["workers"]) == 2)


def test_a_strategy_of_a_file_travels_as_its_text(
    home: Path, wavy: Path, scheduler: LocalCluster, peaktrade: Callable[..., Any], tmp_path: Path
) -> None:
    module = tmp_path / "mine.py"
    module.write_text(MODULE)
    options = ("--strategy", "cluster_test", "--candles", wavy, "--symbol", "BTC/EUR", "--timeframe", "1h")
    options += ("--strategy-module", module, "--shuffles", "0", "--windows", "0", "--question", "q")
    ran = peaktrade(
        "sweep", "run", *options, "--grid", "level=0.9:1.1:0.05", "--dask", scheduler.scheduler_address, "--json"
    )
    assert ran.code in (0, 1), ran.stderr
    (part,) = home.rglob("parts/*.jsonl")
    assert b'"error":""' in part.read_bytes()
    assert peaktrade("sweep", "run", *options, "--grid", "level=1", "--dask", "x", "--threads", "2").code == 2


def test_workers_with_other_code_are_refused_and_where_all_have_it_nothing_is_counted_twice(
    workspace: Workspace, wavy: Path, scheduler: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = prepare(workspace, asked(wavy))
    monkeypatch.setattr(clustering, "code_digest", lambda _: "another")
    refused = pytest.raises(
        EnvironmentFault, match=r"no worker runs this version of the decision code: tcp.* has other"
    )
    with Cluster(scheduler.scheduler_address) as crew, refused:
        run_sweep(workspace, ready, crew=crew)
    monkeypatch.undo()
    with Cluster(scheduler.scheduler_address) as crew:
        said = crew._client.run
        bad = next(iter(crew._client.scheduler_info()["workers"]))
        monkeypatch.setattr(crew._client, "run", lambda *a, **k: said(*a, **k) | {bad: "old"})
        assert bad not in crew._sound_workers(clustering._order(ready.over(ready.bars)))
        record = run_sweep(workspace, ready, crew=crew)
    assert record.counted == record.trials == 120


def test_a_search_is_the_same_on_a_cluster(
    workspace: Workspace, other: Workspace, wavy: Path, scheduler: LocalCluster
) -> None:
    sweep = asked(
        wavy, search=Search(sampler="tpe", trials=40), null=Null(shuffles=0), walk_forward=WalkForward(windows=0)
    )
    run_sweep(workspace, prepare(workspace, sweep), threads=2)
    with Cluster(scheduler.scheduler_address) as crew:
        run_sweep(other, prepare(other, sweep), crew=crew)
    assert parts(other) == parts(workspace)


@pytest.mark.parametrize(
    ("address", "fault", "says"),
    [
        ("tcp://127.0.0.1:9", EnvironmentFault, "no dask scheduler answers at tcp://127.0.0.1:9"),
        ("nonsense://", ConfigError, "must be an address as tcp://host:8786"),
    ],
)
def test_an_address_where_nothing_is(address: str, fault: type[Exception], says: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(clustering, "CONNECT_S", 1.0)
    with pytest.raises(fault, match=says):
        Cluster(address)
