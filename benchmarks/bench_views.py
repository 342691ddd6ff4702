"""Questions of the read side over many records and runs: p50 and p99, beside reading the files naively.

Records and run folders are made up in a temporary workspace. "first" is the first question of a new process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from common import scratch

from peaktrade_core.records.bar_table import write_table
from peaktrade_core.records.folder import Heartbeat, RunFolder
from peaktrade_core.records.lookups import FACETS
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.reports.activity import ActivityFeed
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import BarDone
from peaktrade_core.trading.records import SCHEMA_VERSION, SessionRecord, encode_record
from peaktrade_core.workspace.workspace import Workspace

MODES, STATUSES = ("shadow", "testnet", "paper", "live"), ("completed", "completed", "failed", "aborted")
RUNNING = 20
FIRST = datetime(2024, 1, 5, tzinfo=UTC)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=10_000)
    options.add_argument("--runs", type=int, default=220)
    options.add_argument("--events", type=int, default=10_000, help="bars in each run's journal")
    options.add_argument("--repeat", type=int, default=300)
    options.add_argument("--quick", action="store_true", help="1,000 records, 20 runs of 500 bars")
    given = options.parse_args()
    if given.quick:
        given.records, given.runs, given.events, given.repeat = 1000, 20, 500, 50
    with scratch() as home:
        run_ids = fill(Workspace(home), given.records, given.runs, given.events)
        print(f"{given.records:,} records, {given.runs} runs of {given.events:,} bars, on {os.cpu_count()} cores\n")
        began = time.perf_counter()
        Views.of(Workspace(home)).rows(Query(limit=1))
        print(f"building the index: {time.perf_counter() - began:.2f} s\n{'':<44} {'p50 ms':>9} {'p99 ms':>9}")
        ask(home, run_ids, given.repeat, given.records)
        naive(home, run_ids)


def fill(workspace: Workspace, records: int, runs: int, bars: int) -> list[str]:
    """Make the workspace's files and return the ids of the runs: the first 20 run, the others ended."""
    registry = Registry.of(workspace)
    registry.folder.mkdir(parents=True)
    for number in range(records):
        one = made_up(number)
        registry.path_of(one).write_bytes(encode_record(one))
    events = [bar(number) for number in range(bars)]
    journal = msgspec.json.Encoder().encode_lines(events)
    run_ids = [made_up(number).session_id for number in range(max(0, records - runs), records)]
    for number, run_id in enumerate(run_ids):
        folder = RunFolder(workspace.runs, run_id)
        folder.path.mkdir(parents=True)
        folder.write_meta({"run_id": run_id})
        folder.journal.write_bytes(journal)
        if number < RUNNING:
            one = made_up(records - len(run_ids) + number)
            one.status, one.finished_at = "started", None
            registry.path_of(one).write_bytes(encode_record(one))
            assert folder.acquire()
            HELD.append(folder)
            folder.beat(Heartbeat(at=datetime.now(UTC), pid=os.getpid(), started=0.0, step=bars, equity=10_000.0))
        elif number >= len(run_ids) - 3:
            write_table(folder.table, events)
    return run_ids


HELD: list[Any] = []  # run folders whose lock this process holds


