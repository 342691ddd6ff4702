"""A run is one thing: one word for how it stands, one name, two named figures, and money that is never added."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.question import FAIL, PASS, WARN, Check
from peaktrade_core.dashboard.metrics import Meter
from peaktrade_core.dashboard.panels import Page
from peaktrade_core.records.folder import RunFolder
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.runs.columns import figures_of
from peaktrade_core.runs.questions import needs_review, of_drawdown
from peaktrade_core.runs.run import Run, item_of, name_of, timeless, verdict_of
from peaktrade_core.runs.standing import run_of
from peaktrade_core.runs.telling import text_of
from peaktrade_core.runs.views import Views
from peaktrade_core.show.wording import BADGES
from peaktrade_core.trading.events import BarDone, Gap, Halt, Start, WarmedUp
from peaktrade_core.trading.limit_use import limits_used
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.trading.risk import reached
from peaktrade_core.workspace.workspace import Workspace

AT = datetime(2026, 1, 5, tzinfo=UTC)
SESSION_PAGE = (
    *("session", "session_curves", "session_trades", "session_limits"),
    *("session_checks", "session_events", "session_record"),
)


_COUNTS: list[Counter[tuple[str, str]]] = []  # an audit hook cannot be removed, only be told to rest


@cache
def _listen() -> None:
    """Count the files and databases that are opened while somebody asks."""

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if _COUNTS and event in ("open", "sqlite3.connect"):
            _COUNTS[-1][event, str(args[0])] += 1

    sys.addaudithook(hear)


@contextmanager
def counted() -> Iterator[Counter[tuple[str, str]]]:
    """Yield the counts of what is opened inside."""
    _listen()
    _COUNTS.append(Counter())
    try:
        yield _COUNTS[-1]
    finally:
        _COUNTS.pop()


def run(**changes: Any) -> Run:
    """Return a run that ended well."""
    return Run(**{"run_id": "r", "state": "completed", "status": "completed", "num_orders": 3, **changes})


STANDS: dict[str, tuple[Run, str, str]] = {
    "well": (run(), "completed", ""),
    "denied in part": (run(orders_blocked=7), "completed", ""),
    "denied altogether": (run(orders_blocked=7, num_orders=0), "blocked", "no order was filled, 7 orders denied"),
    "denied by codes": (
        run(orders_blocked=7, num_orders=0, denied="MAX_ORDER_NOTIONAL × 7"),
        "blocked", "no order was filled, 7 orders denied: MAX_ORDER_NOTIONAL × 7",
    ),
    "halted": (run(halted="MAX_DRAWDOWN_HALT"), "halted", "orders are denied: MAX_DRAWDOWN_HALT"),
    "halted after denials": (
        run(halted="HALTED", denied="STALE_PRICE × 2"), "halted", "orders are denied: HALTED, STALE_PRICE × 2"
    ),
    "failed": (run(state="failed", notes="DataError: x", halted="HALTED"), "failed", "DataError: x"),
    "goes on": (run(state="running", num_orders=None), "running", ""),
    "goes on, halted": (run(state="running", trading_state="HALTED"), "halted", "orders are denied: HALTED"),
    "goes on, no orders": (run(state="running", trading_state="NO_ORDERS"), "halted", "orders are denied: NO_ORDERS"),
    "goes on, reducing": (run(state="running", trading_state="REDUCING"), "reducing", "only reducing"),
    "goes on, denied": (run(state="running", num_orders=None, orders_blocked=1, position=0.0), "blocked", "1 order denied"),
    "goes on, filled": (run(state="running", num_orders=None, orders_blocked=1, position=0.1), "running", ""),
    "silent": (run(state="silent", trading_state="HALTED"), "silent", "nothing comes"),
    "died": (run(state="died", notes="its process is gone"), "died", "its process is gone"),
    "unreadable": (run(state="unreadable", notes="torn"), "unreadable", "torn"),
}  # fmt: skip


@pytest.mark.parametrize("case", STANDS)
def test_a_verdict_says_the_worst_that_is_known_and_why(case: str) -> None:
    of, word, why = STANDS[case]
    found = verdict_of(of)
    assert found.word == word
    assert why in found.why
    assert bool(why) == bool(found.why)
    assert str(found) == BADGES[word] != word
    assert (item_of(of).word, item_of(of).why) == (found.word, found.why)


def test_a_failed_check_is_no_ok() -> None:
    def answered(status: str) -> Check:
        return Check(id="ledger", question="Does the ledger agree?", status=status, evidence="", next_step="")

    assert verdict_of(run(), [answered(PASS)]).word == "completed"
    found = verdict_of(run(), [answered(PASS), answered(FAIL)])
    assert (found.word, str(found), found.tone) == ("checks", "✕ CHECKS", "bad")
    assert "Does the ledger agree?" in found.why


def test_the_feed_is_part_of_a_name() -> None:
    what = {"strategy": "ma", "symbol": "BTC/EUR", "timeframe": "1m"}
    assert name_of(run(**what, feed="synthetic")) == "ma on BTC/EUR 1m, embedded market"
    assert name_of(run(**what, feed="replay", data="may.csv")) == "ma on BTC/EUR 1m, replay may.csv"
    assert name_of(run(**what, feed="exchange", environment="kraken")) == "ma on BTC/EUR 1m, exchange kraken"
    assert name_of(run()) == "unknown strategy on unknown market"


def test_a_record_alone_tells_the_same_as_the_list(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=300, seed=2)
    (listed,) = Views.of(workspace).rows()
    assert listed == run_of(done) == Views.of(workspace).run(done.session_id) == Views.of(workspace).runs()[0]
    assert listed.total_pnl == done.metrics["equity_end"] - 10_000.0
    assert listed.total_pnl == pytest.approx(done.metrics["realized_pnl"] + done.metrics["unrealized_pnl"])
    assert listed.total_pnl != pytest.approx(listed.realized_pnl)


def test_a_session_that_was_halted_says_so_in_the_list(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=10)
    metrics = {**done.metrics, "deny_codes": {"HALTED": 4, "MAX_DRAWDOWN_HALT": 1}}
    Registry.of(workspace).write(msgspec.structs.replace(done, metrics=metrics))
    (listed,) = Views.of(workspace).rows()
    assert verdict_of(listed) == ("halted", "orders are denied: HALTED × 4, MAX_DRAWDOWN_HALT × 1")
    assert ("Deny codes", "HALTED × 4, MAX_DRAWDOWN_HALT × 1") in figures_of(
        Views.of(workspace).record(done.session_id)
    )


def test_a_run_without_a_record_is_told_by_its_journal(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=300, seed=1)
    Registry.of(workspace).path_of(done).unlink()
    found = Views.of(workspace).run(done.session_id)
    assert (found.status, found.state, found.equity) == (None, "completed", done.metrics["equity_end"])
    assert (found.risk_status, found.feed) == ("unknown", "synthetic")
    assert found.total_pnl == pytest.approx(found.realized_pnl + found.unrealized_pnl)


def test_money_of_several_currencies_is_never_added(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=300, seed=1)
    one = Views.of(workspace).stats()
    assert (one.currency, one.total_pnl) == ("EUR", Views.of(workspace).rows()[0].total_pnl)
    metrics = {"realized_pnl": 10.0, "unrealized_pnl": 2.5, "max_drawdown": 0.5}
    dollars = msgspec.structs.replace(done, session_id="usd", run_id="usd", symbol="BTC/USD", metrics=metrics)
    Registry.of(workspace).write(dollars)
    both = Views.of(workspace).stats()
    assert (both.total_sessions, both.currency, both.realized_pnl, both.total_pnl) == (2, None, None, None)
    assert [earned.currency for earned in both.by_currency] == ["EUR", "USD"]
    usd = both.by_currency[1]
    assert (usd.sessions, usd.realized_pnl, usd.total_pnl, usd.avg_drawdown) == (1, 10.0, 12.5, 0.5)
    assert Views.of(workspace).stats(Query(symbol="BTC/USD")).total_pnl == 12.5
    scraped = Meter().text(workspace, lambda: 0)
    assert 'peaktrade_sessions_total_pnl{currency="USD"} 12.5' in scraped
    assert 'peaktrade_sessions_realized_pnl{currency="USD"} 10.0' in scraped


def test_an_item_without_the_time_of_asking_is_the_same_at_any_time() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    going = item_of(run(state="running", started_at=at, duration_seconds=5.0, silence_s=1.0))
    assert (timeless(going).duration_seconds, timeless(going).silence_s) == (None, None)
    assert timeless(item_of(run(ended_at=at, duration_seconds=5.0))).duration_seconds == 5.0


def test_a_session_page_asks_for_its_session_once(
    workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    done = run_shadow(steps=300, seed=1)
    record, journal = Registry.of(workspace).path_of(done), RunFolder(workspace.runs, done.session_id).journal
    Views.of(workspace).rows()
    with counted() as asked:
        page = Page(lambda: workspace, "", done.session_id)
        for name in SESSION_PAGE:
            assert "data-final" in page.panel(name)
        assert (asked["open", str(record)], asked["open", str(journal)]) == (1, 1)
        once = sum(n for (event, _), n in asked.items() if event == "sqlite3.connect")
        assert once <= 3  # the session, its neighbours, and those that failed before it
        page.panel("session")
        assert asked["open", str(record)] == 2  # shown anew, it looks anew
        assert asked["open", str(journal)] == 1  # which did not change


def test_a_figure_of_exactly_its_limit_has_one_answer_everywhere() -> None:
    """9,000 of 10,000 is a drawdown of 10 %, though 1 - 0.9 is less than 0.1 in floats; 9,800 is a loss of 2 %."""
    drawdown = 1.0 - 9_000.0 / 10_000.0
    assert drawdown < 0.1
    assert of_drawdown(drawdown) == FAIL
    assert of_drawdown(1.0 - 9_500.0 / 10_000.0) == WARN
    assert needs_review(9_800.0 / 10_000.0 - 1.0)
    used = limits_used(
        [
            Start(0, AT, 1, {"start_balance": 10_000.0}),
            BarDone(1, AT, 0, AT, *[1.0] * 5, 0.0, *[9_000.0] * 2, -1_000.0, 0.0, 0, False, 0, 0, 0, 0, True, ()),
        ],
        {"max_drawdown_halt_pct": 10.0, "max_daily_loss_pct": 10.0},
    )
    assert {one.level for one in used} == {"red"}
    assert reached(100.0 * drawdown, 10.0)


def test_a_halt_beyond_the_liquidation_says_that_a_venue_would_have_liquidated():
    at = datetime(2026, 1, 5, tzinfo=UTC)
    told = [text_of(Halt(0, at, "LIQUIDATION_DISTANCE", value, 20.0)) for value in (18.2, -3.1)]
    assert told[0] == "LIQUIDATION_DISTANCE: 18.20 % against 20 %"
    assert told[1].endswith("against 20 %; a venue would have liquidated the position before")
    assert text_of(Halt(0, at, "MAX_DRAWDOWN_HALT", -1.0, 20.0)) == "MAX_DRAWDOWN_HALT: -1.00 % against 20 %"


def test_the_beginning_is_told_in_words_and_not_as_its_configuration() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    config = {"strategy_name": "ma", "symbol": "BTC/EUR", "timeframe": "1m", "params": {"fast": 2}, "feed": "synthetic"}
    assert text_of(Start(0, at, 1, config)) == "ma BTC/EUR 1m, fast=2, feed synthetic"
    assert text_of(Start(0, at, 1, {})) == ""  # a journal from elsewhere may say nothing
    assert text_of(WarmedUp(1, at, 0, None, None)) == "0 bars"
    assert text_of(Gap(2, at, at, at, 1)) == "1 bar missing, 2026-01-01 00:00:00 to 2026-01-01 00:00:00"
