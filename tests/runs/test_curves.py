"""Curves and details of a session: no extreme lost, the same from table and journal, and honest about what is broken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ConfigError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.journal import read_beside_bars
from peaktrade_core.records.registry import Registry
from peaktrade_core.runs import detail as detail_module
from peaktrade_core.runs.curves import TimeRange, read_columns
from peaktrade_core.runs.views import Views
from peaktrade_core.trading.events import AnyEvent, BarDone
from peaktrade_core.trading.records import SessionRecord, encode_record
from peaktrade_core.trading.tally import figures
from peaktrade_core.workspace.workspace import Workspace


def write(path: Path, equity: list[float], price: list[float] | None = None) -> Path:
    """Write a table of bars, one a minute."""
    n = len(equity)
    times = pa.array([60_000_000 * i for i in range(n)], pa.timestamp("us", tz="UTC"))
    columns = {"price": price or equity, "equity": equity, "position_size": [0.5] * n}
    pq.write_table(pa.table({"ts_event": times, **columns}), path)
    return path


@settings(max_examples=60)
@given(
    equity=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=400),
    points=st.integers(2, 150),
    balance=st.floats(0.0, 1e6),
)
def test_thinning_out_keeps_every_extreme(
    tmp_path_factory: pytest.TempPathFactory, equity: list[float], points: int, balance: float
) -> None:
    path = write(tmp_path_factory.getbasetemp() / "curve.parquet", equity)
    curves = read_columns(path, balance).curves(points)
    peaks = np.maximum.accumulate(np.maximum(equity, balance))
    assert curves.bars == len(equity)
    assert max(curves.drawdown) == pytest.approx(max(1.0 - np.array(equity) / peaks), abs=1e-12)
    assert (min(curves.equity), max(curves.equity)) == (min(equity), max(equity))
    assert (curves.equity[0], curves.equity[-1]) == (equity[0], equity[-1])
    assert list(curves.ts) == sorted(set(curves.ts))
    assert len(curves.ts) <= max(points, 10)
    assert (
        len({len(column) for column in (curves.ts, curves.price, curves.equity, curves.drawdown, curves.position)}) == 1
    )


def test_table_and_journal_give_the_same_curves(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    done = run_shadow(steps=900, seed=7)
    folder = RunFolder(workspace.runs, done.session_id)
    from_table = Views.of(workspace).curves(done.session_id)
    assert from_table.bars == 900
    assert from_table.equity[-1] == done.metrics["equity_end"]
    assert max(from_table.drawdown) == pytest.approx(done.metrics["max_drawdown"], abs=1e-12)
    thin = Views.of(workspace).curves(done.session_id, 100)
    assert max(thin.drawdown) == max(from_table.drawdown)
    assert len(thin.ts) <= 100
    folder.table.unlink()
    assert Views.of(workspace).curves(done.session_id) == from_table
    folder.journal.unlink()
    gone = Views.of(workspace).curves(done.session_id)
    assert (gone.bars, "No such file" in gone.faults[0]) == (0, True)


def test_a_running_sessions_curves_grow_with_its_journal(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=40)
    Registry.of(workspace).write(msgspec.structs.replace(done, status="started", finished_at=None))
    folder = RunFolder(workspace.runs, done.session_id)
    folder.write_meta({**folder.read_meta(), "status": "started"})
    folder.table.unlink()
    journal = folder.journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:20]))
    before = Views.of(workspace).curves(done.session_id).bars
    journal.write_bytes(b"".join(lines) + b'{"type":"bar"')
    assert before < Views.of(workspace).curves(done.session_id).bars == 40


def _rubbish(path: Path) -> None:
    path.write_bytes(b"PAR1 rubbish PAR1")


def _lacks_a_column(path: Path) -> None:
    pq.write_table(pa.table({"price": [1.0]}), path)


def _text(path: Path) -> None:
    write(path, [1.0])
    table = pq.read_table(path).set_column(1, "price", pa.array(["a lot"]))
    pq.write_table(table, path)


@pytest.mark.parametrize("damage", [_rubbish, _lacks_a_column, _text])
def test_a_damaged_table_is_said(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(tmp_path / "events.parquet")
    curves = read_columns(tmp_path / "events.parquet", 1.0).curves(100)
    assert curves.ts == ()
    assert curves.faults[0].startswith("cannot read")


def test_bars_without_figures_are_left_out_and_said(tmp_path: Path) -> None:
    values = [100.0, float("nan"), 90.0, float("inf"), 110.0]
    curves = read_columns(write(tmp_path / "t.parquet", values), 100.0).curves(100)
    assert curves.equity == (100.0, 90.0, 110.0)
    assert curves.faults == ("2 bars without a figure were left out",)
    assert b"NaN" not in msgspec.json.encode(curves)
    assert read_columns(write(tmp_path / "e.parquet", [0.0, -5.0]), 0.0).curves(100).drawdown == (0.0, 0.0)


def test_a_detail_tells_what_the_journal_holds(workspace: Workspace, run_shadow: Callable[..., SessionRecord]) -> None:
    done = run_shadow(steps=600, seed=5)
    detail = Views.of(workspace).look(done.session_id)
    assert encode_record(detail.record) == encode_record(done)
    assert detail.run == Views.of(workspace).run(done.session_id)
    assert figures(detail.tally.metrics()) == done.metrics
    assert len(detail.journal.fills) == done.metrics["num_orders"] > 0
    assert detail.journal.denials == done.metrics["deny_codes"]
    assert detail.journal.happened[-1] == Views.of(workspace).events(done.session_id)[-1]
    assert {use.level for use in detail.journal.limits} <= {"green", "yellow", "red"}
    assert len(detail.journal.limits) > 3
    assert detail.journal.faults == ()


@pytest.mark.parametrize("limits", [None, 7, {"max_order_notional": "x"}, {"max_order_notional": 0.0}, {"zzz": 1}])
def test_a_detail_of_a_broken_journal_or_foreign_record_says_so(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], limits: object
) -> None:
    done = run_shadow(steps=20)
    Registry.of(workspace).write(msgspec.structs.replace(done, config={**done.config, "risk_limits": limits}))
    journal = RunFolder(workspace.runs, done.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:10], b"rubbish\n", *lines[10:]]))
    detail = Views.of(workspace).look(done.session_id)
    beside = [event for event in map(msgspec.json.Decoder(AnyEvent).decode, lines[:10]) if type(event) is not BarDone]
    assert list(detail.journal.happened) == beside
    assert "line 11" in detail.journal.faults[0]
    assert Views.of(workspace).curves(done.session_id).bars == 20
    journal.unlink()
    assert "No such file" in Views.of(workspace).look(done.session_id).journal.faults[0]


def test_a_start_without_balance_does_not_break_the_detail(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=20)
    journal = RunFolder(workspace.runs, done.session_id).journal
    start, *rest = journal.read_bytes().splitlines(keepends=True)
    event = msgspec.json.decode(start)
    event["config"] = {"start_balance": "none"}
    journal.write_bytes(msgspec.json.encode(event) + b"\n" + b"".join(rest))
    told = Views.of(workspace).look(done.session_id).journal
    assert told.limits == ()
    assert "the start names no start_balance" in told.faults[0]
    assert "use of limits cannot be computed" in told.faults[1]
    assert told.happened[-1].__struct_config__.tag == "end"


def test_of_a_long_journal_all_but_the_bars_is_told(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bars are not decoded, so that every fill is marked and every trade is listed, whatever its size."""
    done = run_shadow(strategy="rsi_reversion", seed=3, steps=2000)
    whole = Views.of(workspace).look(done.session_id)
    monkeypatch.setattr(detail_module, "LARGEST_JOURNAL", 1000)
    long = Views(*(getattr(Views.of(workspace), name) for name in ("registry", "folder", "archive", "_clock"))).look(
        done.session_id
    )
    assert long.journal.happened == whole.journal.happened
    assert long.trades.trades == whole.trades.trades
    assert long.journal.limits == ()
    assert "use of limits" in long.journal.faults[0]
    journal = RunFolder(workspace.runs, done.session_id).journal
    first, *rest = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([first, b"rubbish\n", *rest, b'{"torn']))
    found = read_beside_bars(journal)
    assert len(found.faults) == 1
    assert "a broken line was passed over" in found.faults[0]
    assert found.events == list(whole.journal.happened)


