"""The runbooks of research: questions before, one counted try, what speaks against it, a decision that is kept with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peaktrade_core.control.method import AFTER, BEFORE, Setup
from peaktrade_core.control.playbook import BacktestRunbook, PlaybookRunbook
from peaktrade_core.research.experiments.rows import Experiments
from peaktrade_core.research.trials.ledger import TrialLedger
from peaktrade_core.runbooks.runbook import begin
from peaktrade_core.show.chart import Chart
from peaktrade_core.workspace.workspace import Workspace

GO = "start = yes: known; decide = drop: too few round trips"


@pytest.fixture
def stored(peaktrade: Callable[..., Any], candles: Callable[[str], Path]) -> None:
    """Store days of BTC/EUR from Kraken, 2018 to 2020."""
    file = candles("kraken_BTC-EUR_1d_20180727-20200714")
    assert peaktrade("data", "import", file, "--symbol", "BTC/EUR", "--yes").code == 0


def backtest(workspace: Workspace, **given: object) -> BacktestRunbook:
    runbook: BacktestRunbook = begin("backtest", workspace, **given)
    runbook.before()
    runbook.start()
    return runbook


@pytest.mark.usefixtures("stored")
def test_a_backtest_is_counted_judged_and_its_decision_stands_with_it(workspace: Workspace) -> None:
    runbook = backtest(workspace, answers=GO)
    assert "Nothing was written yet" in repr(runbook.plan())
    runbook.run()
    tried = runbook.setup.tried
    assert TrialLedger(workspace).has(tried)
    assert "speak against it" in repr(runbook.verdict())
    figure = runbook.figure()
    assert isinstance(figure, Chart)
    assert len(figure.spans) == 1
    assert "all 4 answers are good" in repr(runbook.after())
    runbook.decide()
    runbook.noted()
    done = runbook.finish()
    assert done.record.subject == "ma_crossover"
    assert [Path(one.path).name for one in done.record.artefacts] == [f"{tried}.json"]
    row = Experiments(workspace).row(tried)
    assert (row.tags, row.against) == (("drop",), True)
    assert row.notes[0].startswith("drop by ")
    assert "too few round trips" in row.notes[0]


@pytest.mark.usefixtures("stored")
def test_taken_up_again_it_shows_what_was_tried_and_tries_nothing(workspace: Workspace) -> None:
    runbook = backtest(workspace, answers=GO)
    runbook.run()
    again: BacktestRunbook = begin("backtest", workspace, resume=runbook.round.id, answers=GO)
    again.run()
    assert again.setup.tried == runbook.setup.tried
    assert len(list(TrialLedger(workspace).chain.links())) == 1


@pytest.mark.usefixtures("stored")
def test_without_a_question_nothing_is_tried(workspace: Workspace) -> None:
    runbook = backtest(workspace, question=" ")
    shown = (runbook.run(), runbook.verdict(), runbook.figure(), runbook.after(), runbook.decide(), runbook.noted())
    assert all("Nothing was tried" in repr(one) for one in shown)
    assert Experiments(workspace).rows() == []
    assert runbook.finish().record.outcome == "incomplete"


@pytest.mark.usefixtures("stored")
def test_the_playbook_tries_a_grid_of_a_strategy_that_may_not_run(workspace: Workspace) -> None:
    runbook: PlaybookRunbook = begin(
        "rnd_playbook", workspace, grid="window 5,10; lookback 40", shuffles=0, least_trades=1, answers=GO
    )
    runbook.before()
    assert "Nothing was tried yet" in repr(runbook.earlier())
    assert "Nothing was counted yet" in repr(runbook.plan())
    assert TrialLedger(workspace).count(runbook.setup.market) == 0
    runbook.start()
    runbook.run()
    assert TrialLedger(workspace).count(runbook.setup.market) == 2
    assert "el_karoui_vol_model" in repr(runbook.earlier())
    assert "window 5" in repr(runbook.map())
    ways = {option.key: option for option in runbook.decide().step.question.options}
    assert list(ways) == ["drop", "again", "open"]
    assert ways["drop"].supported is not ways["open"].supported
    assert f"peaktrade holdout open {runbook.setup.tried}#" in ways["open"].meaning


def test_questions_of_method_without_candles_and_without_a_question(workspace: Workspace) -> None:
    found = {one.id: one(Setup(workspace, "armstrong_cycle", "BTC/EUR", "1d", " ")).status for one in BEFORE}
    assert found == {
        "question": "fail", "candles": "fail", "days": "fail", "held": "pass",
        "costs": "pass", "ledger": "pass", "still": "pass",
    }  # fmt: skip
    after = {one.id: one(Setup(workspace, "armstrong_cycle", "BTC/EUR", "1d", "q", "sw_0123456789ab")) for one in AFTER}
    assert (after["counted"].status, after["kept"].status, after["unseen"].status) == ("fail", "fail", "pass")


def test_costs_of_nothing_are_refused(workspace: Workspace, configure: Callable[[str, str], None]) -> None:
    configure("fee_bps = 26.0", "fee_bps = 0.0")
    configure("slippage_bps = 5.0", "slippage_bps = 0.0")
    one = Setup(Workspace(workspace.home), "armstrong_cycle", "BTC/EUR", "1d", "q")
    assert {q.id: q(one).status for q in BEFORE}["costs"] == "fail"
