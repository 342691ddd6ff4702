"""The index at work: what is looked at and when, and right answers after anything that happens to the files."""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base.errors import ArtefactError, EnvironmentFault
from peaktrade_core.records import index, lookups
from peaktrade_core.records import scan as registry_scan
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import encode_record, read_record
from peaktrade_core.workspace.ledger import REGISTRY, Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until
from tests.records.test_registry import NOON, make, record

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "replace", "edit", "break", "delete", "forget", "other"]),
        st.integers(0, 9),
        st.sampled_from(["completed", "failed", "started"]),
        st.floats(-100, 100),
    ),
    max_size=14,
)


def put(registry: Registry, number: int, **changes: Any) -> Path:
    """Write a record as :meth:`Registry.write` does, without its fsyncs."""
    registry.folder.mkdir(parents=True, exist_ok=True)
    one = record(number, **changes)
    path = registry.path_of(one)
    new = path.with_name(f".{path.name}.tmp")
    new.write_bytes(encode_record(one))
    os.replace(new, path)
    return path


def brute_force(folder: Path) -> dict[str, Any]:
    """Return what the files say, read one by one."""
    status: dict[str, int] = defaultdict(int)
    days: dict[tuple[str, str | None], float] = defaultdict(float)
    names, pnl = [], 0.0
    for path in folder.glob("*.json"):
        try:
            one = read_record(path.read_bytes())
        except ArtefactError:
            status["unreadable"] += 1
            names.append((path.name[:15], path.name))
            continue
        status[one.status] += 1
        earned = one.metric("realized_pnl") or 0.0
        pnl += earned
        days[f"{one.started_at:%Y-%m-%d}", one.symbol] += earned
        names.append((f"{one.started_at:%Y%m%dT%H%M%S}", path.name))
    return {"status": dict(status), "pnl": pnl, "days": dict(days), "names": [n for _, n in sorted(names)[::-1]]}


