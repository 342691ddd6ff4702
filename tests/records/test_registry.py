"""The registry and its index: right answers, whatever happened to the files or to the index meanwhile."""

from __future__ import annotations

import math
import os
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base.clock import as_utc
from peaktrade_core.base.errors import EnvironmentFault
from peaktrade_core.base.files import write_atomic
from peaktrade_core.base.log import append_line
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.records import SCHEMA_VERSION, SessionRecord, encode_record
from peaktrade_core.workspace.ledger import REGISTRY, Ledger
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def record(number: int, **changes: Any) -> SessionRecord:
    """Return a made-up record, one minute after the one before."""
    started = NOON + timedelta(minutes=number)
    fields: dict[str, Any] = {
        "session_id": f"shadow_{started:%Y%m%d_%H%M%S}_{number:06x}",
        "run_id": f"run{number}",
        "run_type": "live_session_shadow",
        "mode": "shadow",
        "env_name": "kraken",
        "symbol": "BTC/EUR",
        "status": "completed",
        "started_at": started,
        "finished_at": started + timedelta(seconds=42),
        "created_at": started,
        "config": {"strategy_name": "ma_crossover", "start_balance": 10_000.0},
        "metrics": {"realized_pnl": 1.5, "max_drawdown": 0.01, "num_orders": 3},
        "cli_args": [],
        "error": None,
        "strategy_tier": "core",
        "schema_version": SCHEMA_VERSION,
    }
    return SessionRecord(**{**fields, **changes})


def make(folder: Path) -> Registry:
    """Return a registry as another process would open it."""
    return Registry(folder / "records", folder / "cache" / "index.sqlite", Ledger(folder).section(REGISTRY))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return make(tmp_path)


def ids(entries: Iterable[Any]) -> list[str]:
    return [entry.record.session_id for entry in entries]


def test_newest_first_and_filters_before_the_limit(registry: Registry) -> None:
    for number in range(12):
        registry.write(record(number, status="failed" if number % 4 == 0 else "completed"))
    assert ids(registry.entries())[0].endswith("00000b")
    assert [e.record.started_at.minute for e in registry.entries(Query(limit=2, status="failed"))] == [8, 4]
    assert [e.record.started_at.minute for e in registry.entries(Query(limit=3))] == [11, 10, 9]


def test_sessions_of_the_same_second_are_in_the_order_in_which_they_began(registry: Registry) -> None:
    for micro, suffix in ((300, "zzz"), (900, "aaa"), (600, "mmm")):
        registry.write(record(0, session_id=f"s_{suffix}", started_at=NOON + timedelta(microseconds=micro)))
    assert ids(registry.entries()) == ["s_aaa", "s_mmm", "s_zzz"]


figures = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32), st.integers(-(10**30), 10**30))
made_up = st.lists(
    st.builds(
        dict,
        mode=st.sampled_from(["shadow", "testnet", "paper", "live"]),
        status=st.sampled_from(["completed", "failed", "aborted", "started"]),
        symbol=st.sampled_from(["BTC/EUR", "ETH/EUR", None]),
        strategy=st.sampled_from(["ma_crossover", "moon", None, 7, {"a": 1}]),
        pnl=figures,
        drawdown=figures,
        feed=st.sampled_from(["synthetic", "replay"]),
        tags=st.lists(st.sampled_from(["Demo", "keep", "Übung"]), unique=True),
    ),
    max_size=12,
)
queries = st.builds(
    Query,
    limit=st.one_of(st.none(), st.integers(1, 6)),
    mode=st.sampled_from([None, "shadow", "live"]),
    status=st.sampled_from([None, "completed", "failed"]),
    run_type=st.none(),
    decision_id=st.none(),
    symbol=st.sampled_from([None, "ETH/EUR"]),
    strategy=st.sampled_from([None, "moon"]),
    feed=st.sampled_from([None, None, "replay"]),
    timeframe=st.none(),
    risk_status=st.sampled_from([None, None, "red"]),
    tag=st.sampled_from([None, None, "Demo"]),
    words=st.sampled_from([(), (), ("übung",), ("eur", "demo"), ("%",)]),
    since=st.sampled_from([None, NOON + timedelta(minutes=4), datetime(2026, 1, 5, 12, 2)]),
    by_end=st.booleans(),
    sort=st.sampled_from([None, "realized_pnl", "max_drawdown"]),
    rising=st.booleans(),
    offset=st.sampled_from([0, 0, 1, 5, 10**30]),
)