def test_a_range_comes_at_full_detail_with_the_drawdown_of_the_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    equity = (1000.0 + rng.normal(0.0, 1.0, 20_000).cumsum()).tolist()
    columns = read_columns(write(tmp_path / "t.parquet", equity), 1000.0)
    whole = columns.curves(2000)
    assert (whole.bars, whole.all_bars) == (20_000, 20_000)
    assert len(whole.ts) <= 2000
    since, until = EPOCH + timedelta(minutes=5000), EPOCH + timedelta(minutes=6499)
    part = columns.curves(2000, TimeRange(since, until))
    assert (part.ts[0], part.ts[-1], part.bars, len(part.ts)) == (since, until, 1500, 1500)
    assert part.equity == tuple(equity[5000:6500])
    peaks = np.maximum.accumulate(np.maximum(equity, 1000.0))
    assert part.drawdown == pytest.approx((1.0 - np.array(equity) / peaks)[5000:6500])
    assert (part.first, part.last, part.all_bars) == (whole.ts[0], whole.ts[-1], 20_000)
    wide = columns.curves(100, TimeRange(since))
    assert (min(wide.equity), max(wide.equity)) == (min(equity[5000:]), max(equity[5000:]))
    assert columns.curves(100, TimeRange(EPOCH - timedelta(2), EPOCH - timedelta(1))).bars == 0
    with pytest.raises(ConfigError, match="lies before since"):
        columns.curves(100, TimeRange(until, since))
