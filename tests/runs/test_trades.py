"""The trades of a run: their money is the record's, their reasons the journal's, wherever they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from peaktrade_core.candles.replay import bars_of
from peaktrade_core.fleet.closing import close_run_position
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Registry
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.runs.trades import trade_rows, trades_table
from peaktrade_core.runs.views import Views
from peaktrade_core.session.planning import plan_session
from peaktrade_core.trading.events import AnyEvent, Fill, Order, Signal
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

Shadow = Callable[..., SessionRecord]
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


def at(minute: int) -> datetime:
    return BEGIN + timedelta(minutes=minute)


def order(n: int, minute: int, qty: float, purpose: str) -> Order:
    return Order(0, at(minute), f"o{n}", purpose, qty, 100.0, abs(qty) * 100.0)


def fill(n: int, minute: int, qty: float, price: float, fee: float = 1.0) -> Fill:
    return Fill(0, at(minute), f"o{n}", "open", qty, price, fee, price)


def signal(minute: int, wanted: int, before: int) -> Signal:
    return Signal(0, at(minute), wanted, before)


def test_reasons_are_those_of_the_orders() -> None:
    events: list[AnyEvent] = [
        signal(0, 1, 0), order(1, 0, 2.0, "open"), fill(1, 1, 2.0, 100.0),
        signal(5, -1, 1), order(2, 5, -2.0, "close"), order(3, 5, -1.0, "open"), fill(2, 6, -2.0, 110.0), fill(3, 6, -1.0, 110.0),
        signal(8, 0, -1), order(4, 9, 1.0, "close"), fill(4, 10, 1.0, 120.0),
        order(5, 12, 3.0, "open"), fill(5, 13, 3.0, 100.0),
    ]  # fmt: skip
    first, second, last = trade_rows(events, 105.0, at(20))
    assert (first.opened, first.closed, first.side, first.state) == ("signal", "reversal", "long", "closed")
    assert (first.pnl, first.fees, first.bps, first.duration_seconds) == (18.0, 2.0, 900.0, 300.0)
    assert (second.opened, second.closed, second.side, second.pnl) == ("reversal", "retry", "short", -12.0)
    assert (last.opened, last.closed, last.state, last.exit_ts) == ("retry", None, "open", None)
    assert (last.realized_pnl, last.unrealized_pnl, last.pnl, last.duration_seconds) == (-1.0, 15.0, 14.0, 420.0)


def test_a_fill_whose_order_the_journal_does_not_hold_has_no_reason() -> None:
    (row,) = trade_rows([fill(1, 0, 1.0, 100.0)], None, None)
    assert (row.opened, row.unrealized_pnl, row.duration_seconds) == ("unknown", 0.0, None)


@pytest.mark.parametrize(("strategy", "seed"), [("rsi_reversion", 3), ("donchian_breakout", 4), ("ma_crossover", 5)])
def test_trades_add_up_to_the_record_and_are_those_of_the_backtest(
    workspace: Workspace, run_shadow: Shadow, strategy: str, seed: int
) -> None:
    record = run_shadow(strategy=strategy, seed=seed, steps=3000)
    found = Views.of(workspace).look(record.session_id).trades
    closed = [row for row in found.trades if row.state == "closed"]
    assert len(closed) == record.metrics["num_trades"] > 3
    assert found.realized_pnl == pytest.approx(record.metrics["realized_pnl"], abs=0.004)
    assert sum(row.unrealized_pnl for row in found.trades) == pytest.approx(record.metrics["unrealized_pnl"], abs=0.004)
    assert sum(row.fees for row in found.trades) == pytest.approx(record.metrics["fees"])
    figures = {one.name: one.value for one in found.figures}
    assert figures["trades"] == len(closed)
    assert figures["win_rate"] == pytest.approx(sum(row.pnl > 0 for row in closed) / len(closed))
    assert {row.opened for row in found.trades} | {row.closed for row in closed} <= {"signal", "reversal"}
    plan = plan_session(workspace, strategy=strategy, seed=seed, steps=3000)
    result = run_backtest(
        plan.decision, bars_of(plan.feed, plan.config.warmup_candles + 3000), plan.config.warmup_candles
    )
    assert [one.pnl for one in result.trades] == pytest.approx([row.pnl for row in closed])


def test_a_position_closed_by_hand_after_the_end_says_so(workspace: Workspace, run_shadow: Shadow) -> None:
    record, steps = run_shadow(strategy="rsi_reversion", seed=3, steps=60), 60
    while not record.metrics["unrealized_pnl"]:
        steps += 1
        record = run_shadow(strategy="rsi_reversion", seed=3, steps=steps)
    last = Views.of(workspace).look(record.session_id).trades.trades[-1]
    assert (last.state, last.closed) == ("open", None)
    assert close_run_position(workspace, record.session_id, "ada").startswith("closed ")
    after = Views.of(workspace).look(record.session_id).trades
    assert (after.trades[-1].state, after.trades[-1].closed) == ("closed", "emergency")
    again = Views.of(workspace).record(record.session_id)
    assert after.realized_pnl == pytest.approx(again.metrics["realized_pnl"], abs=0.004)


def test_terminal_and_json_tell_the_same_trades(
    workspace: Workspace, run_shadow: Shadow, peaktrade: Callable[..., Any]
) -> None:
    record = run_shadow(strategy="rsi_reversion", seed=3, steps=2000)
    asked = ("session", "show", record.session_id, "--trades")
    found = Views.of(workspace).look(record.session_id).trades
    assert json.loads(peaktrade(*asked, "--json").stdout) == json.loads(msgspec.json.encode(found))
    shown = peaktrade(*asked, "--limit", 2, env={"COLUMNS": "80"}).stdout
    assert f"The newest 2 of {len(found.trades)}." in shown
    assert max(map(len, shown.splitlines())) <= 80
    last = found.trades[-1]
    assert f"{last.number}  {last.side}" in shown
    assert f"{last.entry_ts:%Y-%m-%d %H:%M:%S}" in shown
    assert peaktrade("session", "show", "nobody", "--trades").code != 0


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(strategy="rsi_reversion", seed=3, steps=500)
    path = Registry.of(workspace).path_of(record)
    path.write_text(path.read_text().replace('"timeframe": "1m"', '"timeframe": "5 moons"'))
    found = Views.of(workspace).look(record.session_id).trades
    assert found.trades
    assert not found.figures
    assert "5 moons" in found.faults[0]
    for file in RunFolder(workspace.runs, record.session_id).path.iterdir():
        file.unlink()
    gone = Views.of(workspace).look(record.session_id).trades
    assert gone.trades == ()
    assert "cannot read" in repr(trades_table(gone, "Trades"))


def test_a_session_without_fills_says_so(workspace: Workspace, run_shadow: Shadow) -> None:
    record = run_shadow(seed=1, steps=5)
    found = Views.of(workspace).look(record.session_id).trades
    assert (found.trades, found.realized_pnl) == ((), 0.0)
    assert "no trade" in repr(trades_table(found, "Trades"))
