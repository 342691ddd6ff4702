"""What a tier lets a strategy do, and that practice is never counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.errors import ArtefactError, ConfigError, TierNotAllowedError
from peaktrade_core.changes.code import code_digest
from peaktrade_core.records.registry import Query, Registry
from peaktrade_core.reports.summary import summarize
from peaktrade_core.runs.sums import days_of
from peaktrade_core.runs.views import Views
from peaktrade_core.schedule.periods import DAY, span_named
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.tiers import Promotion, Promotions
from peaktrade_core.trading.records import SessionRecord, encode_record, read_record
from peaktrade_core.trading.strategies import all_strategies, get_strategy, register, scratch_registry
from peaktrade_core.workspace.workspace import Workspace

RESEARCH = ("--strategy", "el_karoui_vol_model")


def promoted(workspace: Workspace, name: str, to: str, **other: Any) -> None:
    strategy = get_strategy(name)
    given: dict[str, Any] = {
        "strategy": name, "before": strategy.tier, "to": to, "code": code_digest(strategy), "trial": "sw_1#2",
        "evidence": "EV-20260101-GO", "by": "Ada", "second": "Ben", "at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    Promotions(workspace).add(Promotion(**given | other))


def test_research_may_not_run_where_it_counts(peaktrade: Callable[..., Any], workspace: Workspace) -> None:
    refused = peaktrade("session", "run", *RESEARCH, "--steps", "20")
    assert refused.code == 2
    assert "TierNotAllowedError: strategy 'el_karoui_vol_model' is r_and_d: it may be researched" in refused.stderr
    assert peaktrade("session", "run", *RESEARCH, "--dry-run").code == 2
    assert "TierNotAllowedError" in peaktrade("fleet", "start-shadow", *RESEARCH).stderr
    with pytest.raises(TierNotAllowedError):
        run_session(plan_session(workspace, strategy="armstrong_cycle", steps=20), Desk.of(workspace))
    assert Registry.of(workspace).count(Query()) == 0
    assert peaktrade("backtest", *RESEARCH, "--steps", "400").code == 0


def test_a_legacy_strategy_is_refused_too(workspace: Workspace) -> None:
    with scratch_registry():
        old = get_strategy("ma_crossover")
        register("old", old.params, slots=old.slots, warmup=old.warmup, tier="legacy")(old.update)
        with pytest.raises(TierNotAllowedError, match="'old' is legacy"):
            run_session(plan_session(workspace, strategy="old", steps=20), Desk.of(workspace))


def test_practice_runs_and_is_never_counted(
    peaktrade: Callable[..., Any], workspace: Workspace, run_shadow: Callable[..., SessionRecord]
) -> None:
    counted = run_shadow(steps=200, seed=3)
    said = peaktrade("session", "run", *RESEARCH, "--steps", "300", "--rehearsal")
    assert said.code == 0, said.stderr
    assert "rehearsal, never counted" in said.stdout
    views = Views.of(Workspace(workspace.home))
    practice = next(row for row in views.rows(Query()) if row.rehearsal)
    record = views.record(practice.run_id)
    assert (record.run_type, record.mode, practice.kind) == ("rehearsal", "shadow", "rehearsal")
    assert practice.total_pnl not in (None, 0.0)
    stats = views.stats()
    assert stats.total_sessions == 2
    assert stats.total_pnl == pytest.approx(counted.metrics["equity_end"] - counted.config["start_balance"])
    assert stats.avg_drawdown == counted.metrics["max_drawdown"]
    assert views.stats(Query(run_type="rehearsal")).total_pnl == 0.0
    days = days_of(Registry.of(workspace).days(None))
    assert sum(day.total_pnl for day in days) == pytest.approx(stats.total_pnl)
    today = span_named(DAY, "today", workspace.clock.now())
    whole = summarize(Workspace(workspace.home), today)
    assert [row.run_id for row in whole.sessions] == [counted.session_id]


def test_practice_asks_no_venue(workspace: Workspace, configure: Callable[[str, str], None]) -> None:
    configure('mode = "shadow"', 'mode = "testnet"')
    with pytest.raises(ConfigError, match="a rehearsal asks no venue"):
        plan_session(Workspace(workspace.home), mode="testnet", rehearsal=True)


def test_a_promotion_belongs_to_the_code_that_was_judged(workspace: Workspace) -> None:
    log = Promotions(workspace)
    promoted(workspace, "armstrong_cycle", "aux", code="0" * 64)
    assert log.tier(get_strategy("armstrong_cycle")) == "r_and_d"
    promoted(workspace, "armstrong_cycle", "aux")
    assert log.tier(get_strategy("armstrong_cycle")) == "aux"
    record = run_session(plan_session(workspace, strategy="armstrong_cycle", steps=20), Desk.of(workspace))
    assert (record.status, record.strategy_tier) == ("completed", "aux")
    log.chain.path.write_bytes(log.chain.path.read_bytes().replace(b"aux", b"aix", 1))
    with pytest.raises(ArtefactError):
        Promotions(workspace).tier(get_strategy("armstrong_cycle"))
    assert log.tier(get_strategy("ma_crossover")) == "core"


def test_the_list_shows_the_tier_that_holds(peaktrade: Callable[..., Any], workspace: Workspace) -> None:
    promoted(workspace, "armstrong_cycle", "aux")
    listed = {one["name"]: one["tier"] for one in json.loads(peaktrade("strategies", "--json").stdout)}
    assert listed == {one.name: one.tier for one in all_strategies()} | {"armstrong_cycle": "aux"}
    assert json.loads(peaktrade("strategies", "list", "--json").stdout)[0]["tier"] == "aux"
    answers = {one["id"]: one["status"] for one in json.loads(peaktrade("audit", "verify", "--json").stdout)["checks"]}
    assert answers["ledger"] == "pass"


def test_a_record_names_its_decision_and_an_older_one_reads_fine(
    run_shadow: Callable[..., SessionRecord], peaktrade: Callable[..., Any], workspace: Workspace
) -> None:
    record = run_shadow(steps=50)
    assert record.decision_id is not None
    assert record.decision_id.startswith("dc_")
    assert run_shadow(steps=80).decision_id == record.decision_id
    assert run_shadow(steps=80, params={"fast": 5}).decision_id != record.decision_id
    views = Views.of(workspace)
    assert len(views.rows(Query(decision_id=record.decision_id))) == 2
    assert views.stats(Query(decision_id=record.decision_id)).total_sessions == 2
    raw = msgspec.json.decode(encode_record(record))
    del raw["decision_id"]
    assert read_record(msgspec.json.encode(raw)).decision_id is None