def made_up(number: int) -> SessionRecord:
    """Return a record, twenty seconds after the one before."""
    started, mode = FIRST + timedelta(seconds=20 * number), MODES[number % 4]
    session_id = f"{mode}_{started:%Y%m%d_%H%M%S}_{number:06x}"
    return SessionRecord(
        session_id=session_id,
        run_id=session_id,
        run_type=f"live_session_{mode}",
        mode=mode,
        env_name="kraken",
        symbol=("BTC/EUR", "ETH/EUR", "SOL/USD")[number % 3],
        status=STATUSES[number // 4 % 4],
        started_at=started,
        finished_at=started + timedelta(seconds=10),
        created_at=started,
        config={"strategy_name": "ma_crossover", "timeframe": "1m", "start_balance": 10_000.0, "params": {"fast": 20}},
        metrics={"realized_pnl": number % 100 - 50.0, "max_drawdown": number % 7 / 100, "num_orders": 3, "steps": 300},
        cli_args=["session", "run"],
        error=None,
        strategy_tier="core",
        schema_version=SCHEMA_VERSION,
    )


def bar(number: int) -> BarDone:
    """Return a bar of a journal."""
    at, equity = FIRST + timedelta(minutes=number), 10_000.0 + number % 97
    return BarDone(
        seq=number, ts=at, step=number, ts_bar=at, open=100.0, high=101.0, low=99.0, close=100.5, volume=1.0,
        position_size=0.1, cash=9990.0, equity=equity, realized_pnl=equity - 10_000.0, unrealized_pnl=0.0, signal=1,
        signal_changed=False, orders_generated=0, orders_filled=0, orders_rejected=0, orders_blocked=0,
        risk_allowed=True, risk_reasons=(),
    )  # fmt: skip


def ask(home: Path, run_ids: list[str], repeat: int, records: int) -> None:
    """Time the questions, as a server asks them and as a new process does."""
    views = Views.of(Workspace(home))
    middle = made_up(records // 2).session_id
    week = made_up(records).started_at - timedelta(days=7)  # type: ignore[operator]
    month = made_up(records).started_at - timedelta(days=30)  # type: ignore[operator]
    questions: list[tuple[str, Callable[[], Any]]] = [
        ("rows, 100 newest", lambda: views.rows(Query(limit=100))),
        ("rows, mode and status", lambda: views.rows(Query(limit=100, mode="live", status="failed"))),
        ("stats", views.stats),
        ("stats, mode and status", lambda: views.stats(Query(mode="live", status="failed"))),
        ("row and record", lambda: (views.run(middle), views.record(middle))),
        ("daily, 30 days", lambda: views.daily(month)),
        ("daily, everything", views.daily),
        ("facets of the sessions page", lambda: views.registry.facets(FACETS)),
        ("words in 7 days", lambda: views.rows(Query(limit=50, words=("breakout",), since=week))),
    ]
    with views.registry.kept_fresh():
        for name, question in questions:
            show(name, question, repeat)
        show("runs, 220 newest", lambda: views.runs(220), repeat // 3)
        show("tail of 500 bars", lambda: views.tail(run_ids[0], 500), repeat // 3)
        show("curves of a table, cold", lambda: fresh(home).curves(run_ids[-1]), 10)
        show("curves of a journal, cold", lambda: fresh(home).curves(run_ids[0]), 10)
        show("detail with its journal, cold", lambda: fresh(home).look(run_ids[-1]).journal, 10)
        show("curves, kept", lambda: views.curves(run_ids[-1]), repeat // 3)
        registry: Registry = views.registry
        for number in range(records, records + 1000):
            registry.path_of(made_up(number)).write_bytes(encode_record(made_up(number)))
        show("rows while 1,000 new records are taken in", questions[0][1], repeat)
        show("stats, the same", views.stats, repeat)
    show("first rows of a new process", lambda: fresh(home).rows(Query(limit=100)), 10)
    show("first stats of a new process", lambda: fresh(home).stats(), 10)
    activity = ActivityFeed.of(Workspace(home))
    show("activity, 100 newest", lambda: activity(100), repeat // 3)


def fresh(home: Path) -> Any:
    """Return the read side as a new process has it."""
    return Views.of(Workspace(home))


def naive(home: Path, run_ids: list[str]) -> None:
    """Time the same without an index: every file is read for every question."""
    workspace = Workspace(home)

    def read_all() -> list[Any]:
        found = [json.loads(path.read_bytes()) for path in Registry.of(workspace).folder.glob("*.json")]
        return sorted(found, key=lambda one: one["started_at"], reverse=True)

    def count_all() -> list[int]:
        journals = [RunFolder(workspace.runs, run_id).journal for run_id in run_ids[:10]]
        return [len([json.loads(line) for line in path.read_bytes().splitlines()]) for path in journals]

    show("baseline: json.loads of every record", read_all, 3)
    show("baseline: json.loads of 10 journals", count_all, 2)


def show(name: str, question: Callable[[], Any], repeat: int) -> None:
    """Print how long a question takes."""
    times = []
    for _ in range(max(2, repeat)):
        began = time.perf_counter()
        question()
        times.append(1000 * (time.perf_counter() - began))
    p99 = sorted(times)[min(len(times) - 1, int(0.99 * len(times)))]
    print(f"{name:<44} {statistics.median(times):>9.2f} {p99:>9.2f}", flush=True)


if __name__ == "__main__":
    main()
