"""Live operations: orders and positions of real sessions, the preview, readiness, the smoke test, the status report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.base.clock import EPOCH
from peaktrade_core.base.errors import ExchangeNetworkError, StrategyError
from peaktrade_core.base.question import FAIL, PASS, WARN, worst
from peaktrade_core.desk.readiness import ready_checks
from peaktrade_core.desk.smoke import smoke
from peaktrade_core.fleet.ops import orders, orders_of, portfolio
from peaktrade_core.halts.account import Account
from peaktrade_core.halts.kill_switch import KillSwitch
from peaktrade_core.halts.scope import GLOBAL, TradingState
from peaktrade_core.research.preview import preview
from peaktrade_core.runs.run import Run
from peaktrade_core.runs.views import Views
from peaktrade_core.session import questions
from peaktrade_core.session.planning import plan_session
from peaktrade_core.testing import LoopbackVenue, MarketSource
from peaktrade_core.trading import events as ev
from peaktrade_core.trading.records import SessionRecord
from peaktrade_core.venue.credentials import variables_of
from peaktrade_core.venue.orders import venue_orders
from peaktrade_core.workspace.workspace import Workspace
from tests.conftest import until

ACTIVE = TradingState(scope=GLOBAL.text)
RunShadow = Callable[..., SessionRecord]
Command = Callable[..., Any]


@pytest.fixture
def venue(configure: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackVenue]:
    """Return a venue on this machine that the workspace is configured for."""
    market = MarketSource.synthetic(seed=1, bar_s=60, symbol="BTC/EUR").aligned(time.time())
    with LoopbackVenue(market) as running:
        configure('base_url = ""', f'base_url = "{running.url}"')
        configure('mode = "shadow"', 'mode = "testnet"')
        key, secret = variables_of("kraken")
        monkeypatch.setenv(key, running.credentials.key)
        monkeypatch.setenv(secret, running.credentials.secret)
        yield running


def order(seq: int, order_id: str, qty: float = 1.0) -> ev.Order:
    return ev.Order(seq, EPOCH, order_id, "open", qty, 100.0, abs(qty) * 100.0)


@pytest.mark.parametrize(
    ("events", "states"),
    [
        ([order(0, "o1")], {"o1": "open"}),
        ([order(0, "o1"), ev.Fill(1, EPOCH, "o1", "open", 1.0, 101.0, 0.1, 100.5)], {"o1": "filled"}),
        ([order(0, "o1"), ev.Denial(1, EPOCH, "PRICE_COLLAR", 1.0, 100.0, 6.0, 5.0, "o1")], {"o1": "denied"}),
        ([ev.Denial(0, EPOCH, "STATE_HALTED", 1.0, 100.0, 2.0, 0.0)], {"": "denied"}),
        ([order(0, "o1"), ev.VenueAnswer(1, EPOCH, "o1", False, "refused")], {"o1": "rejected"}),
        ([order(0, "o1"), ev.VenueAnswer(1, EPOCH, "o1", True, "validated")], {"o1": "open"}),
        ([ev.VenueAnswer(0, EPOCH, "o9", True)], {}),  # its order is further up than we look
        ([ev.Fill(0, EPOCH, "o8", "close", -1.0, 101.0, 0.1, 100.5), order(1, "o9")], {"o8": "filled", "o9": "open"}),
    ],
)
def test_what_became_of_an_order(events: list[ev.AnyEvent], states: dict[str, str]) -> None:
    found = orders_of(Run(run_id="r", state="running"), events)
    assert {line.order_id: line.state for line in found} == states


def test_the_orders_of_a_session_are_those_of_its_journal(workspace: Workspace, run_shadow: RunShadow) -> None:
    record = run_shadow(steps=300, strategy="donchian_breakout", seed=7)
    fills = {e.order_id: e.price for e in Views.of(workspace).events(record.session_id) if isinstance(e, ev.Fill)}
    lines = orders(Views.of(workspace)).lines
    seen = {line.order_id: line.price for line in lines if line.state == "filled"}
    assert seen
    assert seen.items() <= fills.items()
    assert {line.order_id for line in orders(Views.of(workspace), only_open=True).lines}.isdisjoint(fills)


def test_a_journal_that_cannot_be_read_is_told_beside_the_others(workspace: Workspace, run_shadow: RunShadow) -> None:
    good, bad = run_shadow(steps=300, strategy="donchian_breakout"), run_shadow(steps=30)
    (workspace.runs / bad.session_id / "events.jsonl").unlink()
    found = orders(Views.of(workspace))
    assert {line.run_id for line in found.lines} == {good.session_id}
    assert len(found.faults) <= 1


def test_the_portfolio_adds_running_sessions_only() -> None:
    rows = [
        Run(
            run_id="a", mode="shadow", symbol="BTC/EUR", state="running", position=0.5, exposure=50.0, realized_pnl=1.0
        ),
        Run(
            run_id="b", mode="shadow", symbol="BTC/EUR", state="silent", position=-0.2, exposure=20.0, realized_pnl=2.0
        ),
        Run(run_id="c", mode="shadow", symbol="BTC/EUR", state="completed", position=9.0, exposure=900.0),
        Run(run_id="d", mode="testnet", symbol="BTC/EUR", state="running"),
    ]
    shadow, testnet = portfolio(rows)
    assert (shadow.sessions, shadow.position, shadow.exposure, shadow.realized_pnl) == (2, 0.3, 70.0, 3.0)
    assert (testnet.mode, testnet.sessions, testnet.unknown) == ("testnet", 1, 1)


def test_a_running_session_is_in_the_portfolio_and_in_the_status_report(
    workspace: Workspace, start: Callable[..., Any], peaktrade: Command
) -> None:
    start("session", "run", "--steps", 100_000, "--pace", 600, "--strategy", "donchian_breakout", "--seed", 7)
    until(lambda: any(run.state == "running" and run.step for run in Views.of(workspace).runs()))
    said = json.loads(peaktrade("ops", "portfolio", "--json").stdout)
    assert [(p["symbol"], p["sessions"]) for p in said["positions"]] == [("BTC/EUR", 1)]
    report = peaktrade("report", "status", "--stdout").stdout
    assert "No session runs." not in report
    assert Views.of(workspace).runs()[0].run_id in report


@pytest.mark.parametrize("seed", [1, 2, 3, 7])
@pytest.mark.parametrize("strategy", ["donchian_breakout", "ma_crossover"])
def test_the_preview_is_what_a_session_does_at_that_bar(
    workspace: Workspace, run_shadow: RunShadow, seed: int, strategy: str
) -> None:
    found = preview(
        plan_session(workspace, strategy=strategy, seed=seed, warmup_candles=101), ACTIVE, Account.of(workspace).check
    )
    record = run_shadow(strategy=strategy, seed=seed, warmup_candles=100, steps=1)
    sent = [e for e in Views.of(workspace).events(record.session_id) if isinstance(e, ev.Order)]
    assert (found.verdict == "allowed") == bool(sent)
    assert found.qty == (sent[0].qty if sent else None)


def test_the_preview_knows_the_halt_and_writes_nothing(workspace: Workspace, peaktrade: Command, home: Path) -> None:
    wanted = ("orders", "preview", "--strategy", "donchian_breakout", "--dry-run", "--json")
    assert json.loads(peaktrade(*wanted).stdout)["verdict"] == "allowed"
    KillSwitch.of(workspace).engage("ada", "a drill")
    before = sorted(str(path) for path in home.rglob("*"))
    said = json.loads(peaktrade(*wanted).stdout)
    assert (said["verdict"], said["code"]) == ("denied", "HALTED")
    assert sorted(str(path) for path in home.rglob("*")) == before


def test_the_preview_of_a_strategy_that_fails_names_it(workspace: Workspace) -> None:
    from peaktrade_core.desk.demo import Fragile, fragile
    from peaktrade_core.trading.strategies import register, scratch_registry

    with scratch_registry():
        register("fragile", Fragile, slots=lambda _: 1, warmup=lambda _: 0, tier="core")(fragile)
        plan = plan_session(workspace, strategy="fragile", params={"bars": 50})
    with pytest.raises(StrategyError, match="fragile"):
        preview(plan, ACTIVE, Account.of(workspace).check)


def test_open_orders_without_a_key_says_that_nobody_was_asked(peaktrade: Command) -> None:
    ended = peaktrade("orders", "open")
    assert ended.code == 0
    assert "No order of ours is open." in ended.stdout
    assert "not asked: no credentials" in ended.stdout


def test_open_orders_asks_the_venue_with_a_key(workspace: Workspace, venue: LoopbackVenue) -> None:
    found = venue_orders(workspace)
    assert (found.failed, found.orders, found.told) == (False, [], "no order is open there")


@pytest.mark.parametrize("with_venue", [False, True])
def test_live_is_always_locked_whatever_else_is_right(
    workspace: Workspace, request: pytest.FixtureRequest, configure: Callable[[str, str], None], with_venue: bool
) -> None:
    if with_venue:
        request.getfixturevalue("venue")
    else:
        configure('base_url = ""', 'base_url = "http://127.0.0.1:9"')
        configure("attempts = 4 ", "attempts = 1 ")
    checks = ready_checks(workspace, "live")
    assert (checks[-1].id, checks[-1].status) == ("gate", FAIL)
    assert "locked by design" in checks[-1].evidence
    assert "Nothing unlocks it" in checks[-1].next_step


def test_a_venue_that_gives_no_answer_is_asked_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Silent:
        name = "kraken"

        def __getattr__(self, what: str) -> Any:
            asked.append(what)
            raise ExchangeNetworkError("no answer within 10 s")

    monkeypatch.setattr(questions, "open_venue", lambda *_, **__: Silent())
    found = {one.id: one for one in ready_checks(workspace, "testnet")}
    told = {found[name].evidence for name in ("venue", "skew", "market")}
    assert told == {"ExchangeNetworkError: no answer within 10 s"}
    assert len(asked) == 1


def test_each_stage_asks_everything_of_the_one_before(workspace: Workspace, venue: LoopbackVenue) -> None:
    shadow, testnet, live = ([c.id for c in ready_checks(workspace, stage)] for stage in ("shadow", "testnet", "live"))
    assert shadow == testnet[: len(shadow)]
    assert testnet == live[: len(testnet)]
    assert worst(c for c in ready_checks(workspace, "testnet")) != FAIL


def test_a_production_key_within_reach_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, venue: LoopbackVenue
) -> None:
    monkeypatch.setenv("KRAKEN_API_KEY", "not-a-real-key")
    found = next(c for c in ready_checks(workspace, "live") if c.id == "keys")
    assert found.status == WARN
    assert "not-a-real-key" not in found.evidence


@pytest.mark.parametrize(("stage", "code"), [("shadow", 0), ("testnet", 1), ("live", 5), ("prod", 2)])
def test_the_exit_code_of_readiness(
    peaktrade: Command, configure: Callable[[str, str], None], stage: str, code: int
) -> None:
    configure('base_url = ""', 'base_url = "http://127.0.0.1:9"')
    configure("attempts = 4 ", "attempts = 1 ")
    assert peaktrade("readiness", "--stage", stage).code == code


def test_a_broken_configuration_fails_readiness_and_raises_nothing(home: Path, peaktrade: Command) -> None:
    (home / "config" / "config.toml").write_text("[session]\nsteps = -1\n")
    ended = peaktrade("readiness", "--json")
    assert ended.code == 1
    assert not json.loads(ended.stdout)["passed"]
    assert "steps" in ended.stdout


def test_the_smoke_test_passes_and_leaves_nothing(home: Path, peaktrade: Command) -> None:
    ended = peaktrade("smoke")
    assert ended.code == 0
    assert "Smoke-Test (shadow) PASSED" in ended.stdout
    assert not (home / "live_runs").exists()
    assert not (home / "reports").exists()


def test_the_smoke_test_runs_against_the_venue(workspace: Workspace, venue: LoopbackVenue) -> None:
    found = {one.id: one.status for one in smoke(workspace, "testnet")}
    assert {found[name] for name in ("smoke", "testnet", "answers", "kill_switch")} == {PASS}


def test_the_smoke_test_fails_when_the_limits_let_nothing_through(
    workspace: Workspace, configure: Callable[[str, str], None]
) -> None:
    configure("max_order_notional = 1000.0", "max_order_notional = 1.0")
    found = smoke(workspace)
    assert (found[-1].id, found[-1].status) == ("risk", FAIL)
    assert "MAX_ORDER_NOTIONAL" in found[-1].next_step


def test_health_tells_what_is_off_and_what_is_halted(workspace: Workspace, peaktrade: Command) -> None:
    assert peaktrade("ops", "health").code == 0
    KillSwitch.of(workspace).engage("ada", "a drill")
    ended = peaktrade("ops", "health", "--json")
    found = {c["id"]: c["status"] for c in json.loads(ended.stdout)["checks"]}
    assert ended.code == 1
    assert (found["watcher"], found["kill_switch"], found["halts"]) == ("warn", "pass", "fail")


def test_a_failed_job_is_seen_in_health(workspace: Workspace, home: Path, peaktrade: Command) -> None:
    (home / "config" / "jobs.toml").write_text("[jobs.snapshot_export]\ncron = '0 0 * * *'\n")
    (home / "out").write_text("a file where the folder should be")
    assert peaktrade("schedule", "run-now", "snapshot_export").code == 1
    checks = json.loads(peaktrade("ops", "health", "--json").stdout)["checks"]
    assert "snapshot_export failed" in next(c["evidence"] for c in checks if c["id"] == "schedule")
    assert peaktrade("schedule", "status").code == 1


def test_a_wrong_jobs_file_is_a_sentence_everywhere(home: Path, peaktrade: Command) -> None:
    (home / "config" / "jobs.toml").write_text("[jobs.shell]\ncron = '* * * * *'\n")
    for words in (("schedule", "list"), ("schedule", "run", "--once")):
        ended = peaktrade(*words)
        assert ended.code == 2
        assert "unknown job 'shell'" in ended.stderr
    assert "unknown job 'shell'" in peaktrade("ops", "health").stdout.replace("\n", " ")
