"""Promotion: what a strategy needs before it may run, each missing part said, and two people who are two."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.question import PASS, Check
from peaktrade_core.control.promotion import Candidate, promotion_checks
from peaktrade_core.people.approvals import Approvals
from peaktrade_core.research.trials.holdout import OPENED, SET, HoldOut
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore, prepare, run_sweep
from peaktrade_core.session.plan import Desk
from peaktrade_core.session.planning import plan_session
from peaktrade_core.session.session import run_session
from peaktrade_core.session.tiers import Promotions
from peaktrade_core.trading.strategies import get_strategy
from peaktrade_core.workspace.workspace import Workspace
from tests.people.conftest import key_of as key_of
from tests.people.conftest import names as names

NAME = "el_karoui_vol_model"


def statuses(checks: list[Check]) -> dict[str, str]:
    return {one.id: one.status for one in checks}


pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture
def candles_of_days(candles: Callable[[str], Path]) -> str:
    return str(candles("kraken_BTC-EUR_1d_20180727-20200714"))


@pytest.fixture
def swept(workspace: Workspace, candles_of_days: str) -> SweepRecord:
    """Return a sweep whose verdict is made to say that nothing speaks against it: judging is tested elsewhere."""
    sweep = Sweep(
        name="s", question="q", strategy=NAME, symbol="BTC/EUR", timeframe="1d", candles=candles_of_days,
        warmup_candles=60, parameters={"window": [5, 10]}, fixed={"lookback": 40},
        judge=Judge(least_trades=1, blocks=2), walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
    )  # fmt: skip
    record = run_sweep(workspace, prepare(workspace, sweep))
    good = Check(id="enough", question="Is it?", status=PASS, evidence="yes")
    return SweepStore(workspace).save(msgspec.structs.replace(record, best=1, verdict=(good,)))


def signed(peaktrade: Callable[..., Any], home: Path) -> str:
    """Enter a go/no-go document, countersign it and return its id."""
    document = home / "go.md"
    document.write_text("# Go\n")
    added = peaktrade(
        "evidence", "add", "--tag", "GO", "--text", "it may run", "--by", "Ada", "--about", NAME, document, "--json"
    )
    evidence_id = json.loads(added.stdout)["evidence_id"]
    assert peaktrade("evidence", "countersign", evidence_id, "--by", "Ben").code == 0
    return str(evidence_id)


def test_each_missing_part_is_said(peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord) -> None:
    checks = promotion_checks(workspace, NAME, "aux")
    assert statuses(checks) == {
        "step": "pass", "verdict": "fail", "holdout": "fail", "document": "fail", "two_people": "fail",
    }  # fmt: skip
    assert all(one.next_step for one in checks if one.status != "pass")
    refused = peaktrade("strategies", "promote", NAME, "--to", "aux", "--by", "Ada")
    assert refused.code == 1
    assert f"{NAME} stays what it is." in refused.stdout
    assert Promotions(workspace).all() == []
    assert statuses(promotion_checks(workspace, NAME, "core"))["step"] == "fail"
    assert statuses(promotion_checks(workspace, "ma_crossover", "aux"))["step"] == "fail"


def test_all_of_it_makes_it_aux_and_agreeing_sessions_core(
    peaktrade: Callable[..., Any],
    workspace: Workspace,
    swept: SweepRecord,
    home: Path,
    candles_of_days: str,
    configure: Callable[[str, str], None],
) -> None:
    trial = f"{swept.sweep_id}#1"
    assert peaktrade("holdout", "open", trial, "--by", "Ada", "--reason", "go or not").code == 0
    evidence_id = signed(peaktrade, home)
    stranger = peaktrade("strategies", "promote", NAME, "--to", "aux", "--by", "Carl")
    assert "Carl is neither of the two who signed" in stranger.stderr
    made = peaktrade("strategies", "promote", NAME, "--to", "aux", "--by", "Ben")
    assert made.code == 0, made.stdout
    (promotion,) = Promotions(workspace).all()
    assert (promotion.trial, promotion.evidence, promotion.by, promotion.second) == (trial, evidence_id, "Ada", "Ben")
    assert promotion.people == "Ada and Ben (not verified)"
    assert Promotions(workspace).tier(get_strategy(NAME)) == "aux"
    assert f"r_and_d to aux on {promotion.at:%Y-%m-%d}" in peaktrade("strategies", "show", NAME).stdout
    assert peaktrade("strategies", "promote", NAME, "--to", "core", "--by", "Ada").code == 1
    configure("promotion_sessions = 5", "promotion_sessions = 1")
    again = Workspace(home)
    run_session(plan_session(again, strategy=NAME, seed=1, steps=300), Desk.of(again))
    assert (
        statuses(promotion_checks(again, NAME, "core"))["sessions"] == "fail"
    )  # a market that is made up shows nothing
    wanted = {"timeframe": "1d", "symbol": "BTC/EUR", "warmup_candles": 60, "params": {"window": 5, "lookback": 40}}
    record = run_session(plan_session(again, strategy=NAME, candles=candles_of_days, **wanted), Desk.of(again))
    assert record.status == "completed"
    assert set(statuses(promotion_checks(again, NAME, "core")).values()) == {"pass"}
    assert peaktrade("strategies", "promote", NAME, "--to", "core", "--by", "Ada").code == 0
    assert Promotions(again).all()[-1].sessions == (record.session_id,)


def test_with_keys_two_people_sign_the_promotion_itself(
    peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord, home: Path, names: Any, key_of: Any
) -> None:
    peaktrade("holdout", "open", f"{swept.sweep_id}#1", "--by", "Ada", "--reason", "go or not")
    evidence_id = signed(peaktrade, home)
    names(Ada="owner", Ben="operator", Cleo="operator")
    promote = ("strategies", "promote", NAME, "--to", "aux", "--by", "Ben")
    waits = peaktrade(*promote)
    assert (waits.code, "promotion of a strategy" in waits.stderr) == (9, True), waits.stdout + waits.stderr
    assert Promotions(workspace).all() == []  # the countersignature, a typed name, is not enough
    (asked,) = Approvals.of(workspace).all()
    assert evidence_id in asked.asked.subject
    for person in ("Cleo", "Ada"):
        assert peaktrade("approve", asked.id, "--key", str(key_of(person).path)).code == 0
    made = peaktrade(*promote)
    assert made.code == 0, made.stderr
    (promotion,) = Promotions(workspace).all()
    assert (promotion.people, promotion.request) == (f"Cleo and Ada (signed, {asked.id})", asked.id)
    assert f'"request": "{asked.id}"' in peaktrade("strategies", "show", NAME, "--json").stdout


def test_what_was_seen_twice_is_not_unseen(
    peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord
) -> None:
    for reason in ("go or not", "once more"):
        peaktrade("holdout", "open", f"{swept.sweep_id}#1", "--by", "Ada", "--reason", reason)
    found = {one.id: one for one in promotion_checks(workspace, NAME, "aux")}
    assert (found["holdout"].status, found["verdict"].status) == ("fail", "pass")
    assert "opened 2 times" in found["holdout"].evidence


def test_of_two_markets_the_trial_counts_that_was_looked_at_last(workspace: Workspace, swept: SweepRecord) -> None:
    """Not the one whose market was used last for the first time."""
    held = HoldOut(workspace).chain
    at = workspace.clock.now()
    held.append((SET, {"symbol": "ETH/EUR", "timeframe": "1d", "since": at.isoformat(), "share": 0.2}), at=at)
    for number, symbol in ((1, "ETH/EUR"), (0, "BTC/EUR")):
        said = {"symbol": symbol, "timeframe": "1d", "trial": f"{swept.sweep_id}#{number}", "by": "Ada", "reason": "go"}
        held.append((OPENED, said), at=at - timedelta(hours=number))
    found = Candidate(workspace, get_strategy(NAME), "aux").opened()
    assert found is not None
    assert found.name == f"{swept.sweep_id}#0"


def test_costs_that_changed_since_the_trial_count_against_it(
    peaktrade: Callable[..., Any],
    workspace: Workspace,
    swept: SweepRecord,
    home: Path,
    configure: Callable[[str, str], None],
) -> None:
    peaktrade("holdout", "open", f"{swept.sweep_id}#1", "--by", "Ada", "--reason", "go or not")
    assert statuses(promotion_checks(workspace, NAME, "aux"))["verdict"] == "pass"
    configure("slippage_bps = 5.0", "slippage_bps = 0.5")
    found = {one.id: one for one in promotion_checks(Workspace(home), NAME, "aux")}
    assert "code, costs or limits are others by now" in found["verdict"].evidence