def plainly(records: list[SessionRecord], query: Query) -> list[SessionRecord]:
    """Return what a query must answer, without an index."""
    found = [
        r
        for r in records
        if query.mode in (None, r.mode)
        and query.status in (None, r.status)
        and query.symbol in (None, r.symbol)
        and query.strategy in (None, r.setting("strategy_name"))
        and query.feed in (None, r.setting("feed"))
        and query.risk_status in (None, "red" if r.status == "failed" else "green")
        and (query.tag is None or query.tag in r.setting("tags"))
        and all(word in "\n".join([r.symbol or "", *r.setting("tags")]).casefold() for word in query.words)
        and (query.since is None or (r.finished_at if query.by_end else r.started_at) >= as_utc(query.since))
        and (query.until is None or (r.finished_at if query.by_end else r.started_at) <= as_utc(query.until))
    ]
    found.sort(key=lambda r: r.started_at, reverse=not query.rising)
    if query.sort:
        known = [r for r in found if r.metric(query.sort) is not None]
        known.sort(key=lambda r: (float(r.metric(query.sort)), r.started_at), reverse=not query.rising)
        found = known + [r for r in found if r.metric(query.sort) is None]
    return found[query.offset :][: query.limit]


def _value(record: SessionRecord, facet: str) -> Any:
    return record.status if facet == "status" else record.setting(facet)


@settings(max_examples=60)
@given(rows=made_up, query=queries)
def test_every_answer_equals_a_plain_computation(rows: list[dict[str, Any]], query: Query) -> None:
    records = [
        record(
            number,
            mode=row["mode"],
            status=row["status"],
            symbol=row["symbol"],
            config={"strategy_name": row["strategy"], "feed": row["feed"], "tags": row["tags"]},
            metrics={"realized_pnl": row["pnl"], "max_drawdown": row["drawdown"]},
        )
        for number, row in enumerate(rows)
    ]
    with tempfile.TemporaryDirectory() as folder:
        registry = make(Path(folder))
        registry.folder.mkdir()
        for one in records:
            registry.path_of(one).write_bytes(encode_record(one))  # as write() does, without its fsyncs
        wanted = plainly(records, query)
        assert ids(registry.entries(query)) == [r.session_id for r in wanted]
        for column in ("mode", "status"):
            assert registry.counts(column, query) == dict(sorted(Counter(getattr(r, column) for r in wanted).items()))
        total, facets = registry.facets(("status", "feed", "tag"), query)
        assert total == len(plainly(records, query._replace(limit=None, offset=0))) or query.by_end
        for facet, values in facets.items():
            free = plainly(records, query._replace(**{facet: None, "limit": None, "offset": 0, "by_end": False}))
            told = Counter(v for r in free for v in (r.setting("tags") if facet == "tag" else [_value(r, facet)]))
            if query.since is None or not query.by_end:
                assert dict(values) == dict(told)
        sums = registry.sums(query)
        pnl, depth = sum(one.realized_pnl for one in sums), sum(one.drawdown for one in sums)
        known = [float(x) for r in wanted if (x := r.metric("realized_pnl")) is not None]
        depths = [float(x) for r in wanted if (x := r.metric("max_drawdown")) is not None]
        assert registry.count(query) == len(wanted)
        assert pnl == pytest.approx(math.fsum(known), rel=1e-9, abs=1e-6 * max(map(abs, known), default=0.0))
        assert sum(one.drawdowns for one in sums) == len(depths)
        assert depth == pytest.approx(math.fsum(depths), rel=1e-9, abs=1e-6 * max(map(abs, depths), default=0.0))


