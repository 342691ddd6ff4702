"""The rest, the costs and other limits, asked of many sessions at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from peaktrade_core import read
from peaktrade_core.base.errors import ConfigError, SessionNotFoundError
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.reports import period
from peaktrade_core.research.over_sessions.costs import LEAST, session_costs
from peaktrade_core.research.over_sessions.limits import sweep_limits
from peaktrade_core.research.over_sessions.rest import rests
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.trading.events import Order
from peaktrade_core.trading.ports import OrderAnswer
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.workspace.workspace import Workspace

LIVELY: dict[str, Any] = {"params": {"fast": 2, "slow": 5}, "steps": 150}
Run = Callable[..., SessionRecord]


@pytest.fixture
def three(run_shadow: Run) -> list[SessionRecord]:
    """Return three sessions that ended; a fourth was practice and counts nowhere."""
    run_shadow(**LIVELY, seed=9, rehearsal=True)
    return [run_shadow(**LIVELY, seed=seed) for seed in (3, 4, 5)]


def tampered(workspace: Workspace, record: SessionRecord) -> None:
    """Give the last bar of a session a better end than its fills made."""
    journal = RunFolder(workspace.runs, record.session_id).journal
    lines = journal.read_bytes().splitlines(keepends=True)
    at = max(n for n, line in enumerate(lines) if b'"type":"bar"' in line)
    bar = msgspec.json.decode(lines[at])
    lines[at] = msgspec.json.encode({**bar, "equity": bar["equity"] + 50.0, "cash": bar["cash"] + 50.0}) + b"\n"
    journal.write_bytes(b"".join(lines))


def test_a_rest_is_found_among_many_and_a_day_says_how_many_have_none(
    workspace: Workspace, three: list[SessionRecord], peaktrade: Callable[..., Any]
) -> None:
    (day,) = rests(workspace, 1.0).days
    assert (day.sessions, day.compared, day.without_rest, day.share) == (3, 3, 3, 1.0)
    assert set(day.bps.values()) == {0.0}
    assert peaktrade("session", "diff", "--all").code == 0
    tampered(workspace, three[1])
    RunFolder(workspace.runs, three[2].session_id).journal.unlink()
    found = rests(workspace, 1.0)
    assert [one.session_id for one in found.with_rest] == [three[1].session_id]
    (day,) = found.days
    assert (day.sessions, day.compared, day.without_rest, day.share) == (3, 2, 1, 0.5)
    assert day.bps["rest"] == pytest.approx(1e4 * 50.0 / 20_000.0)
    said = peaktrade("session", "diff", "--all", "--days", "2")
    assert said.code == 1
    assert f"{three[1].session_id} has a rest of +50.00 bps." in said.stdout
    assert f"{three[2].session_id} could not be compared: " in said.stdout
    for name, given in (("daily_report", {"date": "today"}), ("weekly_report", {"week": "this"})):
        table = read(name, workspace, **given).differences()
        assert [(row[0].text, row[1].text, row[2].text) for row in table.rows] == [(day.day, "3", "1 of 2")]
        assert f"{three[1].session_id} has a rest: `peaktrade session diff {three[1].session_id}`." in table.note.text
        assert f"{three[2].session_id} could not be compared: " in table.note.text


def test_a_report_compares_the_newest_and_says_so(
    workspace: Workspace, three: list[SessionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(period, "COMPARED", 2)
    table = read("daily_report", workspace, date="today").differences()
    assert [row[2].text for row in table.rows] == ["2 of 2"]
    assert table.note.text == "These are the newest 2 of 3 sessions; `peaktrade session diff --all` takes all."
    assert "No session that began" in repr(read("daily_report", workspace, date="yesterday").differences())


@pytest.mark.parametrize(
    "words",
    [("--all", "latest"), ("--all", "--fee-bps", "1"), (), ("--all", "--days", "0"), ("--all", "--days", "nan")],
)
def test_what_cannot_be_meant_is_refused(peaktrade: Callable[..., Any], words: tuple[str, ...]) -> None:
    assert peaktrade("session", "diff", *words).code == 2


def test_costs_are_summed_by_strategy_symbol_and_hour(workspace: Workspace, three: list[SessionRecord]) -> None:
    found = session_costs(workspace, 1.0)
    fills = sum(int(record.metrics["num_orders"]) for record in three)
    groups = {by: [row for row in found.rows if row.by == by] for by in ("strategy", "symbol", "hour")}
    assert {by: sum(row.fills for row in rows) for by, rows in groups.items()} == dict.fromkeys(groups, fills)
    (row,) = groups["strategy"]
    assert row.fee == pytest.approx(26.0)
    assert row.slippage == pytest.approx(5.0, abs=0.1)  # and the tick, against us
    assert (row.venue, row.venue_fills, len(groups["hour"]) > 1) == (None, 0, True)
    assert [one.proposed for one in found.proposals] == [None, None]
    assert session_costs(workspace, 1.0, strategy="other").rows == ()


class Worse:
    """A venue that fills each order so many basis points worse than the session does."""

    asks_venue = True

    def __init__(self, bps: float) -> None:
        self.bps = bps

    def submit(self, order: Order) -> OrderAnswer:
        price = order.price * (1.0 + self.bps / 1e4 * (1 if order.qty > 0 else -1))
        event = {"type": "EXECUTION", "price": price, "amount": abs(order.qty)}
        return OrderAnswer(accepted=True, raw={"orderEvents": [event]})


def test_what_a_venue_fills_at_proposes_the_slippage(workspace: Workspace) -> None:
    for seed in (3, 4):
        plan = plan_session(workspace, **LIVELY, seed=seed)._replace(broker=Worse(12.0))
        run_session(plan, Desk.of(workspace))
    found = session_costs(workspace, 1.0)
    slippage, fee = found.proposals
    assert slippage.fills >= LEAST
    assert slippage.measured == pytest.approx(12.0, abs=1.0)
    assert slippage.proposed is not None
    assert 0.0 <= slippage.proposed - slippage.measured <= 0.1
    assert (slippage.configured, fee.proposed) == (5.0, None)


def test_a_sweep_of_limits_is_each_replay_of_them(workspace: Workspace, three: list[SessionRecord]) -> None:
    found = sweep_limits(workspace, {"max_order_notional": [400.0, 1000.0], "max_open_orders": [2.0]}, 1.0)
    tight, own = found.rows
    assert (tight.sessions, tight.changed, own.changed, own.blocked) == (3, 3, 0, 0)
    assert (own.pnl, own.drawdown, own.first) == (own.pnl_with, own.drawdown_with, "")
    assert tight.blocked == sum(one.blocked for one in tight.each) > 30
    assert (tight.pnl_with, tight.drawdown_with) == (0.0, 0.0)
    assert tight.pnl == pytest.approx(sum(r.metrics["equity_end"] - 10_000.0 for r in three))
    first = min((one.first_at, one.session_id) for one in tight.each if one.first_at)[1]
    assert tight.first.startswith(f"{first}: under these limits denied: MAX_ORDER_NOTIONAL")
    (one,) = sweep_limits(workspace, {"max_order_notional": [400.0]}, 1.0, ["latest"]).rows
    assert [each.session_id for each in one.each] == [three[-1].session_id]


def test_a_sweep_of_what_is_no_limit_is_refused(
    workspace: Workspace, three: list[SessionRecord], peaktrade: Callable[..., Any]
) -> None:
    assert len(three) == 3
    for values in ({}, {"max_nonsense": [1.0]}, {"max_order_notional": [-1.0]}, {"max_order_notional": [1.0] * 201}):
        with pytest.raises(ConfigError):
            sweep_limits(workspace, values, 1.0)
    with pytest.raises(SessionNotFoundError):
        sweep_limits(workspace, {"max_order_notional": [400.0]}, 1.0, ["shadow_nobody"])
    for wrong in ("max_order_notional", "max_order_notional=", "max_order_notional=1,x"):
        assert peaktrade("risk", "sweep", "--set", wrong).code == 2
    shown = peaktrade("risk", "sweep", "--set", "max_order_notional=400,520", "--json")
    assert [row["sessions"] for row in json.loads(shown.stdout)["rows"]] == [3, 3]


def test_without_sessions_each_says_so(peaktrade: Callable[..., Any]) -> None:
    for words in (
        ("session", "diff", "--all"),
        ("session", "costs"),
        ("risk", "sweep", "--set", "max_order_notional=1"),
    ):
        said = peaktrade(*words)
        assert (said.code, said.stdout.startswith("No ")) == (0, True)
