"""The builder: the best deflated Sharpe first, nothing twice, counted, walked forward, written with its origin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from test_preset import candles

from peaktrade_core.base.errors import ConfigError
from peaktrade_core.base.question import FAIL, PASS, Check
from peaktrade_core.research.portfolio.builder import CandidateTrial, Wanted, build, keep, pick
from peaktrade_core.research.portfolio.prepare import prepare
from peaktrade_core.research.portfolio.preset import Component, find_preset, read_portfolio
from peaktrade_core.research.portfolio.record import backtest_portfolio
from peaktrade_core.research.trials.ledger import TrialLedger, TrialMarket
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepStore, run_sweep
from peaktrade_core.research.trials.sweep import prepare as prepare_sweep
from peaktrade_core.research.trials.trial import Trial
from peaktrade_core.workspace.workspace import Workspace


def candidate(
    name: str, deflated: float, returns: np.ndarray, symbol: str = "BTC/EUR", strategy: str = ""
) -> CandidateTrial:
    market = TrialMarket(strategy or name, symbol, "1h")
    days = np.arange(len(returns))
    return CandidateTrial(name, market, Trial(number=0, params={}), deflated, days, returns)


def test_the_best_first_and_what_goes_along_with_it_is_left_out() -> None:
    rng = np.random.default_rng(1)
    a, b, c = (rng.normal(0.0, 0.01, 100) for _ in range(3))
    known = [
        candidate("middling", 0.8, b),
        candidate("best", 0.9, a),
        candidate("copy", 0.85, a + 0.1 * b),
        candidate("again", 0.84, c, strategy="best"),
        candidate("dollars", 0.83, c, symbol="BTC/USD"),
        candidate("short", 0.82, c[:30]),
        candidate("still", 0.81, np.zeros(100)),
        candidate("last", 0.2, c),
        candidate("beyond", 0.1, c),
    ]
    found = pick(known, 3, 0.7)
    assert [one.name for one in found if not one.why_not] == ["best", "middling", "last"]
    why = {one.name: one.why_not for one in found}
    assert why["copy"].startswith("correlation 0.99 with best")
    assert why["again"] == "best on BTC/EUR is taken: best"
    assert why["dollars"] == "the account is in EUR"
    assert why["short"] == "only 30 days in common with best"
    assert why["still"] == "it did not move"
    assert why["beyond"] == "3 are taken"


@pytest.fixture
def swept(workspace: Workspace, tmp_path: Path) -> Callable[..., None]:
    """Return a function that runs a sweep of two years of a wavy market, and lets so many answers speak against it."""

    def run(strategy: str, symbol: str | None, seed: int, parameters: dict[str, Any], against: int = 0) -> None:
        sweep = Sweep(
            name="s", question="Does it ride the wave?", strategy=strategy, symbol=symbol, timeframe="1h",
            candles=candles(tmp_path / f"{seed}.parquet", seed, days=500), warmup_candles=100, parameters=parameters,
            judge=Judge(least_trades=3, blocks=8), walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
        )  # fmt: skip
        record = run_sweep(workspace, prepare_sweep(workspace, sweep), threads=2)
        status = (PASS, *(FAIL for _ in range(against)))
        verdict = tuple(Check(id=one, question="?", status=one, evidence="", next_step="") for one in status)
        SweepStore(workspace).save(msgspec.structs.replace(record, verdict=verdict))

    return run


def test_from_trials_to_a_preset_that_runs(workspace: Workspace, swept: Callable[..., None]) -> None:
    with pytest.raises(ConfigError, match=r"none of 0 finished sweeps .*no sweep is finished"):
        build(workspace, "mine", Wanted())
    crossover, channel = {"fast": [5, 10, 20], "slow": [40, 80]}, {"window": [20, 60]}
    swept("ma_crossover", "BTC/EUR", 1, crossover)
    swept("ma_crossover", "ETH/EUR", 2, crossover)
    swept("donchian_breakout", "ETH/EUR", 2, channel, against=1)
    draft = build(workspace, "mine", Wanted(windows=3))
    assert [one.why_not for one in draft.candidates] == ["", ""]
    assert draft.candidates[0].deflated >= draft.candidates[1].deflated
    assert len(draft.left_out) == 1
    built = draft.portfolio.built
    assert built is not None
    assert (built.sweeps, built.candidates, len(built.inside), len(built.outside)) == (3, 2, 3, 3)
    assert sum(one.weight or 0.0 for one in draft.portfolio.component) == 1.0
    counts = [link.data for link, _ in TrialLedger(workspace).chain.links()][-1]
    assert (counts["strategy"], counts["symbol"], counts["trials"]) == ("portfolio", "*/EUR", 4)
    path = keep(workspace, draft.portfolio)
    assert read_portfolio(path) == draft.portfolio
    with pytest.raises(ConfigError, match="is there already; give another --name"):
        keep(workspace, draft.portfolio)
    record = backtest_portfolio(workspace, prepare(workspace, find_preset(workspace, "mine").portfolio))
    assert record.counted == 2 * 6 + 2 + 1 + 4  # trials, the components' own, the portfolio, the builder's
    assert record.verdict[-1].id == "walk_forward"
    assert [one.trial for one in record.figures.sleeves] == [one.name for one in draft.candidates]
    components = next(one for one in record.verdict if one.id == "components")
    assert components.status == "pass"
    wider = build(workspace, "wider", Wanted(windows=0, objections=1, correlation=1.0))
    assert wider.left_out == ()
    assert len(wider.candidates) == 3


def test_a_sweep_keeps_the_market_that_it_ran_on(
    workspace: Workspace, swept: Callable[..., None], configure: Callable[[str, str], None]
) -> None:
    swept("ma_crossover", None, 1, {"fast": [5, 10, 20], "slow": [40, 80]})  # of the configuration, BTC/EUR
    configure('symbol = "BTC/EUR"', 'symbol = "ETH/EUR"')
    place = Workspace(workspace.home)
    (found,) = build(place, "mine", Wanted(windows=0, objections=9)).portfolio.component
    preset = msgspec.structs.replace(
        find_preset(place, "aggressive").portfolio, component=(Component(trial=found.trial),)
    )
    assert [one.symbol for one in prepare(place, preset).parts] == ["BTC/EUR"]
    own = TrialLedger(place).count(TrialMarket("ma_crossover", "BTC/EUR", "1h"))
    record = backtest_portfolio(place, prepare(place, preset))
    assert record.counted >= own == 6


def test_a_trial_in_a_file_and_what_stands_beside_it(workspace: Workspace, swept: Callable[..., None]) -> None:
    swept("ma_crossover", "BTC/EUR", 1, {"fast": [5, 10], "slow": [40]})
    sweep_id = SweepStore(workspace).ids()[0]
    preset = find_preset(workspace, "aggressive").portfolio
    one = msgspec.structs.replace(preset, component=(Component(trial=f"{sweep_id[:8]}#1"),))
    (part,) = prepare(workspace, one).parts
    assert part.decision.params._asdict() == {"fast": 10, "slow": 40}
    assert (part.symbol, part.warmup) == ("BTC/EUR", 100)
    for beside, said in (
        ({"strategy": "rsi_reversion"}, "has strategy = 'ma_crossover', and beside it stands 'rsi_reversion'"),
        ({"params": {"fast": 5, "slow": 40}}, "has params = {'fast': 10, 'slow': 40}, and beside it stands"),
    ):
        wrong = msgspec.structs.replace(preset, component=(Component(trial=f"{sweep_id}#1", **beside),))
        with pytest.raises(ConfigError, match=said):
            prepare(workspace, wrong)
    for trial, said in (("37", "must be SWEEP#TRIAL"), (f"{sweep_id}#9", "the sweep has 2 trials, from #0")):
        with pytest.raises(ConfigError, match=said):
            prepare(workspace, msgspec.structs.replace(preset, component=(Component(trial=trial),)))


def test_the_command_builds_and_says_what_the_rule_is_worth(
    peaktrade: Callable[..., Any], swept: Callable[..., None], home: Path
) -> None:
    nothing = peaktrade("portfolio", "build")
    assert nothing.code == 2
    assert "nothing to build from" in nothing.stderr
    assert peaktrade("portfolio", "build", "--name", "a/b").code == 2
    assert peaktrade("portfolio", "build", "--correlation", "nan").code == 2
    swept("ma_crossover", "BTC/EUR", 1, {"fast": [5, 10], "slow": [40, 80]})
    swept("ma_crossover", "ETH/EUR", 2, {"fast": [5, 10], "slow": [40, 80]})
    dry = peaktrade("portfolio", "build", "--dry-run", "--json")
    assert json.loads(dry.stdout)["preset"] is None
    done = peaktrade("portfolio", "build", "--name", "mine", env={"COLUMNS": "80"})
    assert done.code in (0, 1), done.stderr
    assert done.stdout.startswith("Walk-forward of the builder: ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert (home / "config" / "portfolios" / "mine.toml").is_file()
    assert "mine" in peaktrade("portfolio", "presets").stdout