def test_changed_new_and_deleted_files_are_noticed(tmp_path: Path, registry: Registry) -> None:
    paths = [registry.write(record(number)) for number in range(3)]
    assert [(one.sessions, one.realized_pnl) for one in registry.sums()] == [(3, 4.5)]
    registry.write(record(0, metrics={"realized_pnl": 100.25}))
    assert [(one.sessions, one.realized_pnl) for one in registry.sums()] == [(3, 103.25)]
    paths[1].unlink()
    assert ids(registry.entries()) == [record(2).session_id, record(0).session_id]
    paths[2].write_text("edited by hand")
    assert [entry.status for entry in make(tmp_path).entries()] == ["unreadable", "completed"]
    registry.write(record(2, status="failed"))
    assert registry.counts("status") == {"completed": 1, "failed": 1}


def test_a_write_right_after_a_look_is_never_missed(registry: Registry) -> None:
    for number in range(60):
        registry.write(record(number))
        assert len(registry.entries()) == number + 1


def test_a_write_within_the_grain_of_the_file_systems_clock_is_not_missed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.write(record(0))
    just_now = time.time_ns() + 2 * 10**9  # however slow this machine is: the first look falls into the same grain
    monkeypatch.setattr("peaktrade_core.records.registry.folder_ns", lambda _: just_now)
    assert len(registry.entries()) == 1
    registry.write(record(1))
    time.sleep(0.06)
    assert len(registry.entries()) == 2


def test_a_file_edited_in_place_is_noticed_by_a_process_that_looked_before(registry: Registry) -> None:
    path = registry.write(record(0))
    assert registry.entries()[0].status == "completed"
    time.sleep(0.06)
    registry.entries()
    path.write_text("{")
    until(lambda: registry.entries()[0].status == "unreadable")


def test_an_empty_or_missing_folder_has_honest_answers(registry: Registry) -> None:
    assert registry.entries() == []
    assert registry.find("nobody") is None
    assert registry.counts("mode") == {}
    assert registry.sums() == []


def test_counting_by_anything_else_is_refused(registry: Registry) -> None:
    with pytest.raises(ValueError, match="cannot count by 'data'"):
        registry.counts("data")


