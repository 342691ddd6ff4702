"""The explorer: every experiment is found again, ranked, compared, summed up, noted - and names its sessions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from peaktrade_core.base.errors import ArtefactError, UnknownNameError
from peaktrade_core.research.experiments.analysis import analyse, spread
from peaktrade_core.research.experiments.rows import ExperimentQuery, ExperimentRow, Experiments
from peaktrade_core.research.portfolio.prepare import prepare as prepare_portfolio
from peaktrade_core.research.portfolio.preset import read_portfolio
from peaktrade_core.research.portfolio.record import PortfolioRecord, PortfolioStore, backtest_portfolio
from peaktrade_core.research.trials.recorded import BacktestStore
from peaktrade_core.research.trials.spec import Judge, Null, Sweep, WalkForward
from peaktrade_core.research.trials.sweep import SweepRecord, SweepStore, prepare, run_sweep
from peaktrade_core.research.trials.table import TABLE
from peaktrade_core.workspace.settings import Analysis
from peaktrade_core.workspace.workspace import Workspace

DAYS = "kraken_BTC-EUR_1d_20180727-20200714"
MARKET = ("--timeframe", "1d", "--symbol", "BTC/EUR", "--warmup-candles", "60")


@pytest.fixture
def file(candles: Callable[[str], Path]) -> Path:
    return candles(DAYS)


@pytest.fixture
def swept(workspace: Workspace, file: Path) -> SweepRecord:
    sweep = Sweep(
        name="days", question="Does it carry over?", strategy="ma_crossover", symbol="BTC/EUR", timeframe="1d",
        candles=str(file), warmup_candles=60, parameters={"fast": [5, 10, 30], "slow": [20, 50]},
        judge=Judge(least_trades=1, blocks=4), walk_forward=WalkForward(windows=0), null=Null(shuffles=0),
    )  # fmt: skip
    return run_sweep(workspace, prepare(workspace, sweep))


def asked(peaktrade: Callable[..., Any], *words: object) -> Any:
    said = peaktrade("experiments", *words, "--json")
    assert said.code in (0, 1), said.stderr
    return json.loads(said.stdout)


def test_what_was_tried_is_found_by_each_filter(peaktrade: Callable[..., Any], swept: SweepRecord, file: Path) -> None:
    run = peaktrade(
        "backtest", "--candles", file, *MARKET, "--tag", "first", "--tag", "days", "--note", "a look", "--json"
    )
    backtest_id = json.loads(run.stdout)["backtest_id"]
    peaktrade("backtest", "--candles", file, *MARKET, "--strategy", "donchian_breakout")
    every = asked(peaktrade, "list")
    assert len(every) == 3
    assert {one["id"] for one in every} >= {backtest_id, swept.sweep_id}
    ids = lambda *words: [one["id"] for one in asked(peaktrade, "list", *words)]  # noqa: E731
    assert ids("--tag", "first") == [backtest_id]
    assert ids("--run-type", "sweep") == [swept.sweep_id] == ids("--sweep-name", "days")
    assert len(ids("--strategy", "donchian_breakout")) == 1
    assert ids("--symbol", "ETH/EUR") == []
    assert len(ids("--limit", "1")) == 1
    assert asked(peaktrade, "sweeps")[0]["verdict"].endswith("answered")
    peaktrade("experiments", "note", swept.sweep_id, "--tag", "first", "--note", "too few days")
    assert set(ids("--tag", "first")) == {backtest_id, swept.sweep_id}
    assert "Note: too few days" in peaktrade("experiments", "details", swept.sweep_id).stdout
    assert peaktrade("experiments", "note", swept.sweep_id).code == 2


def test_a_backtest_is_kept_with_its_figures_and_its_period(
    peaktrade: Callable[..., Any], workspace: Workspace, file: Path
) -> None:
    whole = json.loads(peaktrade("backtest", "--candles", file, *MARKET, "--json").stdout)
    part = json.loads(
        peaktrade("backtest", "--candles", file, *MARKET, "--from", "2019-03-01", "--to", "2019-09-01", "--json").stdout
    )
    assert part["metrics"]["steps"] == 184  # days from March to August
    store = BacktestStore(workspace)
    assert set(store.ids()) == {whole["backtest_id"], part["backtest_id"]}
    record = store.load(part["backtest_id"])
    assert f"{record.begin:%Y-%m-%d} {record.end:%Y-%m-%d}" == "2018-12-31 2019-08-31"  # the warm-up comes before
    assert record.figures.equity == part["metrics"]["equity_end"]
    assert store.marks(record.backtest_id).equity[-1] == record.figures.equity
    assert record.counted == 2
    none = peaktrade("backtest", "--candles", file, *MARKET, "--from", "2020-06-01")
    assert (none.code, "that may be read" in none.stderr) == (3, True)
    assert peaktrade("backtest", "--candles", file, *MARKET, "--from", "spring").code == 2


def test_the_ranking_is_that_of_all_trials(
    peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord, file: Path
) -> None:
    peaktrade("backtest", "--candles", file, *MARKET, "-p", "fast=7")
    store = Experiments(workspace)
    trials = [one for one in SweepStore(workspace).trials(swept.sweep_id) if not one.error]
    expected = {f"{swept.sweep_id}#{one.number}": one.total_return for one in trials}
    expected |= {row.id: row.total_return for row in store.rows(ExperimentQuery(run_type="backtest"))}
    ranked = store.top(ExperimentQuery(), "return", 10)
    assert [one.name for one in ranked] == sorted(expected, key=lambda name: -(expected[name] or 0.0))
    by_number = {one.number: one for one in trials}
    assert all(one.trial == by_number[one.trial.number] for one in ranked if "#" in one.name)
    assert [one.name for one in store.top(ExperimentQuery(), "return", 2)] == [one.name for one in ranked[:2]]
    least = max(one.trades for one in trials)
    assert all(one.trial.trades >= least for one in store.top(ExperimentQuery(), "sharpe", 10, least_trades=least))
    (store.sweeps.folder / swept.sweep_id / TABLE).unlink()  # as of a sweep that was killed
    assert store.top(ExperimentQuery(), "return", 10) == ranked
    shown = peaktrade("experiments", "top", "--metric", "return").stdout
    assert shown.index("VERDICT OF ITS EXPERIMENT") < shown.index("RETURN")


def test_a_session_names_its_backtest_and_trial_and_they_name_it(
    peaktrade: Callable[..., Any], run_shadow: Callable[..., Any], workspace: Workspace, swept: SweepRecord, file: Path
) -> None:
    params = ("-p", "fast=10", "-p", "slow=50")
    run = json.loads(peaktrade("backtest", "--candles", file, *MARKET, *params, "--json").stdout)
    wanted = {"candles": str(file), "timeframe": "1d", "symbol": "BTC/EUR", "warmup_candles": 60}
    record = run_shadow(**wanted, params={"fast": 10, "slow": 50})
    assert record.decision_id == run["decision_id"]
    names = Experiments(workspace).of_decision(record.decision_id)
    assert names == [run["backtest_id"], f"{swept.sweep_id}#3"]
    assert (
        f"The same decision in research: {', '.join(names)}" in peaktrade("session", "diff", record.session_id).stdout
    )
    assert record.session_id in peaktrade("experiments", "details", run["backtest_id"]).stdout
    assert Experiments(workspace).of_decision(None) == []


def test_experiments_stand_beside_each_other(
    peaktrade: Callable[..., Any], swept: SweepRecord, file: Path, home: Path
) -> None:
    run = json.loads(peaktrade("backtest", "--candles", file, *MARKET, "-p", "fast=7", "--json").stdout)
    found = asked(peaktrade, "compare", run["backtest_id"], swept.sweep_id, f"{swept.sweep_id}#0")
    assert [one["trial"]["params"]["fast"] for one in found] == [7, found[1]["trial"]["params"]["fast"], 5]
    assert "fast" in peaktrade("experiments", "compare", run["backtest_id"], f"{swept.sweep_id}#0").stdout
    assert peaktrade("experiments", "compare", run["backtest_id"]).code == 2
    assert peaktrade("experiments", "compare", run["backtest_id"], f"{swept.sweep_id}#99").code == 2
    values = asked(peaktrade, "sweep-summary", swept.sweep_id)["values"]
    assert [(one["parameter"], one["value"], one["trials"]) for one in values] == [
        ("fast", "5", 2), ("fast", "10", 2), ("fast", "30", 1), ("slow", "20", 2), ("slow", "50", 3),
    ]  # fmt: skip
    assert peaktrade("experiments", "export", run["backtest_id"], "--out", home / "b.csv").code == 0
    assert "p_fast" in (home / "b.csv").read_text()


def test_runs_together_allow_warn_or_block(peaktrade: Callable[..., Any], swept: SweepRecord) -> None:
    def row(total: float, drawdown: float, strategy: str = "s") -> ExperimentRow:
        return ExperimentRow(
            id="bt_1", run_type="backtest", strategy=strategy, total_return=total, max_drawdown=drawdown
        )

    limits = Analysis()
    word = lambda *rows: analyse(rows, limits)[0].word  # noqa: E731
    good = [row(0.1 * n, 0.1) for n in range(1, 6)]
    assert word(*good) == "allow"
    assert word(*good[:4]) == "warn"
    assert word(*good[:4], row(0.2, 0.15)) == "warn"  # a drawdown that has reached its limit is beyond it
    assert word(*good[:4], row(0.2, 0.25)) == "block"
    assert word(*(row(-0.01, 0.1) for _ in range(5))) == "block"
    found = analyse([*good, row(-0.5, 0.4, "t"), ExperimentRow(id="x", run_type="sweep", fault="torn")], limits)
    assert [(one.name, one.runs, one.word) for one in found] == [("s", 5, "allow"), ("t", 1, "block")]
    assert found[0].total_return.median == pytest.approx(0.3)
    assert (found[0].total_return.low, found[0].total_return.high) == (pytest.approx(0.14), pytest.approx(0.46))
    assert spread([]).mean is None
    assert asked(peaktrade, "analyze")[0]["word"] == "warn"


def test_damaged_experiments_are_rows_that_say_so(
    peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord, file: Path
) -> None:
    peaktrade("backtest", "--candles", file, *MARKET)
    store = Experiments(workspace)
    (backtest_id,) = store.backtests.ids()
    (store.backtests.folder / f"{backtest_id}.json").write_text("{")
    rows = {row.id: row for row in store.rows()}
    assert "not a backtest" in rows[backtest_id].fault
    assert rows[swept.sweep_id].fault == ""
    assert "unreadable" in peaktrade("experiments", "list").stdout
    assert peaktrade("experiments", "details", backtest_id).code == 4
    (store.sweeps.folder / swept.sweep_id / TABLE).write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match="not the trials of a sweep"):
        store.top(ExperimentQuery(), "sharpe", 5)
    assert peaktrade("experiments", "top").code == 4
    store.backtests.folder.joinpath("notes").mkdir()
    assert peaktrade("experiments", "list", "--run-type", "moon").code == 2


@pytest.fixture
def together(home: Path, workspace: Workspace, file: Path) -> PortfolioRecord:
    components = "".join(
        f'[[component]]\nstrategy = "{name}"\nsymbol = "BTC/EUR"\ntimeframe = "1d"\ncandles = "{file}"\nwarmup_candles = 60\n'
        for name in ("ma_crossover", "donchian_breakout")
    )
    (home / "two.toml").write_text(f'name = "two"\nsummary = "Is it calmer?"\n{components}')
    return backtest_portfolio(workspace, prepare_portfolio(workspace, read_portfolio(home / "two.toml")))


def test_a_portfolio_is_an_experiment_like_the_others(
    peaktrade: Callable[..., Any], workspace: Workspace, swept: SweepRecord, together: PortfolioRecord, home: Path
) -> None:
    name, figures = together.portfolio_id, together.figures
    (row,) = asked(peaktrade, "list", "--run-type", "portfolio")
    assert (row["id"], row["strategy"], row["symbol"]) == (name, "ma_crossover, donchian_breakout", "BTC/EUR")
    assert (row["total_return"], row["sharpe"], row["trades"]) == (figures.total_return, figures.sharpe, figures.trades)
    for strategy in ("ma_crossover", "donchian_breakout"):
        assert name in [one["id"] for one in asked(peaktrade, "list", "--strategy", strategy)]
    ranked = {one.name: one.trial for one in Experiments(workspace).top(ExperimentQuery(), "return", 10)}
    assert (ranked[name].total_return, ranked[name].fees) == (figures.total_return, figures.fees)
    assert len(ranked) == 1 + sum(not one.error for one in SweepStore(workspace).trials(swept.sweep_id))
    assert asked(peaktrade, "details", name[:8])["portfolio_id"] == name
    said = peaktrade("experiments", "details", name)
    assert said.stdout.index("Verdict") < said.stdout.index("Sleeves")
    assert said.code == int(row["against"])
    assert asked(peaktrade, "compare", name, swept.sweep_id)[0]["name"] == name
    assert {one["name"] for one in asked(peaktrade, "analyze")} == {"two", "ma_crossover"}
    assert peaktrade("experiments", "export", name, "--out", home / "p.csv").code == 0
    assert "p_sleeves" in (home / "p.csv").read_text()
    (PortfolioStore(workspace).folder / f"{name}.json").write_text("{}")
    assert "unreadable" in peaktrade("experiments", "list").stdout
    assert peaktrade("experiments", "compare", name, swept.sweep_id).code == 4


def test_a_record_is_named_by_its_id_its_beginning_or_as_the_newest(
    workspace: Workspace, swept: SweepRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SweepStore(workspace)
    assert store.load("latest") == store.load(swept.sweep_id[:6]) == swept
    best = None if swept.best is None else store.trial(f"{swept.sweep_id}#{swept.best}")
    assert swept.figures == best is not None
    for name in ("", "sw_", "bt_1", "../sweeps", f"{swept.sweep_id}x", f"../sweeps/{swept.sweep_id}"):
        if name != "sw_":  # the beginning of the only one
            with pytest.raises(UnknownNameError, match="unknown sweep"):
                store.load(name)
    store.save(msgspec.structs.replace(swept, sweep_id=f"{swept.sweep_id}0"))
    with pytest.raises(UnknownNameError, match="unknown sweep"):
        store.load(swept.sweep_id[:-1])
    monkeypatch.setattr(SweepStore, "ids", lambda _: [])  # a whole id is not looked for among all the others
    assert store.load(swept.sweep_id) == swept


def test_nothing_yet_is_said_with_the_next_step(peaktrade: Callable[..., Any]) -> None:
    for name in ("list", "sweeps", "top", "analyze"):
        assert "peaktrade sweep run" in peaktrade("experiments", name).stdout
    assert "No experiment matches" in peaktrade("experiments", "list", "--tag", "x").stdout
    assert peaktrade("experiments", "details", "bt_1").code == 2


def test_what_has_no_figure_to_rank_is_not_said_to_be_missing(peaktrade: Callable[..., Any]) -> None:
    assert peaktrade("backtest", "--steps", 200).code in (0, 1)  # hours, of which no Sharpe is told
    assert "bt_" in peaktrade("experiments", "list").stdout
    assert peaktrade("experiments", "top").stdout.startswith("No experiment can be ranked by sharpe")


def test_a_sweep_whose_trials_all_have_too_little_is_not_said_to_be_missing(
    peaktrade: Callable[..., Any], swept: SweepRecord, workspace: Workspace
) -> None:
    SweepStore(workspace).save(msgspec.structs.replace(swept, best=None, figures=None))
    said = peaktrade("experiments", "analyze").stdout
    assert said.startswith("No experiment has a return to look at: no trial had enough days or trades.")