@settings(max_examples=40)
@given(steps=steps)
def test_whatever_happens_to_the_files_the_index_says_what_they_say(steps: list[tuple[str, int, str, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry = make(Path(folder))
        registry.folder.mkdir()
        for what, number, status, pnl in steps:
            at = NOON + timedelta(hours=7 * number)
            fields = {"status": status, "metrics": {"realized_pnl": pnl}, "started_at": at, "session_id": f"s{number}"}
            path = registry.path_of(record(number, **fields))
            if what in ("add", "replace"):
                put(registry, number, **fields)
            elif what == "edit":
                path.write_bytes(encode_record(record(number, **fields)))
                registry = make(Path(folder))  # a process that looked already sees it later
            elif what == "break":
                path.write_bytes(b"{")
                registry = make(Path(folder))
            elif what == "delete":
                path.unlink(missing_ok=True)
            elif what == "forget":
                (Path(folder) / "cache" / "index.sqlite").unlink(missing_ok=True)
            else:
                registry = make(Path(folder))
            wanted = brute_force(registry.folder)
            assert registry.counts("status") == dict(sorted(wanted["status"].items()))
            assert sum(one.realized_pnl for one in registry.sums()) == pytest.approx(wanted["pnl"])
            assert [line.name for line in registry.lines()] == wanted["names"]
            days = {(day.day, day.symbol): day.realized_pnl for day in registry.days()}
            assert days == pytest.approx(wanted["days"])


@contextmanager
def listings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Count how often the registry's folder is listed."""
    seen: list[Path] = []
    real = os.scandir

    def scandir(folder: Path) -> Any:
        seen.append(folder)
        return real(folder)

    with monkeypatch.context() as patch:
        patch.setattr(registry_scan.os, "scandir", scandir)
        yield seen


def settle(registry: Registry) -> None:
    """Let the folder come to rest and look at it."""
    time.sleep(0.06)
    registry.refresh()


def test_an_unchanged_large_folder_is_not_listed_by_a_new_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.records.registry.QUICK_S", 0.0)  # as if it took long
    monkeypatch.setattr("peaktrade_core.records.registry.SHARE", 1e9)
    first = make(tmp_path)
    put(first, 1)
    settle(first)
    with listings(monkeypatch) as seen:
        assert make(tmp_path).count() == 1
        assert seen == []
        put(first, 2)
        assert make(tmp_path).count() == 2
        assert len(seen) == 1


def test_who_writes_a_record_enters_it_so_that_the_folder_need_not_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("peaktrade_core.records.registry.QUICK_S", 0.0)  # as if looking at every file took long
    monkeypatch.setattr("peaktrade_core.records.registry.SHARE", 1e9)
    asking = make(tmp_path)
    put(asking, 1)
    settle(asking)
    with listings(monkeypatch) as seen:
        make(tmp_path).write(record(2, status="started", finished_at=None, metrics={}))
        time.sleep(0.06)  # until the folder has come to rest
        assert asking.counts("status") == {"completed": 1, "started": 1}
        path = make(tmp_path).write(record(2, metrics={"realized_pnl": 2.5}))
        time.sleep(0.06)
        assert asking.counts("status") == {"completed": 2}
        assert asking.count() == 2
        assert seen == []
        path.with_name("by_hand.json").write_bytes(path.read_bytes())  # not ours: the folder disagrees
        time.sleep(0.06)
        assert asking.count() == 3
        assert len(seen) == 1
    entered = asking.lines()
    (tmp_path / "cache" / "index.sqlite").unlink()
    assert make(tmp_path).lines() == entered


def test_a_record_is_written_whatever_the_index_is(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "index.sqlite").write_bytes(b"no database at all" * 100)
    registry = make(tmp_path)
    path = registry.write(record(1))
    assert path.is_file()
    assert registry.count() == 1


def test_beside_a_keeper_no_question_lists_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = make(tmp_path)
    put(registry, 1)
    with registry.kept_fresh(every_s=0.02):
        assert registry.count() == 1
        put(registry, 2)
        until(lambda: registry.count() == 2)
    with registry.kept_fresh(every_s=60.0), listings(monkeypatch) as seen:
        put(registry, 3)
        assert registry.count() == 2
        assert seen == []
    assert registry.count() == 3


def test_an_answer_may_lie_behind_as_far_as_it_is_trusted(tmp_path: Path) -> None:
    registry = Registry(
        tmp_path / "records", tmp_path / "index.sqlite", Ledger(tmp_path).section(REGISTRY), trust_s=60.0
    )
    put(registry, 1)
    assert registry.count() == 1
    put(registry, 2)
    assert registry.count() == 1
    registry.refresh()
    assert registry.count() == 2


def test_a_keeper_of_an_unreadable_folder_leaves_the_telling_to_who_asks(tmp_path: Path) -> None:
    registry = make(tmp_path)
    registry.folder.write_text("")
    with registry.kept_fresh(every_s=0.01):
        time.sleep(0.05)
    with pytest.raises(EnvironmentFault, match="cannot read the registry"):
        registry.sums()


def test_a_record_of_the_same_size_and_time_that_replaces_another_is_noticed(tmp_path: Path) -> None:
    registry = make(tmp_path)
    path = put(registry, 1, metrics={"realized_pnl": 1.0})
    settle(registry)
    before = path.stat()
    put(registry, 1, metrics={"realized_pnl": 2.0})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert registry.sums()[0].realized_pnl == 2.0


def test_a_changed_record_takes_its_figures_out_of_the_old_sums(tmp_path: Path) -> None:
    registry = make(tmp_path)
    put(registry, 1, status="started", metrics={"realized_pnl": 0.1})
    put(registry, 2, metrics={"realized_pnl": 0.2})
    assert registry.counts("status") == {"completed": 1, "started": 1}
    put(registry, 1, status="failed", metrics={"realized_pnl": 0.3})
    assert registry.counts("status") == {"completed": 1, "failed": 1}
    assert registry.sums(Query(status="started")) == []
    assert registry.sums(Query(status="failed"))[0].realized_pnl == 0.3


def test_since_and_the_order_of_ends(tmp_path: Path) -> None:
    registry = make(tmp_path)
    for number in range(6):
        ended = NOON + timedelta(days=1, hours=-number)
        put(registry, number, finished_at=None if number == 3 else ended)
    since = NOON + timedelta(minutes=4)
    assert [line.started_at.minute for line in registry.lines(Query(since=since))] == [5, 4]
    assert registry.count(Query(since=since)) == 2
    assert [line.started_at.minute for line in registry.lines(Query(by_end=True))] == [0, 1, 2, 4, 5]
    late = NOON + timedelta(days=1, hours=-1)
    assert [line.started_at.minute for line in registry.lines(Query(by_end=True, since=late))] == [0, 1]


def test_a_giant_or_endless_file_is_a_row(tmp_path: Path) -> None:
    registry = make(tmp_path)
    registry.folder.mkdir()
    with (registry.folder / "20260101T000000_giant.json").open("wb") as file:
        file.truncate(1 << 34)
    (registry.folder / "20260102T000000_zero.json").symlink_to("/dev/zero")
    faults = [line.fault for line in registry.lines()]
    assert "is a device" in str(faults[0])
    assert "is larger than" in str(faults[1])


def test_notes_in_lists_are_short_and_whole_in_the_record(workspace: Workspace) -> None:
    put(Registry.of(workspace), 1, status="failed", error="Boom: " + "x" * 100_000)
    (row,) = Views.of(workspace).rows()
    assert len(row.notes) < 2100
    assert len(Views.of(workspace).record(row.run_id).error or "") > 100_000


def test_trends_are_summed_by_day_and_currency(workspace: Workspace) -> None:
    for number, (symbol, pnl, drawdown) in enumerate(
        [("BTC/EUR", 1.0, 0.1), ("ETH/EUR", 2.0, 0.3), ("BTC/USD", 4.0, None), ("BTC/EUR", 8.0, 0.2)]
    ):
        at = NOON + timedelta(days=number // 3)
        metrics = {"realized_pnl": pnl, "max_drawdown": drawdown}
        put(Registry.of(workspace), number, symbol=symbol, metrics=metrics, started_at=at)
    (Registry.of(workspace).folder / "20260105T000000_bad.json").write_text("{")
    found = [
        (f"{d.day:%d}", d.currency, d.sessions, d.realized_pnl, d.max_drawdown) for d in Views.of(workspace).daily()
    ]
    assert found == [("05", "EUR", 2, 3.0, 0.3), ("05", "USD", 1, 4.0, None), ("06", "EUR", 1, 8.0, 0.2)]
    assert len(Views.of(workspace).daily(NOON + timedelta(days=1))) == 1


def test_the_list_of_sessions_is_counted_from_the_index_alone(tmp_path: Path) -> None:
    """Facets over all records read no row, and no row is sorted for them: 14 s of a million records were 0.2 s then."""
    with closing(index.open_index(tmp_path / "registry.sqlite")) as db:
        for query in (Query(), Query(since=datetime(2026, 1, 1, tzinfo=UTC))):
            asked: list[str] = []
            db.set_trace_callback(asked.append)
            lookups.facets(db, query, lookups.COUNTED, 20)
            db.set_trace_callback(None)
            plan = " ".join(str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {asked[0]}"))
            assert "COVERING INDEX" in plan, plan
            if query.since is None:
                assert "B-TREE" not in plan, plan
