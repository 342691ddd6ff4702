"""A session beside what was expected of it: nothing differs without a cause, and each cause is found, alone and in money."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError, DataError, SessionNotFoundError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.research.backtest import run_backtest
from peaktrade_core.research.divergence import CAUSES, Divergence
from peaktrade_core.research.divergence_session import compare_session
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.synthetic import SyntheticFeed
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.indicators import Slots
from peaktrade_core.trading.market import Bar, Bars
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.strategies import register, scratch_registry
from peaktrade_core.workspace.workspace import Workspace
from tests.venue.rig import write_candles

LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "seed": 4, "steps": 300}
PERP: dict[str, Any] = {"symbol": "BTC/EUR-PERP", "strategy": "donchian_breakout", "params": {"window": 3}}
Run = Callable[..., SessionRecord]


def shares(found: Divergence) -> dict[str, Decimal]:
    """Return the causes that have a share, after checking that all of them add up."""
    assert sum(part.amount for part in found.parts) == found.whole == found.recorded_pnl - found.expected_pnl
    assert [part.cause for part in found.parts] == list(CAUSES)
    assert sum((pair.difference for pair in found.pairs), found.open_difference) == found.whole
    return {part.cause: part.amount for part in found.parts if part.amount}


def bars_of(seed: int, count: int) -> list[Bar]:
    return list(SyntheticFeed(seed, 60, bars=count))


@pytest.mark.parametrize("options", [LIVELY, {**LIVELY, **PERP}, {"steps": 1000, "seed": 9}])
def test_a_session_is_its_backtest_to_the_last_bit(
    workspace: Workspace, run_shadow: Run, options: dict[str, Any]
) -> None:
    record = run_shadow(**options)
    found = compare_session(workspace, record.session_id)
    assert found.first is None
    assert (shares(found), found.main, found.whole) == ({}, "", 0)
    assert {pair.why for pair in found.pairs} == {"the same"}
    if options is not LIVELY:
        return  # compiling takes seconds, and once is enough
    plan = plan_session(workspace, **options)
    bars = list(SyntheticFeed(options["seed"], 60, bars=plan.config.warmup_candles + plan.config.steps))
    columns = Bars([bar.ts for bar in bars], [list(bar[1:]) for bar in bars])  # type: ignore[arg-type]
    compiled = run_backtest(plan.decision, columns, plan.config.warmup_candles)
    assert float(found.expected_pnl) == pytest.approx(compiled.metrics.equity_end - found.start_balance, abs=1e-8)
    assert len(found.pairs) == len(compiled.trades)


def test_costs_that_were_not_expected_are_slippage_and_fee(workspace: Workspace, run_shadow: Run) -> None:
    record = run_shadow(**LIVELY)
    found = compare_session(workspace, record.session_id, fee_bps=10.0, slippage_bps=1.0)
    assert set(shares(found)) == {"slippage", "fee"}
    assert found.main == "fee"
    assert found.first is not None
    assert found.first.cause == "slippage"
    turnover = found.costs.notional
    assert float(found.part("fee").amount) == pytest.approx(-turnover * 16e-4, rel=0.01)
    assert float(found.part("slippage").amount) == pytest.approx(-turnover * 4e-4, rel=0.03)
    assert shares(compare_session(workspace, record.session_id, fee_bps=10.0)).keys() == {"fee"}
    assert found.part("fee").bps == pytest.approx(float(found.part("fee").amount))  # of 10,000


def test_candles_that_were_wrong_are_data(workspace: Workspace, tmp_path: Path, run_shadow: Run) -> None:
    right = bars_of(4, 500)
    wrong = list(right)
    wrong[350] = right[350]._replace(close=right[350].close * 1.05, high=right[350].high * 1.06)
    del wrong[420:424]
    record = run_shadow(
        **{**LIVELY, "steps": None, "seed": None, "candles": write_candles(tmp_path / "wrong.parquet", wrong)}
    )
    found = compare_session(workspace, record.session_id, candles=str(write_candles(tmp_path / "right.parquet", right)))
    assert set(shares(found)) == {"data"}
    assert found.first is not None
    assert (found.first.cause, found.first.step) == ("data", 150)
    assert found.part("data").says == "1 bar changed, 4 missing in the session, 0 only there"


def test_candles_that_were_changed_after_the_session_are_noticed(
    workspace: Workspace, tmp_path: Path, run_shadow: Run
) -> None:
    path = write_candles(tmp_path / "candles.parquet", bars_of(4, 500))
    record = run_shadow(**{**LIVELY, "steps": None, "candles": path})
    assert compare_session(workspace, record.session_id).first is None
    write_candles(path, [*bars_of(4, 499), bars_of(4, 500)[-1]._replace(volume=1.0)])
    changed = compare_session(workspace, record.session_id)
    assert "digest" in changed.notes[0]
    path.unlink()
    gone = compare_session(workspace, record.session_id)
    assert [part.known for part in gone.parts] == [False, False, True, True, True, True]
    assert "cannot be had again" in gone.notes[0]


class Level(NamedTuple):
    """Close above which to be long [quote ccy]."""

    price: float = 0.0


def test_a_strategy_that_was_changed_is_logic(workspace: Workspace, run_shadow: Run) -> None:
    def above(p: Level, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
        """Be long above a price."""
        return 1.0 if c > p.price else 0.0

    def below(p: Level, s: Slots, o: float, h: float, l: float, c: float, v: float) -> float:
        """Be long below a price."""
        return 1.0 if c < p.price else 0.0

    how: dict[str, Any] = {"slots": lambda _: 0, "warmup": lambda _: 0, "tier": "core"}
    with scratch_registry():
        register("level", Level, **how)(above)
        record = run_shadow(seed=4, steps=300, strategy="level", params={"price": 50_000.0})
        assert compare_session(workspace, record.session_id).first is None
        register("level", Level, **how)(below)
        found = compare_session(workspace, record.session_id)
    assert set(shares(found)) == {"logic"}
    assert found.first is not None
    assert (found.first.cause, found.first.step) == ("logic", 0)
    unknown = compare_session(workspace, record.session_id)
    assert not unknown.part("logic").known
    assert "unknown strategy 'level'" in unknown.notes[0]


class Refusing:
    """A venue that refuses every third order."""

    asks_venue = True

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, order: Order) -> OrderAnswer:
        self.asked += 1
        return OrderAnswer(self.asked % 3 != 0, "no")


def test_orders_that_the_venue_refused_are_controls(workspace: Workspace) -> None:
    record = run_session(plan_session(workspace, **LIVELY)._replace(broker=Refusing()), Desk.of(workspace))
    found = compare_session(workspace, record.session_id)
    assert set(shares(found)) == {"controls"}
    assert found.first is not None
    assert (found.first.cause, found.first.why) == ("controls", "the venue refused order o3")
    assert f"the venue refused {record.metrics['orders_rejected']}" in found.part("controls").says
    assert any(pair.why == "only in the expectation" for pair in found.pairs)


def test_several_causes_at_once_add_up(workspace: Workspace, tmp_path: Path) -> None:
    right = bars_of(4, 500)
    wrong = [
        *right[:300],
        right[300]._replace(close=right[300].close * 1.04, high=right[300].high * 1.05),
        *right[301:],
    ]
    path = write_candles(tmp_path / "wrong.parquet", wrong)
    plan = plan_session(workspace, **{**LIVELY, "steps": None, "candles": path})._replace(broker=Refusing())
    record = run_session(plan, Desk.of(workspace))
    found = compare_session(
        workspace,
        record.session_id,
        candles=str(write_candles(tmp_path / "right.parquet", right)),
        slippage_bps=0.0,
        fee_bps=20.0,
    )
    assert set(shares(found)) == {"data", "controls", "slippage", "fee"}


def test_a_journal_that_was_changed_is_the_rest(workspace: Workspace, run_shadow: Run) -> None:
    record = run_shadow(**LIVELY)
    journal = RunFolder(workspace.runs, record.session_id).journal
    lines = journal.read_text().splitlines()
    last = max(n for n, line in enumerate(lines) if '"type":"bar"' in line)
    event = json.loads(lines[last])
    event["equity"] += 25.0
    lines[last] = json.dumps(event, separators=(",", ":"))
    journal.write_text("\n".join(lines) + "\n")
    found = compare_session(workspace, record.session_id)
    assert shares(found) == {"rest": Decimal(25)}
    assert found.first is not None
    assert (found.first.cause, found.first.why) == ("rest", "the account differs in equity")


def test_two_sessions(workspace: Workspace, run_shadow: Run) -> None:
    small, large = run_shadow(**LIVELY), run_shadow(**LIVELY, position_fraction=0.08)
    same = compare_session(workspace, small.session_id, run_shadow(**LIVELY).session_id)
    assert (shares(same), same.first) == ({}, None)
    found = compare_session(workspace, large.session_id, small.session_id)
    assert set(shares(found)) == {"logic"}
    assert "position_fraction" in found.part("logic").says
    other = compare_session(workspace, run_shadow(**{**LIVELY, "seed": 5}).session_id, small.session_id)
    assert other.part("data").amount
    with pytest.raises(ConfigError, match="has its own"):
        compare_session(workspace, large.session_id, small.session_id, fee_bps=1.0)


def test_two_sessions_whose_orders_the_venue_refused_alike_are_the_same(workspace: Workspace) -> None:
    ran = [
        run_session(plan_session(workspace, **LIVELY)._replace(broker=Refusing()), Desk.of(workspace)) for _ in range(2)
    ]
    found = compare_session(workspace, ran[0].session_id, ran[1].session_id)
    assert (shares(found), found.first) == ({}, None)


def test_a_killed_process_leaves_a_session_that_can_be_compared(workspace: Workspace, run_shadow: Run) -> None:
    record = run_shadow(**LIVELY)
    journal = RunFolder(workspace.runs, record.session_id).journal
    data = journal.read_bytes()
    journal.write_bytes(data[: len(data) // 2])  # a torn last line, mid-session
    found = compare_session(workspace, record.session_id)
    assert found.first is None
    assert 0 < found.bars < 300


def test_what_cannot_be_compared_is_said(workspace: Workspace, tmp_path: Path, run_shadow: Run) -> None:
    record = run_shadow(**LIVELY)
    with pytest.raises(SessionNotFoundError, match="nobody"):
        compare_session(workspace, "nobody")
    with pytest.raises(DataError, match="no such file"):
        compare_session(workspace, record.session_id, candles=str(tmp_path / "none.parquet"))
    with pytest.raises(ConfigError, match="fee_bps = -1"):
        compare_session(workspace, record.session_id, fee_bps=-1.0)
    elsewhere = write_candles(
        tmp_path / "elsewhere.parquet", [bar._replace(ts=bar.ts + 1e7 // 60 * 60) for bar in bars_of(1, 9)]
    )
    found = compare_session(workspace, record.session_id, candles=str(elsewhere))
    assert not found.part("data").known
    assert "do not cover" in found.notes[0]
    RunFolder(workspace.runs, record.session_id).journal.write_text("")
    with pytest.raises(ArtefactError, match="no bar"):
        compare_session(workspace, record.session_id)


def test_the_command_says_it_and_its_exit_code_too(
    peaktrade: Callable[..., Any], workspace: Workspace, run_shadow: Run
) -> None:
    record = run_shadow(**LIVELY)
    same = peaktrade("session", "diff", record.session_id, "--backtest")
    assert (same.code, same.stderr) == (0, "")
    assert "Every event is the same." in same.stdout
    other = peaktrade("session", "diff", record.session_id, "--fee-bps", "1", "--json")
    told = json.loads(other.stdout)
    assert other.code == 1
    assert sum(Decimal(part["amount"]) for part in told["parts"]) == Decimal(told["whole"])
    text = peaktrade("session", "diff", "latest", "--fee-bps", "1")
    assert "First difference at 2026-01-01 " in text.stdout
    assert "fees 0.10 -> 2.59" in text.stdout
    wrong = peaktrade("session", "diff", record.session_id, record.session_id, "--backtest")
    assert (wrong.code, wrong.stderr.count("\n")) == (2, 1)