def _rubbish(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _damaged_inside(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at : at + 2000] = b"\xa5" * 2000
    path.write_bytes(data)


def _with_a_schema_that_is_no_text(path: Path) -> None:
    data = path.read_bytes()
    assert data.count(b"CREATE TABLE look") == 1
    path.write_bytes(data.replace(b"CREATE TABLE look", b"CREATE TABLX\x93look"))


def _of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _somebody_elses(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE files (music TEXT)")
    db.close()


def _without_tables(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE files")
    db.close()


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        _rubbish,
        _empty,
        _damaged_inside,
        _with_a_schema_that_is_no_text,
        _of_another_version,
        _somebody_elses,
        _without_tables,
        _a_folder,
        _gone,
    ],
)
def test_a_damaged_index_changes_no_answer(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    first = make(tmp_path)
    for number in range(40):
        first.write(record(number))
    assert first.count() == 40
    damage(tmp_path / "cache" / "index.sqlite")
    for registry in (first, make(tmp_path)):
        assert registry.count() == 40
        assert len(registry.entries(Query(mode="shadow"))) == 40
        assert registry.find(record(7).session_id).record == record(7)
    first.write(record(40))
    assert make(tmp_path).count() == 41


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    make(tmp_path).entries()
    index = tmp_path / "cache" / "index.sqlite"
    _rubbish(index)
    make(tmp_path).write(record(0))
    make(tmp_path).entries()
    with sqlite3.connect(index) as db:
        assert db.execute("SELECT session_id FROM files").fetchall() == [(record(0).session_id,)]
    db.close()


def test_an_index_that_cannot_be_written_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder of the index should be")
    registry = make(tmp_path)
    for number in range(3):
        registry.write(record(number))
        assert registry.count() == number + 1


def test_an_index_that_is_read_only_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path).entries()
    real = sqlite3.connect

    def connect(target: Any, **options: Any) -> sqlite3.Connection:
        asked = options.get("uri") or target == ":memory:"
        return real(target, **options) if asked else real(f"file:{target}?mode=ro", uri=True, **options)

    monkeypatch.setattr("peaktrade_core.records.index.sqlite3.connect", connect)
    registry = make(tmp_path)
    registry.write(record(0))
    assert registry.count() == 1
    registry.write(record(1))
    assert ids(registry.entries()) == [record(1).session_id, record(0).session_id]


def test_many_readers_and_writers_at_once_agree(tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def work(first: int) -> None:
        try:
            registry = make(tmp_path)
            for number in range(first, first + 10):
                registry.write(record(number))
                assert registry.find(record(number).session_id)
        except BaseException as fault:
            faults.append(fault)

    threads = [Thread(target=work, args=(first,)) for first in range(0, 60, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert make(tmp_path).count() == 60


def test_two_thousand_records_answer_at_once(tmp_path: Path) -> None:
    registry = make(tmp_path)
    registry.folder.mkdir()
    for number in range(2000):
        registry.path_of(one := record(number)).write_bytes(msgspec.json.encode(one))
    assert registry.count() == 2000
    assert len(registry.entries(Query(limit=20))) == 20
    assert [(one.sessions, one.realized_pnl) for one in make(tmp_path).sums()] == [(2000, 3000.0)]
    assert make(tmp_path).find(record(1234).session_id).record.run_id == "run1234"


def test_a_record_that_cannot_be_written_leaves_the_old_one_and_no_rubbish(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = registry.write(record(0))
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for call in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            with pytest.raises(EnvironmentFault, match=rf"cannot write .*{path.name}: No space left on device; check"):
                registry.write(record(0, status="failed"))
    assert path.read_bytes() == before
    assert [item.name for item in registry.folder.iterdir()] == [path.name]


def test_whole_files_can_be_read_by_others_and_leave_nothing_behind(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "file.json", b"{}")
    assert [item.name for item in (tmp_path / "new").iterdir()] == ["file.json"]
    assert (tmp_path / "new" / "file.json").stat().st_mode & 0o777 == 0o644


def test_log_lines_of_many_writers_never_mix(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "operations.log"
    threads = [Thread(target=lambda n=n: [append_line(log, f"{n} " * 200) for _ in range(50)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = log.read_text().splitlines()
    assert len(lines) == 200
    assert all(len(set(line.split())) == 1 for line in lines)
    append_line(log, "a line\nthat wants to be two")
    assert log.read_text().splitlines()[-1] == "a line that wants to be two"


def test_the_same_figures_from_registry_and_views(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    records = [run_shadow(steps=300, seed=seed) for seed in range(3)]
    stats = Views.of(workspace).stats()
    assert stats.realized_pnl == pytest.approx(sum(r.metrics["realized_pnl"] for r in records))
    assert stats.total_pnl == pytest.approx(sum(r.metrics["equity_end"] - 10_000.0 for r in records))
    assert stats.total_pnl != pytest.approx(stats.realized_pnl)  # a position was open at an end
    assert stats.currency == "EUR"
    assert stats.avg_drawdown == pytest.approx(statistics.fmean(r.metrics["max_drawdown"] for r in records))
    assert [row.run_id for row in Views.of(workspace).rows()] == [r.session_id for r in reversed(records)]
    assert Views.of(workspace).resolve("latest") == records[-1].session_id
